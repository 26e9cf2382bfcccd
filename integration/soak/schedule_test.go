package soak_test

import (
	"context"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A schedule is a sequence of steps of two bytes: what happens, and how much
// of it. FuzzSchedule looks for one that breaks a promise.
type player struct {
	*model.Source
	ctx     context.Context
	waiting sync.WaitGroup

	trouble sync.Mutex                               // guards what follows
	next    []apivideotest.Fault                     // of the next auth calls
	outage  func(apivideotest.Op) apivideotest.Fault // of the others; nil for none
}

// What the second byte of a step chooses from. None is a limit of the library,
// so that no two things happen in one instant by chance.
var (
	pauses = []time.Duration{time.Millisecond, 70 * time.Millisecond, 333 * time.Millisecond, 1100 * time.Millisecond,
		4 * time.Second, 13 * time.Second, 47 * time.Second, 211 * time.Second, 11 * time.Minute, 31 * time.Minute, 59 * time.Minute, 3 * time.Hour}
	patience  = []time.Duration{time.Millisecond, 130 * time.Millisecond, 2100 * time.Millisecond, 12 * time.Second, 37 * time.Second, time.Hour}
	latencies = []time.Duration{0, 0, 21 * time.Millisecond, 910 * time.Millisecond, 6 * time.Second, 11 * time.Second, 17 * time.Second}
	lifetimes = []time.Duration{time.Hour, 2 * time.Second, 35 * time.Second, 10 * time.Minute, 24 * time.Hour}
	troubles  = []apivideotest.Fault{
		apivideotest.BreakBefore, apivideotest.BreakAfter, apivideotest.Hang,
		apivideotest.Status(500), apivideotest.Status(502), apivideotest.Status(403), apivideotest.Status(400),
		apivideotest.Status(429), apivideotest.Status(429).RetryAfter("3"), apivideotest.Status(503).RetryAfter("90"), apivideotest.Status(503).RetryAfter("1672531200"),
		apivideotest.Answer(200, "application/json", `{}`), apivideotest.Answer(200, "text/html", `<html>`),
		apivideotest.Answer(302, "text/html", ""),
	}
)

func pick[T any](list []T, n byte) T { return list[int(n)%len(list)] }

// steps are what may happen.
var steps = []func(p *player, n byte){
	func(p *player, n byte) { time.Sleep(pick(pauses, n)) },
	func(p *player, n byte) { p.calls(1, pick(patience, n), model.AnyBody(int(n))) },
	func(p *player, n byte) { p.calls(1+int(n%32), time.Minute, model.AnyBody(int(n))) },
	func(p *player, n byte) { p.Revoke() },
	func(p *player, n byte) { p.Server.EndRefreshToken() },
	func(p *player, n byte) { p.failNext(pick(troubles, n)) },
	func(p *player, n byte) { // an outage, perhaps of one operation
		p.breakDown(func(op apivideotest.Op) apivideotest.Fault {
			if n >= 128 && op == apivideotest.Authenticate {
				return apivideotest.Fault{}
			}
			return pick(troubles, n)
		})
	},
	func(p *player, n byte) { p.breakDown(nil) },
	func(p *player, n byte) { p.Server.SetAuthLatency(pick(latencies, n)) },
	func(p *player, n byte) { p.Server.SetLifetime(pick(lifetimes, n)) },
	func(p *player, n byte) { p.Suspend(n%2 == 1) },
	func(p *player, n byte) { p.Refuse(n%3 > 0) },
	func(p *player, n byte) { p.bounded(pick(patience, n), p.Renew) },
	func(p *player, n byte) { p.bounded(pick(patience, n), p.Invalidate) },
	func(p *player, n byte) { // a busy while
		for range 10 + int(n)/4 {
			p.calls(1, time.Minute, model.None)
			time.Sleep(170 * time.Millisecond)
		}
	},
	func(p *player, n byte) { p.Server.SetAnswerLatency(pick(latencies, n)) },
}

// Those of the steps that are troubles.
const (
	revokes = 3 + iota
	endsRefreshToken
	fails
	breaksDown
	recovers
	slows
	renews      = 12
	invalidates = 13
	delays      = 15
)

// get makes a request and returns the status of its answer.
func (p *player) get(ctx context.Context, b model.Body) int {
	return p.Do(ctx, p.Server.URL+echo, b).Status
}

// nextFault says how an auth call goes.
func (p *player) nextFault(op apivideotest.Op) (f apivideotest.Fault) {
	p.trouble.Lock()
	defer p.trouble.Unlock()
	switch {
	case len(p.next) > 0:
		f, p.next = p.next[0], p.next[1:]
	case p.outage != nil:
		f = p.outage(op)
	}
	return f
}

func (p *player) failNext(f apivideotest.Fault) {
	p.trouble.Lock()
	defer p.trouble.Unlock()
	p.next = append(p.next, f)
}

func (p *player) breakDown(outage func(apivideotest.Op) apivideotest.Fault) {
	p.trouble.Lock()
	defer p.trouble.Unlock()
	p.outage = outage
	if outage == nil {
		p.next = nil
	}
}

// bounded calls f beside what follows.
func (p *player) bounded(d time.Duration, f func(context.Context)) {
	p.waiting.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, d)
		defer cancel()
		f(ctx)
	})
}

// calls makes n requests beside what follows.
func (p *player) calls(n int, d time.Duration, b model.Body) {
	for range n {
		p.bounded(d, func(ctx context.Context) { p.get(ctx, b) })
	}
}

// play runs a schedule against a new Source in virtual time. Then it checks what
// must be true after every schedule.
func play(t *testing.T, schedule []byte) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		run := newRun(srv, 0)
		defer run.Report(t)
		p := &player{Source: run.NewSource(ctx, srv.Config(), srv.Transport()), ctx: t.Context()}
		srv.FailFunc(p.nextFault)
		for step := range slices.Chunk(schedule, 2) {
			if len(step) == 2 {
				pick(steps, step[0])(p, step[1])
			}
		}
		p.recovers(t)
		p.rests(t, end)
	})
}

// recovers checks that the faults have no effect after their end.
func (p *player) recovers(t *testing.T) {
	p.waiting.Wait()
	p.breakDown(nil)
	p.Refuse(false)
	p.Server.SetSuspended(false)
	p.Server.SetAuthLatency(0)
	p.Server.SetAnswerLatency(0)
	p.Server.SetLifetime(time.Hour)
	time.Sleep(6 * time.Minute) // failures are remembered for 5 at most
	assert.Equal(t, 200, p.get(p.ctx, model.None), "a request after it all")
}

// rests: an idle Source renews its token once at most, and after the end of
// its context never, but still serves.
func (p *player) rests(t *testing.T, end func()) {
	issued := func() int { c := p.Server.Counters(); return c.Authenticated + c.Refreshed }
	before := issued()
	time.Sleep(3 * 24 * time.Hour)
	assert.LessOrEqual(t, issued(), before+1, "idle")
	end()
	p.End()
	assert.Equal(t, 200, p.get(p.ctx, model.None), "a request after the end of the context")
	before = issued()
	time.Sleep(3 * 24 * time.Hour)
	assert.Equal(t, before, issued(), "idle after the end of the context")
}

// FuzzSchedule plays schedules that go on from those that were found to be
// interesting, which testdata has.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, schedule []byte) {
		play(t, schedule[:min(len(schedule), 200)])
	})
}

var (
	schedules = flag.Int("schedules", 300, "how many schedules to play at random")
	schedule  = flag.String("schedule", "", "the hexadecimal name of a schedule, to play only that")
)

// The library's own jitter is in no schedule: a failure may need some tries.
func TestSoakRandomSchedules(t *testing.T) {
	if *schedule != "" {
		steps, err := hex.DecodeString(*schedule)
		require.NoError(t, err)
		play(t, steps)
		return
	}
	for range *schedules {
		steps := make([]byte, 2*rand.IntN(100))
		for i := range steps {
			steps[i] = byte(rand.UintN(256))
		}
		t.Run(hex.EncodeToString(steps), func(t *testing.T) { play(t, steps) })
	}
}
