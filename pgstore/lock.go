package pgstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	shortestWait = 100 * time.Millisecond // between two tries to get the lock
	longestWait  = 250 * time.Millisecond
	pingEvery    = 1 * time.Second // while the lock is held; well below the 10 s after which the server ends it
	answerTime   = 5 * time.Second // for each answer of the server while the lock is held
)

var (
	// The lock that this takes ends with the query. It is shared, so that
	// waiting processes do not block each other.
	freeQuery = inCatalog(`SELECT pg_catalog.current_setting('transaction_read_only') = 'on',
	pg_catalog.pg_try_advisory_xact_lock_shared($1::bigint)`)

	// The second column makes the lock a lease, for this transaction.
	lockQuery = `SELECT pg_catalog.pg_try_advisory_xact_lock($1::bigint),
	pg_catalog.set_config('idle_in_transaction_session_timeout', '10s', true),
	COALESCE(pg_catalog.to_regclass($2::pg_catalog.text)::pg_catalog.oid, 0::pg_catalog.oid)::bigint`

	expireQuery = inCatalog(`DELETE FROM ONLY {table} WHERE key = ANY (ARRAY(
	SELECT key FROM ONLY {table} WHERE expires_at <= pg_catalog.statement_timestamp()
	LIMIT 100 FOR UPDATE SKIP LOCKED))`)

	writeQuery = `INSERT INTO {table} (key, value, expires_at) VALUES ($1::pg_catalog.text, $2::pg_catalog.bytea,
	pg_catalog.statement_timestamp() OPERATOR(pg_catalog.+) interval '24 hours')
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`
)

// lock is the lock on one key. It belongs to a transaction: neither a pool nor
// a pooler can give it to another user. The transaction stores a value only if
// the lock was held to the end.
type lock struct {
	tx    *sql.Tx
	table *table
	key   string
	quit  context.CancelFunc // ends the context of tx, and whatever tx waits for
}

// lockID is the lock's number among all advisory locks of the database.
func lockID(key string) int64 {
	sum := sha256.Sum256([]byte("apivideo_tokens " + key))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// lock waits for the lock on key until ctx ends. It creates the table if there
// is none.
func (s *Store) lock(ctx context.Context, key string) (*lock, error) {
	l, err := s.await(ctx, key)
	if err == errNoTable {
		failed := s.create(ctx)
		if l, err = s.await(ctx, key); err == errNoTable {
			return nil, cmp.Or(failed, err)
		}
	}
	return l, err
}

// await tries to get the lock until ctx ends. Between two tries it holds no
// connection: a waiting fleet must leave connections for the holder.
func (s *Store) await(ctx context.Context, key string) (*lock, error) {
	for {
		l, err := s.try(ctx, key)
		if l != nil || err != nil {
			return l, err
		}
		again := time.NewTimer(shortestWait + rand.N(longestWait-shortestWait))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// try returns nil if somebody else holds the lock. It finds that out with one
// query, which is what most tries of a fleet need.
func (s *Store) try(ctx context.Context, key string) (*lock, error) {
	leave, err := s.queue.query(ctx, s.queue.of(key))
	if err != nil {
		return nil, locking(err)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	t, err := s.table(ctx)
	switch {
	case err != nil:
		return nil, cmp.Or(ctx.Err(), err)
	case t.oid == 0:
		return nil, errNoTable
	}
	var readOnly, free bool
	err = s.db.QueryRowContext(ctx, freeQuery, lockID(key)).Scan(&readOnly, &free)
	switch {
	case err != nil:
		return nil, locking(cmp.Or(ctx.Err(), err))
	case readOnly:
		return nil, errReadOnly
	case !free:
		return nil, nil
	}
	return s.begin(ctx, t, key)
}

// begin begins the transaction of a lock. It outlives ctx, since fn may. The
// result is nil if somebody else holds the lock, or if the table is not the one
// that was checked.
func (s *Store) begin(ctx context.Context, t *table, key string) (*lock, error) {
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, quit)
	// A stricter isolation level would read the value as it was before the lock.
	tx, err := s.db.BeginTx(working, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		quit()
		return nil, locking(cmp.Or(ctx.Err(), err))
	}
	l := &lock{tx, t, key, quit}
	var locked bool
	var lease string
	var oid int64
	err = tx.QueryRowContext(working, lockQuery, lockID(key), t.name).Scan(&locked, &lease, &oid)
	if !detach() {
		err = ctx.Err()
	}
	if err == nil && locked && oid == t.oid {
		return l, nil
	}
	l.release()
	if err != nil {
		return nil, locking(err)
	}
	if oid != t.oid {
		s.forget(t)
	}
	return nil, nil
}

func locking(err error) error { return fmt.Errorf("pgstore: locking: %w", err) }

// read returns the value, nil if there is none.
func (l *lock) read(ctx context.Context) (value []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err = l.tx.QueryRowContext(ctx, l.table.sql(valueQuery), l.key).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, reading(err)
	}
	return value, nil
}

// hold sends a query every second until stop is called, which waits for the
// answer to the last one. The context that it returns ends with ctx, or when
// there is no answer.
func (l *lock) hold(ctx context.Context) (held context.Context, stop func()) {
	held, end := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	var pinging sync.WaitGroup
	pinging.Go(func() {
		ticks := time.NewTicker(pingEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-stopped:
				return
			}
			if l.ping(ctx) != nil {
				end(errLost)
				return
			}
		}
	})
	return held, sync.OnceFunc(func() {
		close(stopped)
		pinging.Wait()
		end(nil)
	})
}

// ping does not end with ctx: drivers close the connection when a query's
// context ends.
func (l *lock) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	_, err := contain(func() (sql.Result, error) { return l.tx.ExecContext(ctx, "SELECT 1") })
	return err
}

// write stores the value and releases the lock.
func (l *lock) write(ctx context.Context, value []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	_, err := l.tx.ExecContext(ctx, l.table.sql(expireQuery))
	if err == nil {
		_, err = l.tx.ExecContext(ctx, l.table.sql(writeQuery), l.key, value)
	}
	if err == nil {
		defer context.AfterFunc(ctx, l.quit)() // Commit takes no context
		err = l.tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("pgstore: storing the value: %w", err)
	}
	return nil
}

// release ends the transaction, and thereby the lock. If the server does not
// answer, the connection is closed.
func (l *lock) release() {
	defer l.quit()
	defer time.AfterFunc(answerTime, l.quit).Stop()
	_ = l.tx.Rollback() // an error if it was committed
}
