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
	err := redisstore.New(client).Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called without a lock")
		return nil, nil
	})
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
