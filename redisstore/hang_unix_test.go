//go:build unix

package redisstore_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
)

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

func TestSourcesServeWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.freeze, server.thaw)
}
