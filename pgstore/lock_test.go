//go:build unix

package pgstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const holders = "FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND granted AND datname = current_database()"

// terminate ends the sessions that hold a lock.
func terminate(t *testing.T, db *sql.DB) {
	t.Helper()
	require.Equal(t, 1, scan[int](t, db, "SELECT count(pg_terminate_backend(pid)) "+holders))
}

// held is how many locks are held.
func held(t *testing.T, db *sql.DB) int {
	t.Helper()
	return scan[int](t, db, "SELECT count(*) "+holders)
}

// awaitLoss waits for the end of fn's context.
func awaitLoss(t *testing.T, ctx context.Context) {
	t.Helper()
	start := time.Now()
	select {
	case <-ctx.Done():
		t.Log("the loss was noticed after", time.Since(start))
	case <-time.After(30 * time.Second):
	}
	assert.ErrorContains(t, context.Cause(ctx), "the lock was lost")
}

func TestLockLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *server){
		"session terminated": func(t *testing.T, s *server) { terminate(t, s.admin) },
		"server hangs":       func(t *testing.T, s *server) { s.freeze(t) },
		"server restarted": func(t *testing.T, s *server) {
			s.kill()
			s.restart(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			s, other := pgstore.New(open(t, server.url("postgres"))), pgstore.New(open(t, server.url("postgres")))
			store(t, s, "old")
			var lost time.Time
			err := s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
				lose(t, server)
				awaitLoss(t, ctx)
				lost = time.Now()
				return []byte("new"), nil
			})
			assert.ErrorContains(t, err, "the lock was lost")
			assert.Less(t, time.Since(lost), 5*time.Second)
			server.thaw()
			expect(t, other, "old")
			expect(t, s, "old")
		})
	}
}

// A holder that is too late must not harm the next holder or its value.
func TestLockLostAndTakenByAnother(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]bool{"noticed": true, "not noticed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDB(t)
			s, other := pgstore.New(db), pgstore.New(db)
			store(t, s, "old")
			begun, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			assert.Error(t, s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
				terminate(t, db)
				go func() {
					defer close(done)
					assert.NoError(t, other.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
						close(begun)
						<-end
						return []byte("other's"), nil
					}))
				}()
				<-begun
				if wait {
					awaitLoss(t, ctx)
				}
				return []byte("late"), nil
			}))
			assert.Equal(t, 1, held(t, db))
			value, err := s.Load(t.Context(), key)
			require.NoError(t, err)
			assert.Equal(t, "old", string(value))
			close(end)
			<-done
			expect(t, s, "other's")
		})
	}
}

func TestLockWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s, other := pgstore.New(db), pgstore.New(db)
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, other.Update(short, key, never(t)), context.DeadlineExceeded)
		canceled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		assert.ErrorIs(t, other.Update(canceled, key, never(t)), context.Canceled)
		return []byte("value"), nil
	}))
	assert.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 10*time.Second, time.Millisecond)
	assert.Zero(t, held(t, db))
	expect(t, other, "value")
}

// One for the holder, and one for all others.
func TestLockWaitNeedsTwoConnections(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	db.SetMaxIdleConns(30)
	s := pgstore.New(db)
	together(30, func(int) {
		assert.NoError(t, s.Update(t.Context(), key, func(ctx context.Context, old []byte) ([]byte, error) {
			if len(old) == 0 { // the first one takes its time
				for range 10 {
					time.Sleep(100 * time.Millisecond)
					_, err := s.Load(ctx, key)
					assert.NoError(t, err)
				}
			}
			return append(bytes.Clone(old), 'x'), nil
		}))
	})
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Len(t, value, 30)
	assert.LessOrEqual(t, db.Stats().OpenConnections, 2)
}

func TestLockReleasedWhateverHappens(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s := pgstore.New(db)
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
			together(1, func(int) {
				defer func() { recover() }()
				err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
					assert.Equal(t, 1, held(t, db))
					return fn(leave)
				})
				if err != nil {
					assert.Same(t, failure, err)
				}
			})
			assert.Zero(t, held(t, db))
			assert.Zero(t, db.Stats().InUse)
		})
	}
	expect(t, s, "value")
}

// While another process looks whether the lock is free, it shares the lock. Then
// the lock is free for a process that looks too, and that process tries to get it.
//
// Promise: Processes that look whether pgstore's lock is free do not block each other.
func TestLockProbesDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1000)
	s, db := traced(t, func(query string) {
		if strings.HasPrefix(query, "begin") {
			begun <- struct{}{}
		}
	})
	var id int64
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		id = scan[int64](t, db, "SELECT classid::bigint << 32 | objid::bigint "+holders)
		return []byte("value"), nil
	}))
	<-begun
	probe, err := db.Begin()
	require.NoError(t, err)
	_, err = probe.Exec("SELECT pg_advisory_xact_lock_shared($1)", id)
	require.NoError(t, err)
	updated := make(chan error, 1)
	go func() { updated <- s.Update(t.Context(), key, returns([]byte("new"), nil)) }()
	select {
	case <-begun:
	case <-time.After(time.Minute):
		t.Error("the probe found no free lock")
	}
	assert.Empty(t, updated, "the lock is not for two")
	require.NoError(t, probe.Rollback())
	require.NoError(t, <-updated)
	expect(t, s, "new")
}
