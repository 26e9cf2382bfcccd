// Package year_test simulates a fleet of processes for a year of virtual time,
// with restarts, outages and wrong clocks. For each request it checks what the
// library promises.
//
//	go test ./year -seeds 100    # many fleets
//	go test ./year -seed 12345   # the one that failed
//	go test ./year -short        # a fifth of it
package year_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
	"github.com/stretchr/testify/assert"
)

func TestMain(m *testing.M) { os.Exit(leftover.Run(m, "")) }

// The seed decides what happens when. It does not decide the jitter of the
// library, so two runs of one seed differ a little.
var (
	seed  = flag.Uint64("seed", 0, "play only this seed, unless it is 0")
	seeds = flag.Int("seeds", 0, "how many seeds of each scenario to play, if not the usual few")
)

// brief returns a length, or a fifth of it with the flag -short: the race detector
// needs five times as long.
func brief(length time.Duration) time.Duration {
	if testing.Short() {
		return length / 5
	}
	return length
}

// play runs a scenario for each seed. The number of the seed is in the name of
// the test. The scenarios run one after the other: otherwise nobody could tell
// which one left something behind.
func play(t *testing.T, s scenario, check func(t *testing.T, w *world)) {
	t.Helper()
	usual := s.seeds
	if testing.Short() {
		usual = 1
	}
	for range cmp.Or(*seeds, usual) {
		n := *seed
		if n == 0 {
			n = rand.Uint64()
		}
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) { check(t, s.play(t, n)) })
	}
}

func TestFleetForAYear(t *testing.T) {
	s := scenario{seeds: 1, length: brief(365 * day), pace: 16 * time.Hour, calm: 4 * day, skew: time.Hour}
	play(t, s, func(t *testing.T, w *world) {
		eventful(t, w)
		if !testing.Short() { // a fifth of a year may have too few
			assert.NotZero(t, w.tally.failures, "no auth call met an outage")
			assert.NotZero(t, w.Counts.Failed, "no request met one")
		}
	})
}

func TestFleetForAWeekOfIncidents(t *testing.T) {
	play(t, scenario{seeds: 2, length: 7 * day, pace: 2 * time.Hour, calm: 12 * time.Hour, skew: time.Hour}, eventful)
}

func TestFleetForAWeekOfIncidentsWithGoodClocks(t *testing.T) {
	play(t, scenario{seeds: 2, length: 7 * day, pace: 2 * time.Hour, calm: 12 * time.Hour}, eventful)
}

// eventful checks that something happened. In a week, an outage may be over
// before anybody makes a call.
func eventful(t *testing.T, w *world) {
	assert.NotZero(t, w.tally.outages)
	assert.NotZero(t, w.tally.restarts)
	assert.NotZero(t, w.Counts.Revocations)
}

func TestFleetWithoutIncidentsCallsOnceAnHour(t *testing.T) {
	s := scenario{seeds: 1, length: 10 * day, pace: 5 * time.Hour}
	play(t, s, func(t *testing.T, w *world) {
		assert.Equal(t, w.Counts.AuthCalls, w.Counts.Tokens)
		assert.LessOrEqual(t, w.Counts.AuthCalls, int((s.length+3*time.Hour)/(lifetime-window))+1)
		assert.Zero(t, w.Counts.Failed+w.Counts.Refused)
	})
}
