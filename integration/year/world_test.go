package year_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	day  = 24 * time.Hour
	year = 365 * day

	fleetSize = 50
)

// scenario is what may happen to a fleet, and for how long.
type scenario struct {
	seeds  int // of which it is usually played
	length time.Duration
	pace   time.Duration // the mean pause between the requests of a busy replica
	calm   time.Duration // the mean time between incidents of a kind; 0: there are none
	skew   time.Duration // how far the clock of a replica may be off, either way
}

// world is one run of a scenario.
type world struct {
	*ledger
	scenario
	seed   uint64
	ctx    context.Context
	began  time.Time
	server *apivideotest.Server
	config *apivideo.Config
	videos *url.URL
	shared *store
	seal   *seal
	fleet  []*replica
	stores []weak.Pointer[clock] // one for each Source, which alone keeps it alive
}

// play runs the scenario in virtual time and returns what it came to. What was
// wrong fails the test.
func (s scenario) play(t *testing.T, seed uint64) tally {
	var l *ledger
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s, seed)
		l = w.ledger
		var parts sync.WaitGroup
		for _, r := range w.fleet {
			r.start()
			parts.Go(r.run)
		}
		if s.calm > 0 {
			parts.Go(w.troubleTheService)
			parts.Go(w.troubleTheStore)
			parts.Go(w.revoke)
			parts.Go(w.deploy)
		}
		parts.Wait()
		w.replaceSome(t)
		w.settle(t)
	})
	for _, wrong := range l.wrongs {
		t.Error(wrong)
	}
	t.Logf("%+v", l.tally)
	assert.LessOrEqual(t, l.tally.refused, l.tally.issued, "a renewal sends one refresh token at most")
	return l.tally
}

func newWorld(t *testing.T, s scenario, seed uint64) *world {
	w := &world{scenario: s, seed: seed, began: time.Now(), shared: newStore(), server: apivideotest.NewUnstartedServer()}
	random := w.random(0)
	latency := 20*time.Millisecond + time.Duration(random.Int64N(int64(200*time.Millisecond)))
	w.ledger = newLedger(latency, s.skew == 0)
	w.server.SetAuthLatency(latency)
	w.server.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	w.config = w.server.Config()
	var end context.CancelFunc
	w.ctx, end = context.WithCancel(t.Context())
	t.Cleanup(end)
	var err error
	w.seal, err = newSeal(w.config.APIKey, w.config.BaseURL+":443")
	require.NoError(t, err)
	w.videos, err = url.Parse(w.server.URL + "/videos")
	require.NoError(t, err)
	for i := range fleetSize {
		w.fleet = append(w.fleet, &replica{world: w, number: i, random: w.random(1 + uint64(i)), ahead: s.someSkew(random)})
	}
	return w
}

// someSkew is 0 for three replicas of four.
func (s scenario) someSkew(random *rand.Rand) time.Duration {
	if s.skew == 0 || random.IntN(4) > 0 {
		return 0
	}
	return time.Duration((2*random.Float64() - 1) * float64(s.skew))
}

// random is the source of chance for one part of the world.
func (w *world) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, part)) }

// sleep reports whether the end has not come by then.
func (w *world) sleep(d time.Duration) bool {
	left := time.Until(w.began.Add(w.length))
	time.Sleep(min(d, left))
	return d < left
}

// replaceSome restarts half of the fleet, and checks that no Source is left but
// those of the processes that run.
func (w *world) replaceSome(t *testing.T) {
	for _, r := range w.fleet[:fleetSize/2] {
		r.start()
	}
	time.Sleep(longestWait) // for what is under way
	synctest.Wait()
	assert.LessOrEqual(t, w.alive(), fleetSize, "Sources stay in memory that nobody has")
}

// alive counts the Sources in memory. What a stack seems to hold may outlive a
// collection or two.
func (w *world) alive() int {
	for range 5 {
		runtime.GC()
		w.stores = slices.DeleteFunc(w.stores, func(s weak.Pointer[clock]) bool { return s.Value() == nil })
	}
	return len(w.stores)
}

// settle checks what becomes of a fleet that nobody calls any more: each
// Source gets one token at most, which its witness sees to, then nothing runs.
func (w *world) settle(t *testing.T) {
	time.Sleep(3 * time.Hour)
	before := w.server.Counters()
	time.Sleep(30 * day)
	assert.Equal(t, before, w.server.Counters(), "an idle fleet calls")
	synctest.Wait()
	all := make([]byte, 1<<20)
	assert.NotContains(t, string(all[:runtime.Stack(all, true)]), "oauth2.(*cache)", "an idle Source has a goroutine")
}
