//go:build unix

package pgstore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var _ apivideo.Store = (*pgstore.Store)(nil)

const key = "00ff"

// returns is an fn of Update.
func returns(value []byte, err error) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return value, err }
}

// never is an fn of an Update that must fail before.
func never(t *testing.T) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called without a lock")
		return nil, nil
	}
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// store stores a value, which must succeed.
func store(t *testing.T, s *pgstore.Store, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), key, returns([]byte(value), nil)))
}

// expect checks the value, as Load and as Update find it.
func expect(t *testing.T, s *pgstore.Store, want string) {
	t.Helper()
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, want, string(value))
	require.NoError(t, s.Update(t.Context(), key, func(_ context.Context, old []byte) ([]byte, error) {
		assert.Equal(t, want, string(old))
		return nil, nil
	}))
}

// mustExec executes statements, which may have several parts.
func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.Exec(query, args...)
	require.NoError(t, err)
}

// scan returns the one value of a query.
func scan[T any](t *testing.T, db *sql.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.QueryRow(query, args...).Scan(&v))
	return v
}

func TestStore(t *testing.T) {
	t.Parallel()
	s, database := newDatabase(t)
	storetest.TestStore(t, func() apivideo.Store { return pgstore.New(open(t, s.url(database))) })
}

func TestStoreWithoutDatabase(t *testing.T) {
	for _, s := range []*pgstore.Store{pgstore.New(nil), {}, nil} {
		_, err := s.Load(t.Context(), key)
		assert.ErrorContains(t, err, "the *sql.DB is nil")
		assert.ErrorContains(t, s.Update(t.Context(), key, never(t)), "the *sql.DB is nil")
	}
}

// Promise: Each update of pgstore deletes up to 100 expired rows.
func TestStoreRowsExpire(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s := pgstore.New(db)
	for range 2 {
		store(t, s, "value")
		left := scan[float64](t, db, "SELECT extract(epoch FROM expires_at - now())::float8 FROM apivideo_tokens")
		assert.InDelta(t, 24*3600, left, 60)
		mustExec(t, db, "UPDATE apivideo_tokens SET expires_at = now() + interval '1 hour'")
		expect(t, s, "value")
	}
	mustExec(t, db, "UPDATE apivideo_tokens SET expires_at = now()")
	expect(t, s, "")
	store(t, s, "fresh")
	mustExec(t, db, "INSERT INTO apivideo_tokens SELECT i, 'old', now() - interval '1 day' FROM generate_series(1, 150) i")
	mustExec(t, db, "INSERT INTO apivideo_tokens VALUES ('other', 'value', now() + interval '1 hour')")
	store(t, s, "first")
	assert.Equal(t, 52, scan[int](t, db, "SELECT count(*) FROM apivideo_tokens"), "100 of them are deleted")
	store(t, s, "second")
	assert.Equal(t, 2, scan[int](t, db, "SELECT count(*) FROM apivideo_tokens"))
	expect(t, s, "second")
}

func TestStoreOversizedValueIsAbsent(t *testing.T) { // not parallel: it counts what is allocated
	db := newDB(t)
	s := pgstore.New(db)
	store(t, s, "value")
	for _, size := range []int{64<<10 + 1, 100 << 20} {
		mustExec(t, db, "UPDATE apivideo_tokens SET value = convert_to(repeat('x', $1), 'UTF8')", size)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		expect(t, s, "")
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
	store(t, s, "value")
	expect(t, s, "value")
}

func TestStoreRefusesLongValue(t *testing.T) {
	t.Parallel()
	s := pgstore.New(newDB(t))
	longest := strings.Repeat("x", 64<<10)
	store(t, s, longest)
	err := s.Update(t.Context(), key, returns(make([]byte, 64<<10+1), nil))
	assert.EqualError(t, err, "pgstore: a value of 65537 bytes is too long; the limit is 65536")
	expect(t, s, longest)
}

func TestStoreRefusesReplica(t *testing.T) {
	t.Parallel()
	replica, err := startPostgres(func(folder string) error {
		return os.WriteFile(filepath.Join(folder, "standby.signal"), nil, 0o644)
	})
	require.NoError(t, err)
	t.Cleanup(replica.kill)
	require.True(t, scan[bool](t, replica.admin, "SELECT pg_is_in_recovery()"))
	assert.ErrorContains(t, pgstore.New(replica.admin).Update(t.Context(), key, never(t)), "read-only; is it a replica?")

	// With a table, which a session can read too.
	s, database := newDatabase(t)
	store(t, pgstore.New(open(t, s.url(database))), "value")
	readOnly := pgstore.New(open(t, s.url(database, "default_transaction_read_only=on")))
	_, err = readOnly.Load(t.Context(), key)
	assert.ErrorContains(t, err, "read-only; is it a replica?")
	assert.ErrorContains(t, readOnly.Update(t.Context(), key, never(t)), "read-only; is it a replica?")
}

func TestStoreServerStoppedAndRestarted(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := pgstore.New(open(t, server.url("postgres")))
	store(t, s, "value")
	server.kill()
	_, err := s.Load(t.Context(), key)
	assert.ErrorContains(t, err, "pgstore: reading the value: ")
	assert.ErrorContains(t, s.Update(t.Context(), key, never(t)), "pgstore: locking: ")
	server.restart(t)
	store(t, s, "new")
	for range 2 {
		server.kill()
		server.restart(t)
		time.Sleep(1100 * time.Millisecond) // pgx checks connections that were idle for a second
		expect(t, s, "new")
	}
}

func TestStoreCallsEndWhileServerHangs(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	db := open(t, server.url("postgres"))
	s := pgstore.New(db)
	store(t, s, "value")
	server.freeze(t)
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		_, err := s.Load(ctx, key)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, s.Update(ctx, key, never(t)), context.DeadlineExceeded)
		ctx, cancel2 := context.WithTimeout(t.Context(), 100*time.Millisecond)
		assert.ErrorIs(t, s.Update(ctx, key, never(t)), context.DeadlineExceeded)
		assert.Less(t, time.Since(start), 3*time.Second)
		cancel()
		cancel2()
	}
	assert.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 10*time.Second, 10*time.Millisecond)
	server.thaw()
	// First the server ends all connections that were opened meanwhile.
	require.Eventually(t, func() bool { return s.Update(t.Context(), key, returns([]byte("new"), nil)) == nil }, 2*time.Minute, time.Millisecond)
	expect(t, s, "new")
}
