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

func TestTheLockIsKeptForAsLongAsFnTakes(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	store, other := redisstore.New(server.client(t)), redisstore.New(server.client(t))
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, store.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
			close(began)
			select {
			case <-time.After(6 * time.Second):
			case <-ctx.Done():
				t.Error(context.Cause(ctx))
			}
			return []byte("first"), nil
		}))
	}()
	<-began
	start := time.Now()
	assert.NoError(t, other.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, error) {
		assert.Equal(t, "first", string(old))
		assert.GreaterOrEqual(t, time.Since(start), 5900*time.Millisecond)
		return nil, nil
	}))
	<-done
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	t.Parallel()
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	require.NoError(t, client.Set(t.Context(), lockName, "another's", time.Minute).Err())
	never := func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called without a lock")
		return nil, nil
	}
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	start := time.Now()
	assert.ErrorIs(t, store.Update(short, key, never), context.DeadlineExceeded)
	assert.ErrorIs(t, store.Update(short, key, never), context.DeadlineExceeded, "it had ended before")
	canceled, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Second, cancel) // longer than a lease
	assert.ErrorIs(t, store.Update(canceled, key, never), context.Canceled)
	assert.InDelta(t, 5.3, time.Since(start).Seconds(), 0.3)
	assert.Equal(t, "another's", client.Get(t.Context(), lockName).Val())
}

func TestALockThatIsLostEndsFnAndStoresNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(context.Context, *redis.Client) error{
		"it expired": func(ctx context.Context, client *redis.Client) error {
			return client.Del(ctx, lockName).Err()
		},
		"another has it": func(ctx context.Context, client *redis.Client) error {
			return client.Set(ctx, lockName, "another's", time.Minute).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newRedis(t).client(t)
			store := redisstore.New(client)
			require.NoError(t, store.Update(t.Context(), key, returns([]byte("old"), nil)))

			err := store.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
				assert.NoError(t, lose(ctx, client))
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
				assert.ErrorContains(t, context.Cause(ctx), "the lock was lost")
				return []byte("new"), nil
			})
			assert.ErrorContains(t, err, "the lock was lost")
			assert.Equal(t, "old", client.Get(t.Context(), valueName).Val())

			// The same when it is lost so late that only the write finds out.
			require.NoError(t, client.Del(t.Context(), lockName).Err())
			err = store.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
				return []byte("new"), lose(ctx, client)
			})
			assert.ErrorContains(t, err, "the lock was lost")
			assert.Equal(t, "old", client.Get(t.Context(), valueName).Val())
			if name == "another has it" {
				assert.Equal(t, "another's", client.Get(t.Context(), lockName).Val(), "it is not released")
			}
		})
	}
}
