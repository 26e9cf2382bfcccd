package soak_test

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
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

// echo is the path of a handler that answers with the body. No answer is empty:
// net/http reuses a connection before it has handed over such an answer. If the
// context of the first request ends in between, the next request fails.
const echo = "/echo"

func newRun(srv *apivideotest.Server, slack time.Duration) *model.Run {
	srv.HandleFunc(echo, func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(w, r.Body); n == 0 {
			io.WriteString(w, "no body")
		}
	})
	return &model.Run{Server: srv, Slack: slack}
}

// Requests over the network with tokens of four seconds, while whatever may
// happen happens.
func TestSoakForAMinute(t *testing.T) {
	t.Parallel()
	const callers = 64
	seed := *soakSeed
	t.Logf("seed %d", seed)
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.SetLifetime(4 * time.Second)
	var conns leftover.Connections
	base := &http.Transport{DialContext: conns.Dial, MaxIdleConnsPerHost: callers}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	run := newRun(srv, time.Second)
	p := &player{Source: run.NewSource(ctx, srv.Config(), base), ctx: t.Context()}
	srv.FailFunc(p.nextFault)

	var all sync.WaitGroup
	over := time.Now().Add(*soakTime)
	for i := range callers {
		all.Go(func() { p.keepCalling(rand.New(rand.NewPCG(seed, uint64(i))), over) })
	}
	all.Go(func() { p.makeTrouble(rand.New(rand.NewPCG(seed, callers)), over) })
	all.Wait()

	p.breakDown(nil)
	srv.SetAuthLatency(0)
	srv.SetAnswerLatency(0)
	assert.True(t, within(2*time.Minute, func() bool { return p.get(t.Context(), model.None) == 200 }), "a request after it all")
	assert.True(t, within(time.Minute, func() bool {
		p.Revoke()
		p.get(t.Context(), model.None)
		run.Lock()
		defer run.Unlock()
		return run.Counts.Healed > 0
	}), "no request survived a revocation")
	end()
	before := srv.Counters().AuthCalls
	time.Sleep(5 * time.Second) // in which the last token expires
	assert.Equal(t, before, srv.Counters().AuthCalls, "a timer is left")
	base.CloseIdleConnections()
	assert.True(t, within(5*time.Second, func() bool { return conns.Open() == 0 }), "%d connections are left", conns.Open())
	run.Report(t)
	assert.Greater(t, run.Counts.Requests, callers)
}

// keepCalling makes one request after another, some of which are broken off.
func (p *player) keepCalling(r *rand.Rand, over time.Time) {
	for time.Now().Before(over) {
		patience := 10 * time.Second
		switch r.IntN(10) {
		case 0:
			patience = time.Duration(r.IntN(5)) * time.Millisecond
		case 1:
			patience = time.Duration(r.IntN(1000)) * time.Millisecond
		}
		one, cancel := context.WithTimeout(p.ctx, patience)
		p.get(one, model.AnyBody(r.IntN(3)))
		cancel()
		time.Sleep(time.Duration(r.IntN(80)) * time.Millisecond)
	}
}

// passing are the steps, and the bytes that each may come with, of troubles that
// are over within seconds.
var passing = []struct {
	step  int
	bytes []byte
}{
	{revokes, []byte{0}}, {revokes, []byte{0}}, {revokes, []byte{0}},
	{endsRefreshToken, []byte{0}}, {endsRefreshToken, []byte{0}},
	{fails, []byte{0, 1, 3, 4, 5, 11}}, {fails, []byte{0, 1, 2, 3, 4, 5, 7, 11}},
	{breaksDown, []byte{0, 1, 3, 4, 5, 11}}, {recovers, []byte{0}},
	{slows, []byte{0, 2, 3}}, {delays, []byte{0, 2, 3}}, {renews, []byte{2, 3}}, {invalidates, []byte{2, 3}},
}

// makeTrouble plays what may happen to the service and the account. No outage
// lasts longer than three seconds.
func (p *player) makeTrouble(r *rand.Rand, over time.Time) {
	for time.Now().Before(over) {
		time.Sleep(time.Duration(50+r.IntN(600)) * time.Millisecond)
		s := passing[r.IntN(len(passing))]
		steps[s.step](p, pick(s.bytes, byte(r.IntN(256))))
		if s.step == breaksDown {
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			p.breakDown(nil)
		}
	}
	p.waiting.Wait()
}
