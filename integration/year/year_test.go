// Package year_test has a fleet live through a year of virtual time, under all
// that may happen to it, and checks at each request what the library promises.
package year_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The seed decides what happens when. The library's own jitter it does not, so
// that two runs of one seed are alike but not the same.
var (
	seed  = flag.Uint64("seed", 0, "play this seed alone, unless it is 0")
	seeds = flag.Int("seeds", 1, "how many seeds to play")
)

// play runs a scenario for each seed, whose number is in the name of the test.
func play(t *testing.T, s scenario, check func(t *testing.T, sum tally)) {
	t.Helper()
	t.Parallel()
	for range *seeds {
		n := *seed
		if n == 0 {
			n = rand.Uint64()
		}
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) { check(t, s.play(t, n)) })
	}
}

func TestAFleetLivesThroughAYear(t *testing.T) {
	play(t, scenario{length: year, pace: 3 * time.Hour, calm: 2 * day, skew: time.Hour}, func(t *testing.T, sum tally) {})
}

func TestAFleetLivesThroughAWeekOfIncidents(t *testing.T) {
	play(t, scenario{length: 7 * day, pace: 20 * time.Minute, calm: 6 * time.Hour, skew: time.Hour}, func(t *testing.T, sum tally) {})
}

func TestAFleetWithGoodClocksLivesThroughAWeekOfIncidents(t *testing.T) {
	play(t, scenario{length: 7 * day, pace: 20 * time.Minute, calm: 6 * time.Hour}, func(t *testing.T, sum tally) {})
}

func TestAFleetInACalmYearMakesOneAuthCallAnHour(t *testing.T) {
	const length = year
	play(t, scenario{length: length, pace: 4 * time.Hour}, func(t *testing.T, sum tally) {
		assert.LessOrEqual(t, sum.authCalls, int((length+3*time.Hour)/(lifetime-window))+1)
	})
}
