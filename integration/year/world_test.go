package year_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	day       = 24 * time.Hour
	fleetSize = 50
	handover  = 200 * time.Millisecond // of the store's lock, which is asked for again and again
)

// What the library promises, of tokens as the service documents them.
const (
	lifetime = apivideotest.DefaultLifetime
	window   = 15 * time.Minute // before expiry, in which a token is renewed
	margin   = 10 * time.Second // before expiry, in which a token is not used

	hangs      = 15 * time.Second // an auth call that began in an outage ends within this after it
	remembered = 30 * time.Second // how long a failure is remembered at most,
	suspended  = 60 * time.Second // one that is final,
	asked      = 5 * time.Minute  // and one for which the service asked to wait

	// A flight: one look at the store, the wait for its lock, the auth calls, and a write.
	longestFlight = time.Second + 20*time.Second + 30*time.Second + time.Second
	// A request waits for two at most to get a token: one that began for nobody
	// may give way to a second. So it may be again when the API refuses the token.
	longestWait = 4 * longestFlight
)

// trouble is what is known of the outages of a service.
type trouble struct {
	on   bool
	felt time.Time // until when those that ended may have been remembered
}

// ends takes how long after the end of an outage it may be felt.
func (t *trouble) ends(memory time.Duration) {
	t.on = false
	if felt := time.Now().Add(memory); felt.After(t.felt) {
		t.felt = felt
	}
}

// explains reports whether a failure since then may be due to an outage.
func (t *trouble) explains(since time.Time) bool { return t.on || !since.After(t.felt) }

// tally counts what is worth telling of a run, beside the model.
type tally struct {
	outages, failures, refused int // of the auth service, of auth calls in them, and of refresh tokens
	restarts                   int
	longest, longestHealthy    time.Duration
}

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
	*model.Run // which guards store, auth, issued and tally
	scenario
	seed    uint64
	ctx     context.Context
	began   time.Time
	latency time.Duration // of an auth call
	config  *apivideo.Config
	shared  *memstore.Store
	name    string // of the account in the store
	box     *seal.Box
	fleet   []*replica
	stores  []weak.Pointer[clock] // one for each Source; only that keeps it alive

	auth, store trouble
	issued      time.Time // the last token
	tally       tally
}

// locked calls f with the Run locked.
func (w *world) locked(f func()) {
	w.Lock()
	defer w.Unlock()
	f()
}

// uneventful reports whether there were no incidents since then.
func (w *world) uneventful(since time.Time) bool {
	return !w.auth.explains(since) && !w.store.explains(since) && w.LastRefusal().Before(since)
}

// patience is how long a request may wait while all is well, if so many tokens
// were issued meanwhile. It may wait for the renewals of processes that got
// the lock earlier: if their clocks are off, it cannot use their tokens. Then
// follows its own renewal. Each renewal is a refresh and an exchange at most.
// A request reads the store before and after.
func (w *world) patience(issued int) time.Duration {
	return time.Duration(issued+1)*(2*w.latency+handover) + 2*100*time.Millisecond
}

// play runs the scenario in virtual time and returns the world after it. What was
// wrong fails the test.
func (s scenario) play(t *testing.T, seed uint64) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, s, seed)
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
	w.Report(t)
	t.Logf("%+v", w.tally)
	assert.LessOrEqual(t, w.tally.refused, w.Counts.Tokens, "a renewal sends one refresh token at most")
	return w
}

func newWorld(t *testing.T, s scenario, seed uint64) *world {
	server := apivideotest.NewUnstartedServer()
	server.HandleFunc("/videos", func(http.ResponseWriter, *http.Request) {})
	w := &world{Run: &model.Run{Server: server}, scenario: s, seed: seed, began: time.Now(), shared: memstore.New(), config: server.Config()}
	w.Outage = func(since time.Time) bool { return w.auth.explains(since) }
	w.shared.SetFault(memstore.Fault{Handover: handover})
	random := w.random(0)
	w.latency = 20*time.Millisecond + time.Duration(random.Int64N(int64(200*time.Millisecond)))
	server.SetAuthLatency(w.latency)
	var end context.CancelFunc
	w.ctx, end = context.WithCancel(t.Context())
	t.Cleanup(end)
	var err error
	w.name, w.box, err = newBox(w.config.APIKey, w.config.BaseURL+":443")
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
	runtime.GC()            // until then, the timer of a Source that nobody has may start a renewal
	time.Sleep(longestWait)
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
// Source gets one token at most, which its process sees to, then nothing runs.
func (w *world) settle(t *testing.T) {
	time.Sleep(3 * time.Hour)
	before := w.Server.Counters()
	time.Sleep(30 * day)
	assert.Equal(t, before, w.Server.Counters(), "an idle fleet calls")
	synctest.Wait()
	all := make([]byte, 1<<20)
	assert.NotRegexp(t, `oauth2\.\(|tokencache\.\(`, string(all[:runtime.Stack(all, true)]), "an idle Source has a goroutine")
}
