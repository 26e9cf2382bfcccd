package redisstore_test

import (
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outage plays an outage of Redis. The client waits for answers without a limit,
// so each step also shows that nothing waits for Redis: it lasts until all the
// steps are done.
func outage(t *testing.T, server *redisServer, begin, end func()) {
	const n = 20
	srv := newService(t)
	client := redis.NewClient(&redis.Options{Addr: server.addr, ReadTimeout: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	conf := sharing(srv, client)
	sources := make([]*apivideo.Source, n)
	for i := range sources {
		sources[i] = conf.Source(t.Context())
	}
	first := tokensOf(t, sources)
	require.Len(t, first, 1)

	begin()
	assert.Equal(t, first, tokensOf(t, sources))
	together(n, func(i int) {
		_, err := sources[i].Renew(t.Context())
		assert.NoError(t, err)
	})
	assert.Len(t, tokensOf(t, sources), n, "each has its own")
	assert.Equal(t, 5, coldStart(t, conf, 5))

	end()
	require.Eventually(t, func() bool { return coldStart(t, conf, n) == 1 }, patience, 50*time.Millisecond, "they share again")
}

// tokensOf are the access tokens of some sources, and how many have each.
func tokensOf(t *testing.T, sources []*apivideo.Source) map[string]int {
	tokens := map[string]int{}
	for _, src := range sources {
		tok, err := src.Token()
		require.NoError(t, err)
		tokens[tok.AccessToken]++
	}
	return tokens
}

func TestSourcesServeWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.kill, func() { assert.NoError(t, server.start()) })
}
