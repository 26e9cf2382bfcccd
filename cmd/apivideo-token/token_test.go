package main

import (
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

// One run begins every 10 ms, and an auth call takes 5.
func TestRefreshFiftyRunsShareTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.SetAuthLatency(5 * time.Millisecond)
		conf := srv.Config()
		conf.Store = memstore.New()
		ctx := srv.Context(t.Context())
		refused, err := new(options).token(ctx, conf, "")
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 50 {
			time.Sleep(10 * time.Millisecond)
			wg.Go(func() {
				o := &options{began: time.Now(), refresh: true}
				tok, err := o.token(ctx, conf, "")
				if assert.NoError(t, err) {
					assert.NotEqual(t, refused.AccessToken, tok.AccessToken)
					assert.True(t, issued(tok).After(o.began))
				}
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 1+3)
	})
}
