package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In the process of the test, since the built program has no virtual time.
func TestTokenDueForRenewalIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		conf := srv.Config()
		conf.Store = filestore.New(dir)
		ctx := srv.Context(t.Context())
		first, err := new(options).token(ctx, conf, "")
		require.NoError(t, err)
		time.Sleep(50 * time.Minute) // renewal ahead of expiry begins after 48 at the latest
		second, err := new(options).token(ctx, conf, "")
		require.NoError(t, err)
		assert.Equal(t, first.AccessToken, second.AccessToken)
		synctest.Wait()
		assert.Equal(t, 1, srv.Counters().AuthCalls, "a renewal that nobody waits for would be lost with the process")

		time.Sleep(10 * time.Minute)
		third, err := new(options).token(ctx, conf, "")
		require.NoError(t, err)
		assert.NotEqual(t, first.AccessToken, third.AccessToken, "an expired token is of no use")
	})
}

// An auth call takes 5 ms.
func TestRefreshFiftyRunsShareTokens(t *testing.T) {
	for name, c := range map[string]struct {
		age, every time.Duration // of the cached token, and from run to run
		calls      int
	}{
		"at once":               {time.Minute, 10 * time.Millisecond, 2},
		"on a busy machine":     {time.Minute, 80 * time.Millisecond, 3},
		"when the token is new": {0, 10 * time.Millisecond, 1},
		"without a token":       {time.Hour, 10 * time.Millisecond, 2},
		"one a second":          {time.Minute, time.Second, 26},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := apivideotest.NewUnstartedServer()
				srv.SetAuthLatency(5 * time.Millisecond)
				conf := srv.Config()
				conf.Store = memstore.New()
				ctx := srv.Context(t.Context())
				refused, err := new(options).token(ctx, conf, "")
				require.NoError(t, err)
				time.Sleep(c.age)
				var wg sync.WaitGroup
				for range 50 {
					time.Sleep(c.every)
					wg.Go(func() {
						o := &options{began: time.Now(), refresh: true}
						tok, err := o.token(ctx, conf, "")
						if assert.NoError(t, err) {
							assert.NotEqual(t, refused.AccessToken, tok.AccessToken)
							assert.True(t, issued(tok).After(o.began))
							assert.Less(t, time.Since(o.began), 3*time.Second)
						}
					})
				}
				wg.Wait()
				assert.LessOrEqual(t, srv.Counters().AuthCalls, 1+c.calls)
			})
		})
	}
}

func TestRefreshWaitsLessThanTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		conf := srv.Config()
		conf.Store = memstore.New()
		ctx, cancel := context.WithTimeout(srv.Context(t.Context()), time.Second)
		defer cancel()
		first, err := new(options).token(ctx, conf, "")
		require.NoError(t, err)
		o := &options{began: time.Now(), refresh: true}
		second, err := o.token(ctx, conf, "")
		require.NoError(t, err)
		assert.NotEqual(t, first.AccessToken, second.AccessToken)
	})
}
