//go:build unix

package pgstore_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counter counts the queries of a connection.
type counter struct{ queries atomic.Int32 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.queries.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestLoadManyAtOnceIsFewQueries(t *testing.T) {
	t.Parallel()
	server, database := newDatabase(t)
	config, err := pgx.ParseConfig(server.url(database))
	require.NoError(t, err)
	var count counter
	config.Tracer = &count
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { db.Close() })
	s := pgstore.New(db)
	store(t, s, "value")
	count.queries.Store(0)
	together(1000, func(int) {
		value, err := s.Load(t.Context(), key)
		assert.NoError(t, err)
		assert.Equal(t, "value", string(value))
		clear(value) // which nobody else sees
	})
	t.Log(count.queries.Load(), "queries")
	assert.Less(t, count.queries.Load(), int32(300))
	assert.Positive(t, count.queries.Load())
}

func TestLoadOfManyKeysIsOneConnection(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	db.SetMaxIdleConns(30)
	s := pgstore.New(db)
	together(30, func(i int) {
		_, err := s.Load(t.Context(), strings.Repeat("0", i))
		assert.NoError(t, err)
	})
	assert.Equal(t, 1, db.Stats().OpenConnections)
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
}
