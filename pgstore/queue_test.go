//go:build unix

package pgstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/leaktest"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tracer is called with each query before it is sent.
type tracer func(query string)

func (f tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	f(data.SQL)
	return ctx
}

func (f tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// traced returns a Store in a new database, which has an untraced pool too.
func traced(t *testing.T, f tracer) (*pgstore.Store, *sql.DB) {
	t.Helper()
	server, database := newDatabase(t)
	config, err := pgx.ParseConfig(server.url(database))
	require.NoError(t, err)
	config.Tracer = f
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { db.Close() })
	return pgstore.New(db), open(t, server.url(database))
}

func TestLoadManyAtOnceIsFewQueries(t *testing.T) {
	t.Parallel()
	var queries atomic.Int32
	s, _ := traced(t, func(string) { queries.Add(1) })
	store(t, s, "value")
	queries.Store(0)
	together(1000, func(int) {
		value, err := s.Load(t.Context(), key)
		assert.NoError(t, err)
		assert.Equal(t, "value", string(value))
		clear(value) // which nobody else sees
	})
	t.Log(queries.Load(), "queries")
	assert.Less(t, queries.Load(), int32(300))
	assert.Positive(t, queries.Load())
}

func TestLoadOfManyKeysIsFewConnections(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	db.SetMaxIdleConns(30)
	s := pgstore.New(db)
	together(30, func(i int) {
		_, err := s.Load(t.Context(), strings.Repeat("0", i))
		assert.NoError(t, err)
	})
	assert.LessOrEqual(t, db.Stats().OpenConnections, 8)
}

// A query that gets no answer does not delay the other accounts.
func TestLoadOfOneKeyDoesNotWaitForAnother(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s := pgstore.New(db)
	store(t, s, "value")
	tx, err := db.Begin()
	require.NoError(t, err)
	_, err = tx.Exec("LOCK apivideo_tokens") // every query waits for it
	require.NoError(t, err)
	var loading sync.WaitGroup
	for i, key := range []string{"00", "01"} {
		loading.Go(func() { s.Load(t.Context(), key) })
		assert.Eventually(t, func() bool {
			return i+1 == scan[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		}, 8*time.Second, 10*time.Millisecond)
	}
	tx.Rollback()
	loading.Wait()
}

// connector is of a driver that crashes when it connects.
type connector func()

func (c connector) Connect(context.Context) (driver.Conn, error) {
	c()
	return nil, driver.ErrBadConn
}

func (c connector) Driver() driver.Driver { return nil }

// Promise: Redisstore, pgstore: a client or driver that panics is an error.
func TestLoadWithDriverThatCrashes(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(){"panics": func() { panic("made-up") }, "ends the goroutine": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgstore.New(sql.OpenDB(connector(crash)))
			for range 3 {
				_, err := s.Load(t.Context(), key)
				assert.Error(t, err)
			}
		})
	}
}

func TestLockIsLostIfDriverCrashes(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s, _ := traced(t, func(string) {
		if broken.Load() {
			panic("made-up")
		}
	})
	store(t, s, "old")
	assert.ErrorContains(t, s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
		broken.Store(true)
		defer broken.Store(false)
		assert.Eventually(t, func() bool { return ctx.Err() != nil }, time.Minute, 10*time.Millisecond)
		return []byte("new"), nil
	}), "the lock was lost")
	expect(t, s, "old")
}

// However many load at once, a value that was stored before is found.
func TestLoadFindsWhatWasStoredBefore(t *testing.T) {
	t.Parallel()
	s := pgstore.New(newDB(t))
	ctx, stop := context.WithCancel(t.Context())
	loading := make(chan struct{})
	go func() {
		defer close(loading)
		together(8, func(int) {
			for ctx.Err() == nil {
				s.Load(ctx, key)
			}
		})
	}()
	for i := range 50 {
		want := []byte{byte(i)}
		require.NoError(t, s.Update(t.Context(), key, returns(want, nil)))
		value, err := s.Load(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, value)
	}
	stop()
	<-loading
}

func TestStoreLeavesNoGoroutineBehind(t *testing.T) { // not parallel: it looks at all goroutines
	s := pgstore.New(newDB(t))
	busy := func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return bytes.Contains(stacks, []byte("pgstore.(*lock)")) || bytes.Contains(stacks, []byte("pgstore.(*queue)"))
	}
	for range 10 {
		require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			assert.Eventually(t, busy, 10*time.Second, time.Millisecond)
			return []byte("value"), nil
		}))
		assert.False(t, busy())
	}
	canceled, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	s.Load(canceled, key)
	assert.Eventually(t, func() bool { return !busy() }, 10*time.Second, time.Millisecond)
	assert.Empty(t, leaktest.Goroutines())
}
