//go:build unix

package pgstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	outageSources  = 30
	outageLifetime = 16 * time.Second
	outageUnused   = outageLifetime / 10 // a token is not used in its last part
)

// load has many sources asked for their tokens all the time.
type load struct {
	mu     sync.Mutex // guards what follows
	tokens [outageSources]string
	waits  int // requests that waited for a renewal while they had a usable token
}

func (l *load) ask(ctx context.Context, t *testing.T, src *apivideo.Source, i int) {
	var usable time.Time // until when the latest token is
	for ctx.Err() == nil {
		waits := src.Stats().Waits
		tok, err := src.Token()
		waited := src.Stats().Waits > waits && time.Now().Before(usable)
		if !assert.NoError(t, err) {
			return
		}
		l.mu.Lock()
		l.tokens[i] = tok.AccessToken
		if waited {
			l.waits++
		}
		l.mu.Unlock()
		usable = tok.Expiry.Add(-outageUnused)
		time.Sleep(20 * time.Millisecond)
	}
}

// distinct is how many tokens the sources have, 0 if one of them has none yet.
func (l *load) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	tokens := map[string]bool{}
	for _, token := range l.tokens {
		if token == "" {
			return 0
		}
		tokens[token] = true
	}
	return len(tokens)
}

// outage plays an outage of PostgreSQL that lasts beyond the life of a token.
func outage(t *testing.T, server *server, begin, end func()) {
	t.Parallel()
	srv := newService(t)
	srv.SetLifetime(outageLifetime)
	conf := srv.Config()
	conf.Store = pgstore.New(open(t, server.url("postgres")))
	ctx, cancel := context.WithCancel(t.Context())
	var l load
	var running sync.WaitGroup
	for i := range outageSources {
		running.Go(func() { l.ask(ctx, t, conf.Source(ctx), i) })
	}
	defer running.Wait()
	defer cancel()
	have := func(tokens int) {
		t.Helper()
		require.Eventually(t, func() bool { return l.distinct() == tokens }, 2*time.Minute, 50*time.Millisecond)
	}
	have(1)
	begin()
	have(outageSources)
	end()
	have(1)
	cancel()
	running.Wait()
	t.Logf("%+v", srv.Counters())
	assert.Zero(t, l.waits, "requests that waited although they had a usable token")
}

func TestOutageServerStopped(t *testing.T) {
	server := newServer(t)
	outage(t, server, server.kill, func() { server.restart(t) })
}

func TestOutageServerHangs(t *testing.T) {
	server := newServer(t)
	outage(t, server, func() { server.freeze(t) }, server.thaw)
}
