package redisstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of a token in these tests. It is renewed after 12 to 12.8 seconds, and no
// longer used after 14.4.
const (
	outageLifetime = 16 * time.Second
	outageUnused   = outageLifetime / 10
)

// load has many sources asked for their tokens all the time.
type load struct {
	patient time.Duration // what a caller may wait while there is a usable token
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	tokens  []string   // the latest of each source
	slowest time.Duration
	unready time.Duration // the longest wait without a usable token
}

// startLoad asks n sources for tokens until stop is called.
func startLoad(t *testing.T, conf *apivideo.Config, n int) (l *load, stop func()) {
	l = &load{patient: 100 * time.Millisecond, tokens: make([]string, n)}
	if raced {
		l.patient = 500 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(t.Context())
	for i := range n {
		src := conf.Source(ctx)
		l.running.Go(func() { l.ask(ctx, t, src, i) })
	}
	return l, func() {
		cancel()
		l.running.Wait()
	}
}

func (l *load) ask(ctx context.Context, t *testing.T, src *apivideo.Source, i int) {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	var usable time.Time // until when the latest token is
	for ctx.Err() == nil {
		start := time.Now()
		tok, err := src.Token()
		took := time.Since(start)
		if !assert.NoError(t, err) {
			return
		}
		if start.Before(usable) {
			assert.LessOrEqual(t, took, l.patient, "%v before the token was not usable", usable.Sub(start))
		}
		l.note(i, tok.AccessToken, took, start.Before(usable))
		usable = tok.Expiry.Add(-outageUnused)
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
}

func (l *load) note(i int, token string, took time.Duration, ready bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[i] = token
	if ready {
		l.slowest = max(l.slowest, took)
	} else {
		l.unready = max(l.unready, took)
	}
}

// in reports how many of the sources have each token.
func (l *load) in() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	tokens := map[string]int{}
	for _, token := range l.tokens {
		tokens[token]++
	}
	return tokens
}

// issued is how many tokens the service has issued.
func issued(srv *apivideotest.Server) int {
	return srv.Counters().Authenticated + srv.Counters().Refreshed
}

// outage plays an outage of Redis that lasts beyond the life of a token.
func outage(t *testing.T, server *redisServer, begin, end func()) {
	const sources, cold = 50, 5
	srv := newService(t)
	srv.SetLifetime(outageLifetime)
	conf := sharing(srv, server.client(t))
	l, stop := startLoad(t, conf, sources)
	defer stop()
	time.Sleep(2 * time.Second)
	require.Equal(t, 1, len(l.in()), "tokens")
	require.Equal(t, oneExchange, srv.Counters())

	begin()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // of programs that renew nothing
	together(cold, func(int) {
		start := time.Now()
		_, err := conf.Source(ended).Token()
		assert.NoError(t, err)
		t.Log("a cold start took", time.Since(start))
		assert.LessOrEqual(t, time.Since(start), 1500*time.Millisecond)
	})
	assert.Equal(t, 1+cold, issued(srv))
	require.Eventually(t, func() bool { return len(l.in()) == sources && issued(srv) == 1+cold+sources },
		20*time.Second, 50*time.Millisecond, "each has its own")
	time.Sleep(200 * time.Millisecond)
	assert.Equal(t, 1+cold+sources, issued(srv))

	end()
	require.Eventually(t, func() bool { return len(l.in()) == 1 }, 20*time.Second, 50*time.Millisecond, "they share again")
	assert.Equal(t, 1+cold+sources+1, issued(srv))
	stop()
	t.Logf("the slowest request took %v with a usable token, %v without; %+v", l.slowest, l.unready, srv.Counters())
}

func TestWhileRedisIsDownNoRequestFailsOrWaits(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.kill, func() { assert.NoError(t, server.start()) })
}
