package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
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

// The names of what a Store keeps under key.
const (
	key       = "00ff"
	valueName = "apivideo:{00ff}"
	lockName  = "apivideo:{00ff}:lock"
)

// patience is how long a test waits for what should take a moment. Machines that
// run tests are busy.
const patience = time.Minute

// returns is an fn of Update.
func returns(value []byte, err error) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return value, err }
}

// never is a function for Update that must not be called.
func never(t *testing.T) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called")
		return nil, nil
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	storetest.TestStore(t, func() apivideo.Store { return redisstore.New(server.client(t)) })
}

func TestValueExpiresAfter24Hours(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	for range 2 {
		require.NoError(t, store.Update(t.Context(), key, returns([]byte("value"), nil)))
		ttl := client.PTTL(t.Context(), valueName).Val()
		assert.LessOrEqual(t, ttl, 24*time.Hour)
		assert.Greater(t, ttl, 24*time.Hour-10*time.Minute)
		require.NoError(t, client.Expire(t.Context(), valueName, time.Hour).Err())
	}
}

// Other programs may leave anything in the place of a value or a lock.
func TestForeignKeysAreOverwritten(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	for kind, put := range map[string]func(name string) error{
		"100 MiB":         func(name string) error { return client.SetRange(t.Context(), name, 100<<20, "x").Err() },
		"a byte too long": func(name string) error { return client.SetRange(t.Context(), name, 64<<10, "x").Err() },
		"empty":           func(name string) error { return client.Set(t.Context(), name, "", 0).Err() },
		"list":            func(name string) error { return client.LPush(t.Context(), name, "x").Err() },
		"hash":            func(name string) error { return client.HSet(t.Context(), name, "x", "x").Err() },
	} {
		require.NoError(t, client.FlushAll(t.Context()).Err())
		require.NoError(t, errors.Join(put(valueName), put(lockName)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		value, err := store.Load(t.Context(), key)
		assert.NoError(t, err, kind)
		assert.Nil(t, value, kind)
		assert.NoError(t, store.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, error) {
			assert.Nil(t, old, kind)
			return []byte("value"), nil
		}), kind)
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10<<20), kind)
		value, err = store.Load(t.Context(), key)
		assert.NoError(t, err, kind)
		assert.Equal(t, "value", string(value), kind)
		assert.Zero(t, client.Exists(t.Context(), lockName).Val(), kind)
	}
}

func TestStoreWithoutClientFails(t *testing.T) {
	var none *redis.Client
	for _, store := range []*redisstore.Store{redisstore.New(nil), redisstore.New(none), {}, nil} {
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

// Most loads join a read that has not begun. The server pauses until they do.
func TestLoadThousandAtOnceAreFewReads(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	require.NoError(t, client.Do(t.Context(), "CLIENT", "PAUSE", 1000).Err())
	together(1000, func(int) {
		value, err := store.Load(t.Context(), key)
		assert.NoError(t, err)
		assert.Nil(t, value)
	})
	stats := client.Info(t.Context(), "commandstats").Val()
	calls := regexp.MustCompile(`cmdstat_getrange:calls=(\d+)`).FindStringSubmatch(stats)
	require.NotNil(t, calls, stats)
	reads, err := strconv.Atoi(calls[1])
	require.NoError(t, err)
	assert.Less(t, reads, 500)
}

func TestStoreErrors(t *testing.T) {
	server := newRedis(t)
	client := server.client(t)
	store := redisstore.New(client)
	err := store.Update(t.Context(), key, returns(make([]byte, 64<<10+1), nil))
	assert.ErrorContains(t, err, "redisstore: a value of 65537 bytes is too long")
	err = store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		return []byte("value"), client.ConfigSet(t.Context(), "maxmemory", "1").Err() // refuses every write
	})
	assert.ErrorContains(t, err, "redisstore: storing the value: ")
	server.kill()
	_, err = store.Load(t.Context(), key)
	assert.ErrorContains(t, err, "redisstore: reading the value: ")
	err = store.Update(t.Context(), key, never(t))
	assert.ErrorContains(t, err, "redisstore: locking: ")
}

func TestUpdateAlwaysReleasesTheLock(t *testing.T) {
	client := newRedis(t).client(t)
	store := redisstore.New(client)
	failure := errors.New("made up")
	for name, fn := range map[string]func(leave func()) ([]byte, error){
		"fails":           func(func()) ([]byte, error) { return []byte("another"), failure },
		"panics":          func(func()) ([]byte, error) { panic("made up") },
		"ends":            func(func()) ([]byte, error) { runtime.Goexit(); return nil, nil },
		"its caller left": func(leave func()) ([]byte, error) { leave(); return nil, failure },
		"stores and left": func(leave func()) ([]byte, error) { leave(); return []byte("value"), nil },
	} {
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { recover() }()
			err := store.Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
				assert.EqualValues(t, 1, client.Exists(t.Context(), lockName).Val(), name)
				return fn(leave)
			})
			if err != nil {
				assert.Same(t, failure, err, name)
			}
		}()
		<-done
		leave()
		assert.Zero(t, client.Exists(t.Context(), lockName).Val(), name)
		stored := client.GetDel(t.Context(), valueName).Val()
		assert.Equal(t, strings.HasPrefix(name, "stores"), stored == "value", name)
	}
}

func TestUpdateLeavesNoGoroutine(t *testing.T) {
	store := redisstore.New(newRedis(t).client(t))
	busy := func() bool { // with a lock, or with what is local
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("redisstore.(*lo"))
	}
	require.Eventually(t, func() bool { return !busy() }, patience, 10*time.Millisecond, "of the tests before")
	for range 20 {
		require.NoError(t, store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			assert.Eventually(t, busy, patience, time.Millisecond)
			return []byte("value"), nil
		}))
		assert.False(t, busy())
	}
}
