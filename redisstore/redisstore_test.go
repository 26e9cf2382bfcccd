package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var _ apivideo.Store = (*redisstore.Store)(nil)

// The names that a Store gives to what it keeps under key.
const (
	key       = "00ff"
	valueName = "apivideo:{00ff}"
	lockName  = "apivideo:{00ff}:lock"
)

// returns is an fn of Update.
func returns(value []byte, err error) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return value, err }
}

func TestAValueGoesAfter24HoursWithoutARenewal(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	for range 2 {
		require.NoError(t, store.Update(t.Context(), key, returns([]byte("value"), nil)))
		ttl := client.PTTL(t.Context(), valueName).Val()
		assert.LessOrEqual(t, ttl, 24*time.Hour)
		assert.Greater(t, ttl, 24*time.Hour-time.Minute)
		require.NoError(t, client.Expire(t.Context(), valueName, time.Hour).Err())
	}
}

func TestAnEmptyValueIsAValue(t *testing.T) {
	store := redisstore.New(newRedis(t).client(t))
	require.NoError(t, store.Update(t.Context(), key, returns([]byte{}, nil)))
	value, err := store.Load(t.Context(), key)
	require.NoError(t, err)
	assert.NotNil(t, value)
	assert.NoError(t, store.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, error) {
		assert.NotNil(t, old)
		return nil, nil
	}))
}

func TestWithoutAClientEveryCallIsAnError(t *testing.T) {
	var none *redis.Client
	for _, store := range []*redisstore.Store{redisstore.New(nil), redisstore.New(none), {}} {
		_, err := store.Load(t.Context(), key)
		assert.ErrorContains(t, err, "no Redis client")
		assert.ErrorContains(t, store.Update(t.Context(), key, returns(nil, nil)), "no Redis client")
	}
}

// However many read at once, a value that was stored before is found.
func TestLoadFindsWhatWasStoredBefore(t *testing.T) {
	store := redisstore.New(newRedis(t).client(t))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for ctx.Err() == nil {
				store.Load(ctx, key)
			}
		})
	}
	for i := range 100 {
		value := []byte{byte(i)}
		require.NoError(t, store.Update(t.Context(), key, returns(value, nil)))
		found, err := store.Load(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, value, found)
		found[0]++ // which nobody else sees
	}
	stop()
	readers.Wait()
}

func TestAThousandLoadsAtOnceAreFewReads(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	together(1000, func(int) {
		value, err := store.Load(t.Context(), key)
		assert.NoError(t, err)
		assert.Nil(t, value)
	})
	stats := client.Info(t.Context(), "commandstats").Val()
	_, after, _ := strings.Cut(stats, "cmdstat_get:calls=")
	calls, _, _ := strings.Cut(after, ",")
	reads, err := strconv.Atoi(calls)
	require.NoError(t, err, stats)
	t.Log(reads, "reads")
	assert.Less(t, reads, 500)
}

func TestARedisThatIsDownIsAnError(t *testing.T) {
	server := newRedis(t)
	store := redisstore.New(server.client(t))
	server.kill()
	_, err := store.Load(t.Context(), key)
	assert.ErrorContains(t, err, "redisstore: reading the value: ")
	err = store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called without a lock")
		return nil, nil
	})
	assert.ErrorContains(t, err, "redisstore: locking: ")
}

func TestAFailureToStoreIsAnError(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	err := store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		return []byte("value"), client.ConfigSet(t.Context(), "maxmemory", "1").Err() // refuses every write
	})
	assert.ErrorContains(t, err, "redisstore: storing the value: ")
}

func TestAValueOfAnotherTypeIsAnError(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	require.NoError(t, client.LPush(t.Context(), valueName, "another program's").Err())
	_, err := store.Load(t.Context(), key)
	assert.ErrorContains(t, err, "reading the value: WRONGTYPE")
	assert.ErrorContains(t, store.Update(t.Context(), key, returns(nil, nil)), "reading the value: ")
	assert.Zero(t, client.Exists(t.Context(), lockName).Val())
}

func TestTheLockIsReleasedWhateverHappened(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	failure := errors.New("made up")
	for name, fn := range map[string]func(leave func()) ([]byte, error){
		"stores":          func(func()) ([]byte, error) { return []byte("value"), nil },
		"leaves":          func(func()) ([]byte, error) { return nil, nil },
		"fails":           func(func()) ([]byte, error) { return []byte("another"), failure },
		"panics":          func(func()) ([]byte, error) { panic("made up") },
		"ends":            func(func()) ([]byte, error) { runtime.Goexit(); return nil, nil },
		"its caller left": func(leave func()) ([]byte, error) { leave(); return nil, failure },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { recover() }()
				err := store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
					assert.EqualValues(t, 1, client.Exists(t.Context(), lockName).Val())
					return fn(leave)
				})
				if err != nil {
					assert.Same(t, failure, err)
				}
			}()
			<-done
			assert.Zero(t, client.Exists(t.Context(), lockName).Val())
		})
	}
	assert.Equal(t, "value", client.Get(t.Context(), valueName).Val())
}

// It may be a token whose refresh token is spent by now.
func TestWhatFnReturnsIsStoredThoughItsCallerLeft(t *testing.T) {
	store := redisstore.New(newRedis(t).client(t))
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, store.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, error) {
		cancel()
		assert.Equal(t, context.Canceled, context.Cause(ctx))
		return []byte("value"), nil
	}))
	value, err := store.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
}

func TestUpdateLeavesNoGoroutineBehind(t *testing.T) {
	store := redisstore.New(newRedis(t).client(t))
	busy := func() bool { // with a lock, or with what is local
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("redisstore.(*lo"))
	}
	require.Eventually(t, func() bool { return !busy() }, 10*time.Second, 10*time.Millisecond, "of the tests before")
	for range 20 {
		require.NoError(t, store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			assert.Eventually(t, busy, 10*time.Second, time.Millisecond)
			return []byte("value"), nil
		}))
		assert.False(t, busy())
	}
}

func TestAStoreDoesWhatEveryStoreMust(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	storetest.TestStore(t, func() apivideo.Store { return redisstore.New(server.client(t)) })
}
