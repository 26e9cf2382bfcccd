package redisstore_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oneExchange is what the service sees of a fleet that starts.
var oneExchange = apivideotest.Counters{AuthCalls: 1, Authenticated: 1}

// newService starts a stand-in for the service that has GET /videos.
func newService(t *testing.T) *apivideotest.Server {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"data":[]}`) })
	return srv
}

// sharing is a Config for the account of srv over the Redis of client.
func sharing(srv *apivideotest.Server, client redis.UniversalClient) *apivideo.Config {
	conf := srv.Config()
	conf.Store = redisstore.New(client)
	return conf
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// coldStart gets a token from each of n new sources at once, and returns how
// many different ones they have.
func coldStart(t *testing.T, conf *apivideo.Config, n int) int {
	t.Helper()
	var tokens sync.Map
	start := time.Now()
	together(n, func(int) {
		tok, err := conf.Source(t.Context()).Token()
		if assert.NoError(t, err) {
			tokens.Store(tok.AccessToken, true)
		}
	})
	t.Log(n, "sources served after", time.Since(start))
	different := 0
	tokens.Range(func(any, any) bool { different++; return true })
	return different
}

func TestFleetWaitsForExchangeLongerThanLease(t *testing.T) {
	t.Parallel()
	srv := newService(t)
	srv.SetAuthLatency(5 * time.Second)
	assert.Equal(t, 1, coldStart(t, sharing(srv, newRedis(t).client(t)), 100))
	assert.Equal(t, oneExchange, srv.Counters())
}

func TestFleetHundredProcessesMakeOneExchange(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	srv.SetAuthLatency(200 * time.Millisecond)
	processes := 100
	if raced {
		processes = 25
	}
	children := startChildren(t, processes, "token", srv, redis)
	for _, c := range children {
		c.begin()
	}
	tokens := map[string]int{}
	for _, c := range children {
		r := c.report()
		require.Empty(t, r.Error)
		tokens[r.Token]++
	}
	assert.Len(t, tokens, 1)
	assert.Equal(t, oneExchange, srv.Counters())
}

// After a lease the others share one exchange. Without the lock's end, each would
// make its own.
func TestFleetSurvivesKilledHolder(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	children := startChildren(t, 10, "token", srv, redis)
	t.Parallel() // now that they have started
	srv.SetAuthLatency(time.Hour)
	children[0].begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, patience, time.Millisecond)
	srv.SetAuthLatency(500 * time.Millisecond) // of later calls
	for _, c := range children[1:] {
		c.begin()
	}
	require.NoError(t, children[0].Process.Kill())
	for _, c := range children[1:] {
		r := c.report()
		assert.Empty(t, r.Error)
		assert.True(t, srv.Valid(r.Token))
	}
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters(), "the first was broken off")
}

// A token of 8 seconds is renewed after 6 seconds or later. More than one call
// each time would make the calls come faster.
func TestFleetRenewsWithOneCallEachTime(t *testing.T) {
	const renewals, earliest = 3, 6 * time.Second
	srv, redis := newService(t), newRedis(t)
	children := startChildren(t, 20, "serve", srv, redis)
	t.Parallel() // now that they have started
	srv.SetLifetime(8 * time.Second)
	srv.SetAuthLatency(50 * time.Millisecond)
	start := time.Now()
	for _, c := range children {
		c.begin()
	}
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls > renewals }, patience, time.Millisecond)
	assert.GreaterOrEqual(t, time.Since(start), renewals*earliest)
	assert.Zero(t, srv.Counters().Unauthorized)

	// Each process needs a token that was issued after its own 401. They
	// share most of these.
	srv.SetLifetime(time.Hour)
	srv.RevokeAccessTokens()
	before := srv.Counters()
	require.Eventually(t, func() bool { return srv.Counters().Authorized >= before.Authorized+100 }, patience, time.Millisecond)
	for _, c := range children {
		assert.Empty(t, c.report().Error)
	}
	assert.NotZero(t, srv.Counters().Unauthorized)
	assert.LessOrEqual(t, srv.Counters().AuthCalls-before.AuthCalls, 3)
}

// held returns all names and values in Redis, and how many there are.
func held(t *testing.T, client *redis.Client) (text string, n int) {
	t.Helper()
	names, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, name := range names {
		text += name + "\n" + client.Get(t.Context(), name).Val() + "\n"
	}
	return text, len(names)
}

func TestRedisHoldsNoSecret(t *testing.T) {
	srv, client := newService(t), newRedis(t).client(t)
	conf := sharing(srv, client)
	src := conf.Source(t.Context())
	first, err := src.Token()
	require.NoError(t, err)
	srv.SetAuthLatency(300 * time.Millisecond)
	var renewal sync.WaitGroup
	renewal.Go(func() { src.Renew(context.WithoutCancel(t.Context())) })
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 2 }, patience, time.Millisecond)
	text, n := held(t, client)
	assert.Equal(t, 2, n, "the value and the lock")
	renewal.Wait()
	second, err := src.Token()
	require.NoError(t, err)
	after, n := held(t, client)
	assert.Equal(t, 1, n, "the lock is gone")
	text += after

	const part = 20 // bytes in a row; fewer may occur by chance
	for _, secret := range []string{conf.APIKey, first.AccessToken, first.RefreshToken, second.AccessToken, second.RefreshToken} {
		require.GreaterOrEqual(t, len(secret), part)
		for i := range len(secret) - part + 1 {
			assert.False(t, strings.Contains(text, secret[i:i+part]), "part of a secret")
		}
	}
}

func TestFlippedBitCostsOneAuthCall(t *testing.T) {
	srv, client := newService(t), newRedis(t).client(t)
	conf := sharing(srv, client)
	assert.Equal(t, 1, coldStart(t, conf, 1))
	name := client.Keys(t.Context(), "*").Val()[0]
	require.NoError(t, client.SetBit(t.Context(), name, 1000, 1-int(client.GetBit(t.Context(), name, 1000).Val())).Err())
	assert.Equal(t, 1, coldStart(t, conf, 50))
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 2}, srv.Counters())
}
