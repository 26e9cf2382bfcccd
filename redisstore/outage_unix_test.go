//go:build unix

package redisstore_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// untilLost waits in an fn until its lock is lost.
func untilLost(ctx context.Context, t *testing.T) {
	select {
	case <-ctx.Done():
	case <-time.After(patience):
	}
	assert.ErrorContains(t, context.Cause(ctx), "the lock was lost")
}

func TestLockOfAnotherIsRespected(t *testing.T) {
	t.Parallel()
	client := newRedis(t).client(t)
	require.NoError(t, client.Set(t.Context(), lockName, "another's", time.Hour).Err())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := redisstore.New(client).Update(ctx, key, never(t))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, "another's", client.Get(t.Context(), lockName).Val())
}

func TestLockLostEndsFnAndStoresNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(context.Context, *redis.Client) error{
		"expired": func(ctx context.Context, client *redis.Client) error { return client.Del(ctx, lockName).Err() },
		"another's": func(ctx context.Context, c *redis.Client) error {
			return c.Set(ctx, lockName, "another's", time.Hour).Err()
		},
		"a list": func(ctx context.Context, client *redis.Client) error {
			client.Del(ctx, lockName)
			return client.LPush(ctx, lockName, "another's").Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newRedis(t).client(t)
			store := redisstore.New(client)
			require.NoError(t, store.Update(t.Context(), key, returns([]byte("old"), nil)))
			for _, wait := range []func(context.Context, *testing.T){untilLost, func(context.Context, *testing.T) {}} {
				err := store.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
					assert.NoError(t, lose(ctx, client))
					wait(ctx, t) // or only the write finds out
					return []byte("new"), nil
				})
				assert.ErrorContains(t, err, "the lock was lost")
				assert.Equal(t, "old", client.Get(t.Context(), valueName).Val())
				kept := client.Exists(t.Context(), lockName).Val() == 1
				assert.Equal(t, name != "expired", kept, "it releases no lock of another")
				require.NoError(t, client.Del(t.Context(), lockName).Err())
			}
		})
	}
}

// freeze stops the server: it keeps its connections and answers none.
func (s *redisServer) freeze() { s.process.Signal(syscall.SIGSTOP) }

// thaw lets a frozen server continue.
func (s *redisServer) thaw() { s.process.Signal(syscall.SIGCONT) }

// impatient returns a client as the package documentation recommends it.
func (s *redisServer) impatient(t *testing.T) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr, ReadTimeout: 500 * time.Millisecond, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	return client
}

// A Redis that hangs cannot say that the lease has expired. The holder's own
// clock does.
func TestLockIsLostWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	for _, client := range []*redis.Client{server.client(t), server.impatient(t)} {
		err := redisstore.New(client).Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
			server.freeze()
			untilLost(ctx, t)
			server.thaw()
			return []byte("value"), nil
		})
		assert.ErrorContains(t, err, "the lock was lost")
		assert.Zero(t, server.client(t).Exists(t.Context(), valueName).Val())
	}
}

// One extension fails meanwhile.
func TestLockOutlivesBriefHang(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	assert.NoError(t, redisstore.New(server.impatient(t)).Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
		server.freeze()
		time.Sleep(1500 * time.Millisecond)
		server.thaw()
		time.Sleep(4 * time.Second) // a lease
		return []byte("value"), context.Cause(ctx)
	}))
}

// The server answers only after all calls have returned.
func TestStoreCallsEndWithContextsWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	endless := redis.NewClient(&redis.Options{Addr: server.addr, ReadTimeout: -1})
	defer endless.Close()
	store, impatient := redisstore.New(endless), redisstore.New(server.impatient(t))
	server.freeze()
	for range 10 { // more than the reads at a time
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := store.Load(ctx, key)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Error(t, impatient.Update(ctx, key, returns(nil, nil)))
		cancel()
	}
	server.thaw()
}

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

func TestSourcesServeWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.freeze, server.thaw)
}

func TestSourcesServeWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.kill, func() { // another program may have the port for a while
		require.Eventually(t, func() bool { return server.start() == nil }, patience, 100*time.Millisecond)
	})
}
