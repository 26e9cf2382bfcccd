package soak_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
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

// connections counts those that are open.
type connections struct{ open atomic.Int64 }

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &counted{Conn: conn, closed: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
}

type counted struct {
	net.Conn
	closed func()
}

func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
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
	var conns connections
	base := &http.Transport{DialContext: conns.dial, MaxIdleConnsPerHost: callers}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	g := newRig(ctx, srv, base, 500*time.Millisecond)

	var all sync.WaitGroup
	over := time.Now().Add(*soakTime)
	for i := range callers {
		all.Go(func() { g.keepCalling(t.Context(), rand.New(rand.NewPCG(seed, uint64(i))), over) })
	}
	all.Go(func() { g.makeTrouble(t.Context(), rand.New(rand.NewPCG(seed, callers)), over) })
	all.Wait()

	srv.FailFunc(nil)
	srv.SetAuthLatency(0)
	assert.True(t, within(2*time.Minute, func() bool { return g.call(t.Context(), none) == 200 }), "a request after it all")
	end()
	before := srv.Counters().AuthCalls
	time.Sleep(3 * time.Second) // in which the last token expires
	assert.Equal(t, before, srv.Counters().AuthCalls, "a timer is left")
	g.client.CloseIdleConnections()
	base.CloseIdleConnections()
	assert.True(t, within(5*time.Second, func() bool { return conns.open.Load() == 0 }), "%d connections are left", conns.open.Load())
	g.report(t)
	t.Logf("%+v", g.counts)
	assert.Greater(t, g.counts.requests, callers)
	assert.Positive(t, g.counts.healed)
}

// keepCalling makes one request after another, some of which are broken off.
func (g *rig) keepCalling(ctx context.Context, r *rand.Rand, over time.Time) {
	for time.Now().Before(over) {
		patience := 10 * time.Second
		switch r.IntN(10) {
		case 0:
			patience = time.Duration(r.IntN(5)) * time.Millisecond
		case 1:
			patience = time.Duration(r.IntN(1000)) * time.Millisecond
		}
		one, cancel := context.WithTimeout(ctx, patience)
		g.call(one, body(r.IntN(3)))
		cancel()
		time.Sleep(time.Duration(r.IntN(80)) * time.Millisecond)
	}
}

// makeTrouble plays what may happen to the service and the account.
func (g *rig) makeTrouble(ctx context.Context, r *rand.Rand, over time.Time) {
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
			g.revoke()
		case 3, 4:
			g.srv.EndRefreshToken()
		case 5, 6:
			g.failOnce(fault)
		case 7: // an outage
			g.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return fault })
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			g.srv.FailFunc(nil)
		case 8:
			g.srv.SetAuthLatency(time.Duration(r.IntN(300)) * time.Millisecond)
		case 9:
			if r.IntN(4) == 0 {
				g.failOnce(long[r.IntN(len(long))])
			}
		case 10:
			g.invalidate(ctx)
		case 11:
			g.renew(ctx)
		}
	}
}

// failOnce has the next auth call fail, unless it comes after the next fault.
func (g *rig) failOnce(f apivideotest.Fault) {
	var used atomic.Bool
	g.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
		if used.Swap(true) {
			return apivideotest.Fault{}
		}
		return f
	})
}
