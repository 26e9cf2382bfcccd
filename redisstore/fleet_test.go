package redisstore_test

import (
	"context"
	"io"
	"net/http"
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

// coldStart gets a token from each of n new sources at once. It returns how
// many tokens they have, and how long the last one took.
func coldStart(t *testing.T, conf *apivideo.Config, n int) (tokens int, took time.Duration) {
	t.Helper()
	var mu sync.Mutex
	all := map[string]bool{}
	start := time.Now()
	together(n, func(int) {
		tok, err := conf.Source(t.Context()).Token()
		if assert.NoError(t, err) {
			mu.Lock()
			defer mu.Unlock()
			all[tok.AccessToken] = true
		}
	})
	return len(all), time.Since(start)
}

// mustShare is coldStart for sources that must all have the same token.
func mustShare(t *testing.T, conf *apivideo.Config, n int) (took time.Duration) {
	t.Helper()
	tokens, took := coldStart(t, conf, n)
	assert.Equal(t, 1, tokens)
	return took
}

// With the race detector there are fewer of them, for each has a second to read
// the store and all of them need the processor. A machine that is busy with
// something else gets three tries.
func TestAThousandColdSourcesAreServedWithinASecondByOneExchange(t *testing.T) {
	sources, limit := 1000, time.Second
	if raced {
		sources, limit = 300, 5*time.Second
	}
	client := newRedis(t).client(t)
	for range 3 {
		srv := newService(t)
		srv.SetAuthLatency(200 * time.Millisecond)
		tokens, took := coldStart(t, sharing(srv, client), sources)
		t.Logf("%d sources have %d tokens, all served after %v", sources, tokens, took)
		if srv.Counters() == oneExchange && tokens == 1 && took <= limit {
			return
		}
	}
	t.Error("too slow, or more than one exchange")
}

func TestAHundredProcessesThatStartTogetherMakeOneExchange(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	srv.SetAuthLatency(200 * time.Millisecond)
	children := startChildren(t, 100, "token", srv, redis)
	start := time.Now()
	for _, c := range children {
		c.begin()
	}
	tokens := map[string]int{}
	for _, c := range children {
		r := c.report()
		require.Empty(t, r.Error)
		tokens[r.Token]++
	}
	t.Log("all served after", time.Since(start))
	assert.Equal(t, 1, len(tokens), "tokens")
	assert.Equal(t, oneExchange, srv.Counters())
}

func TestAHundredColdSourcesWaitForASlowExchange(t *testing.T) {
	t.Parallel()
	srv := newService(t)
	srv.SetAuthLatency(8 * time.Second)
	took := mustShare(t, sharing(srv, newRedis(t).client(t)), 100)
	t.Log("all served after", took)
	assert.Equal(t, oneExchange, srv.Counters())
	assert.LessOrEqual(t, took, 10*time.Second)
}

func TestAProcessThatIsKilledInItsExchangeHoldsUpTheOthersForALease(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	children := startChildren(t, 10, "token", srv, redis)
	t.Parallel() // now that they have started
	srv.SetAuthLatency(10 * time.Second)
	children[0].begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, 5*time.Second, time.Millisecond)
	srv.SetAuthLatency(500 * time.Millisecond) // of later calls
	for _, c := range children[1:] {
		c.begin()
	}
	time.Sleep(1500 * time.Millisecond) // the lease has been extended
	require.NoError(t, children[0].command.Process.Kill())
	killed := time.Now()
	for _, c := range children[1:] {
		r := c.report()
		assert.Empty(t, r.Error)
		assert.True(t, srv.Valid(r.Token))
	}
	took := time.Since(killed)
	t.Log("all served after", took)
	assert.LessOrEqual(t, took, 6*time.Second)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters(), "the first was broken off")
}

func TestAFleetRenewsItsTokenWithOneCallEachTime(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	children := startChildren(t, 20, "serve", srv, redis)
	t.Parallel() // now that they have started
	srv.SetLifetime(8 * time.Second)
	srv.SetAuthLatency(50 * time.Millisecond)
	for _, c := range children {
		c.begin()
	}
	for refreshed := range 4 {
		require.Eventually(t, func() bool { return srv.Counters().AuthCalls > refreshed }, 10*time.Second, 10*time.Millisecond)
		time.Sleep(2 * time.Second) // by then each process has renewed, or adopted
		seen := srv.Counters()
		assert.Equal(t, refreshed+1, seen.AuthCalls)
		assert.Equal(t, refreshed, seen.Refreshed)
		assert.Zero(t, seen.Unauthorized)
	}
	srv.RevokeAccessTokens()
	time.Sleep(2 * time.Second)
	seen := srv.Counters()
	assert.Equal(t, 5, seen.AuthCalls)
	assert.Equal(t, 4, seen.Refreshed)
	assert.NotZero(t, seen.Unauthorized)
	for _, c := range children {
		r := c.report()
		assert.Empty(t, r.Error)
		assert.Greater(t, r.Requests, 100)
		t.Log(r.Requests, "requests, the slowest took", r.Slowest)
	}
}

// held returns all that Redis holds: names and values.
func held(t *testing.T, client *redis.Client) (all []string) {
	t.Helper()
	names, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, name := range names {
		value, err := client.Get(t.Context(), name).Result()
		require.NoError(t, err)
		all = append(all, name, value)
	}
	return all
}

func TestWhatRedisHoldsTellsNothing(t *testing.T) {
	srv, client := newService(t), newRedis(t).client(t)
	srv.SetAuthLatency(300 * time.Millisecond)
	conf := sharing(srv, client)
	src := conf.Source(t.Context())
	first, err := src.Token()
	require.NoError(t, err)
	renewed := make(chan struct{})
	go func() {
		src.Renew(context.WithoutCancel(t.Context()))
		close(renewed)
	}()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 2 }, 5*time.Second, time.Millisecond)
	all := held(t, client)
	assert.Len(t, all, 4, "the value and the lock")
	<-renewed
	second, err := src.Token()
	require.NoError(t, err)
	all = append(all, held(t, client)...)
	assert.Len(t, all, 6, "the lock is gone")

	const part = 8 // bytes in a row
	shown := map[string]bool{}
	for _, text := range all {
		for i := range len(text) - part + 1 {
			shown[text[i:i+part]] = true
		}
	}
	for _, secret := range []string{conf.APIKey, first.AccessToken, first.RefreshToken, second.AccessToken, second.RefreshToken} {
		for i := range len(secret) - part + 1 {
			assert.False(t, shown[secret[i:i+part]], "part of a secret")
		}
	}
}

func TestAFlippedBitCostsOneAuthCallAndNothingElse(t *testing.T) {
	srv, client := newService(t), newRedis(t).client(t)
	conf := sharing(srv, client)
	mustShare(t, conf, 1)
	name := client.Keys(t.Context(), "*").Val()[0]
	for i, place := range []float64{0, 0.01, 0.5, 1} { // of the value, whose length varies a little
		value, err := client.Get(t.Context(), name).Bytes()
		require.NoError(t, err)
		value[int(place*float64(len(value)-1))] ^= 1 << i
		require.NoError(t, client.Set(t.Context(), name, value, 0).Err())
		mustShare(t, conf, 50)
		mustShare(t, conf, 50)
		assert.Equal(t, i+2, srv.Counters().AuthCalls, "at %v of the value", place)
	}
	assert.Zero(t, srv.Counters().Refused)
}
