package soak_test

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/stretchr/testify/assert"
)

var (
	soakTime = flag.Duration("soak", time.Minute, "how long TestSoakForAMinute takes")
	soakSeed = flag.Uint64("seed", rand.Uint64(), "what decides on its requests and troubles")
)

func TestMain(m *testing.M) { os.Exit(leftover.Run(m, "")) }

// within waits for ok to become true.
func within(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// echo is the path of a handler that answers with the body.
const echo = "/echo"

func newRun(srv *apivideotest.Server, slack time.Duration) *model.Run {
	srv.HandleFunc(echo, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	return &model.Run{Server: srv, Slack: slack}
}

// soak is one Source on the network.
type soak struct{ *model.Source }

func (s soak) get(ctx context.Context, b model.Body) int {
	return s.Do(ctx, s.Server.URL+echo, b).Status
}

// TestSoakForAMinute: requests over the network with tokens of two
// seconds, while whatever may happen happens.
func TestSoakForAMinute(t *testing.T) {
	t.Parallel()
	const callers = 64
	seed := *soakSeed
	t.Logf("seed %d", seed)
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.SetLifetime(2 * time.Second)
	var conns leftover.Connections
	base := &http.Transport{DialContext: conns.Dial, MaxIdleConnsPerHost: callers}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	run := newRun(srv, 500*time.Millisecond)
	s := soak{run.NewSource(ctx, srv.Config(), base)}

	var all sync.WaitGroup
	over := time.Now().Add(*soakTime)
	for i := range callers {
		all.Go(func() { s.keepCalling(t.Context(), rand.New(rand.NewPCG(seed, uint64(i))), over) })
	}
	all.Go(func() { s.makeTrouble(t.Context(), rand.New(rand.NewPCG(seed, callers)), over) })
	all.Wait()

	srv.FailFunc(nil)
	srv.SetAuthLatency(0)
	assert.True(t, within(2*time.Minute, func() bool { return s.get(t.Context(), model.None) == 200 }), "a request after it all")
	end()
	before := srv.Counters().AuthCalls
	time.Sleep(3 * time.Second) // in which the last token expires
	assert.Equal(t, before, srv.Counters().AuthCalls, "a timer is left")
	base.CloseIdleConnections()
	assert.True(t, within(5*time.Second, func() bool { return conns.Open() == 0 }), "%d connections are left", conns.Open())
	run.Report(t)
	assert.Greater(t, run.Counts.Requests, callers)
	assert.Positive(t, run.Counts.Healed)
}

// keepCalling makes one request after another, some of which are broken off.
func (s soak) keepCalling(ctx context.Context, r *rand.Rand, over time.Time) {
	for time.Now().Before(over) {
		patience := 10 * time.Second
		switch r.IntN(10) {
		case 0:
			patience = time.Duration(r.IntN(5)) * time.Millisecond
		case 1:
			patience = time.Duration(r.IntN(1000)) * time.Millisecond
		}
		one, cancel := context.WithTimeout(ctx, patience)
		s.get(one, model.AnyBody(r.IntN(3)))
		cancel()
		time.Sleep(time.Duration(r.IntN(80)) * time.Millisecond)
	}
}

// makeTrouble plays what may happen to the service and the account.
func (s soak) makeTrouble(ctx context.Context, r *rand.Rand, over time.Time) {
	passing := []apivideotest.Fault{
		apivideotest.BreakBefore, apivideotest.BreakAfter, apivideotest.Status(500), apivideotest.Status(502),
		apivideotest.Status(503).RetryAfter("1"), apivideotest.Status(403), apivideotest.Answer(200, "text/html", "<html>"),
	}
	long := []apivideotest.Fault{apivideotest.Hang, apivideotest.Status(429)} // of seconds, or a minute
	for time.Now().Before(over) {
		time.Sleep(time.Duration(50+r.IntN(600)) * time.Millisecond)
		fault := passing[r.IntN(len(passing))]
		switch r.IntN(12) {
		case 0, 1, 2:
			s.Revoke()
		case 3, 4:
			s.Server.EndRefreshToken()
		case 5, 6:
			s.failOnce(fault)
		case 7: // an outage
			s.Server.FailFunc(func(apivideotest.Op) apivideotest.Fault { return fault })
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			s.Server.FailFunc(nil)
		case 8:
			s.Server.SetAuthLatency(time.Duration(r.IntN(300)) * time.Millisecond)
		case 9:
			if r.IntN(4) == 0 {
				s.failOnce(long[r.IntN(len(long))])
			}
		case 10:
			s.Invalidate(ctx)
		case 11:
			s.Renew(ctx)
		}
	}
}

// failOnce has the next auth call fail, unless it comes after the next fault.
func (s soak) failOnce(f apivideotest.Fault) {
	var used atomic.Bool
	s.Server.FailFunc(func(apivideotest.Op) apivideotest.Fault {
		if used.Swap(true) {
			return apivideotest.Fault{}
		}
		return f
	})
}
