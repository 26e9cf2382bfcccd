//go:build unix

package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Redis that hangs cannot say that the lease has run out; the holder's own
// clock does.
func TestALockThatCannotBeExtendedIsLostWhenItsLeaseRunsOut(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"patient client": true, "impatient client": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedis(t)
			options := redis.Options{Addr: server.addr}
			if !patient {
				options.ReadTimeout, options.ContextTimeoutEnabled = 500*time.Millisecond, true
			}
			client := redis.NewClient(&options)
			defer client.Close()
			var lost time.Time
			err := redisstore.New(client).Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
				server.freeze()
				start := time.Now()
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
				}
				assert.ErrorContains(t, context.Cause(ctx), "the lock was lost")
				lost = time.Now()
				assert.LessOrEqual(t, lost.Sub(start), 4500*time.Millisecond)
				assert.GreaterOrEqual(t, lost.Sub(start), 3*time.Second)
				if patient {
					server.thaw()
				}
				return []byte("value"), nil
			})
			assert.ErrorContains(t, err, "the lock was lost")
			if !patient {
				assert.LessOrEqual(t, time.Since(lost), 3*time.Second)
			}
			server.thaw()
			assert.Zero(t, server.client(t).Exists(t.Context(), valueName).Val())
		})
	}
}

// Three extensions in a row may fail.
func TestALockOutlivesARedisThatHangsBriefly(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.addr, ReadTimeout: 500 * time.Millisecond, ContextTimeoutEnabled: true})
	defer client.Close()
	assert.NoError(t, redisstore.New(client).Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
		for range 2 {
			server.freeze()
			time.Sleep(2 * time.Second)
			server.thaw()
			time.Sleep(1500 * time.Millisecond)
		}
		return []byte("value"), ctx.Err()
	}))
}

func TestCallsEndWithTheirContextsWhileRedisHangs(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.addr, ReadTimeout: time.Second, ContextTimeoutEnabled: true})
	defer client.Close()
	patient := server.client(t)
	store, impatient := redisstore.New(patient), redisstore.New(client)
	require.NoError(t, patient.Ping(t.Context()).Err())
	server.freeze()
	defer server.thaw()
	for range 10 { // more than the reads at a time
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		_, err := store.Load(ctx, key)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.LessOrEqual(t, time.Since(start), 600*time.Millisecond)
		assert.Error(t, impatient.Update(ctx, key, returns(nil, nil)))
		assert.LessOrEqual(t, time.Since(start), 1200*time.Millisecond)
		cancel()
	}
}
