// Package pgstore shares one api.video access token among all processes that
// use the same PostgreSQL database: one auth call an hour for a whole fleet.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: pgstore.New(db)}
//
// The package uses only database/sql. Its tests use the driver
// github.com/jackc/pgx/v5/stdlib, which returns when a context ends even if the
// server hangs.
//
// # The table
//
// The table apivideo_tokens is in the first schema of the search_path that
// exists, as it is at the first call. The first update creates the table. For
// that the role needs CREATE on the schema. If it must not have that, create the
// table in a migration:
//
//	CREATE TABLE apivideo_tokens (
//		key        text PRIMARY KEY,
//		value      bytea NOT NULL,
//		expires_at timestamptz NOT NULL
//	);
//	REVOKE ALL ON apivideo_tokens FROM PUBLIC;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON apivideo_tokens TO my_app;
//
// It has one row for each account and environment. Package apivideo derives the
// name of the row from the API key, and encrypts the value. So a person who can
// read the table gets no token, and a modified value is treated as missing. A row
// expires 24 hours after its last update, by the server's clock. Each update
// deletes up to 100 expired rows.
//
// # Other roles
//
// A role that may create tables in the schema could make this one first, with a
// trigger: the trigger would run with the rights of the application. So the
// package checks the table before it names it in a query. The check passes if
// trusted roles own the table and all code that belongs to it, such as triggers,
// policies and defaults, and if no other role has the privilege TRIGGER or
// REFERENCES on it. These roles are trusted: the application's role, the roles
// that it may act as, the owners of the schema and of the database, and
// superusers.
//
// If the check fails, every call returns an error that names the role and says
// what to do. A Source then works without the Store. As soon as the cause is
// gone, the Store works, without a restart.
//
// A Store checks its table once. After that, only trusted roles can change or
// drop it. If one of them drops it while programs run, create it again in the same
// transaction. Each update notices that a table is another one and checks that,
// but a read does not.
//
// Queries name the table, functions, operators and types with their schema.
// Nothing that another role puts into the search_path runs. A role that owns a
// schema can always replace what is in it: set a search_path whose first schema
// belongs to a role that you trust.
//
// # The lock
//
// A process renews the token in a transaction that holds an advisory lock. The
// lock ends with the transaction. If the process is killed, the server sees the
// closed connection and releases the lock at once. The holder also sends a
// query every second. If the server gets none for 10 seconds, for example
// because a machine lost power, it ends the session, and the lock with it.
//
// During a renewal, monitoring shows a session that is idle in transaction. That
// usually takes less than a second, and 30 seconds at worst. A transaction_timeout
// that is shorter ends the lock.
//
// Any role that may connect to the database can take an advisory lock, and sees
// the number of a lock in pg_locks while somebody has it. It can so delay each
// renewal without a usable token by 20 seconds.
//
// If the server is slow or down, usable tokens stay in use. If a token is needed
// now, a process waits about a second for the server, then makes its own auth
// call. When the server is back, the processes share a token again.
//
// # Connections
//
// A Store uses one connection for each renewal, and none while it waits for the
// lock. For everything else it uses one for each account, and eight at most. A
// program with one account needs two. Keep the sum of all pools below the
// server's max_connections: a process that gets no connection makes its own auth
// call. With a small pool, leave a connection for others during a renewal:
//
//	db.SetMaxOpenConns(2) // enough if this pool is only for the Store
//
// The pool must lead to the primary. A read replica, or a session that is
// read-only, is an error on every call.
//
// # PgBouncer
//
// Session mode and transaction mode both work, because the lock belongs to a
// transaction. In transaction mode drivers need the settings that they always
// need there: pgx needs default_query_exec_mode=exec in its connection string,
// unless PgBouncer is at least 1.21 and has max_prepared_statements set. During
// a renewal, one server connection of PgBouncer's pool is in use. In statement
// mode every update is an error, because PgBouncer allows no transactions there.
package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
)

var (
	errNoDB     = errors.New("pgstore: the *sql.DB is nil; pass one to New")
	errReadOnly = errors.New("pgstore: the database is read-only; is it a replica? Connect to the primary")
	errLost     = errors.New("pgstore: the lock was lost") // the cause of the end of fn's context
)

const maxValue = 64 << 10 // bytes; a Source's values have a few thousand

// This package stores no value of more than 64 KiB. octet_length finds the
// length of a value without reading it.
var (
	valueQuery = inCatalog(`SELECT CASE WHEN pg_catalog.octet_length(value) <= 65536 THEN value END
	FROM ONLY {table} WHERE key = $1::pg_catalog.text AND expires_at > pg_catalog.statement_timestamp()`)

	loadQuery = inCatalog(`SELECT pg_catalog.current_setting('transaction_read_only') = 'on', (` + valueQuery + `)`)
)

// Store keeps values in a PostgreSQL table. It implements the Store of package
// apivideo and is safe for concurrent use. Make one with [New]; every call on
// a nil or zero Store is an error.
type Store struct {
	db      *sql.DB // nil if there is none
	queue   *queue
	checked atomic.Pointer[table] // nil until the table has passed the check
}

// New returns a Store in the database of db. The caller keeps db, and closes it
// when the Store is no longer used. If db is nil, every call on the Store is an
// error.
func New(db *sql.DB) *Store { return &Store{db: db, queue: newQueue()} }

// Load returns the value of key, or nil if there is none, or no table. It does
// not wait for the lock, and returns when ctx ends.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if s == nil || s.db == nil {
		return nil, errNoDB
	}
	return s.queue.load(ctx, key, func(ctx context.Context) ([]byte, error) { return s.get(ctx, key) })
}

func (s *Store) get(ctx context.Context, key string) (value []byte, err error) {
	t, err := s.table(ctx)
	if err != nil || t.oid == 0 {
		return nil, err
	}
	var readOnly bool
	err = s.db.QueryRowContext(ctx, t.sql(loadQuery), key).Scan(&readOnly, &value)
	switch {
	case undefinedTable(err):
		s.forget(t)
		return nil, nil
	case err != nil:
		return nil, reading(err)
	case readOnly:
		return nil, errReadOnly
	}
	return value, nil
}

func reading(err error) error { return fmt.Errorf("pgstore: reading the value: %w", err) }

// Update calls fn with the value of key, nil if there is none, while it holds
// the lock on key. It waits for the lock until ctx ends: goroutines that share
// a Store queue, and processes try several times a second. It creates the table
// if there is none. What fn returns is stored for 24 hours, unless it is nil,
// which leaves the value. More than 64 KiB are an error. An error of fn is
// returned as it is.
//
// The context of fn ends with ctx, and also when the lock is lost, which its
// [context.Cause] says. Then nothing is stored and Update returns an error.
// Update notices a broken connection within about a second, and a server that
// hangs within about six. When ctx ends while fn runs, what fn returns is still
// stored: fn may have spent a refresh token for it.
//
// Before Update returns, it has released the lock and ended its goroutines. If
// the server hangs, this takes up to 10 seconds.
func (s *Store) Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error {
	if s == nil || s.db == nil {
		return errNoDB
	}
	leave, err := enter(ctx, s.queue.of(key).turn)
	if err != nil {
		return locking(err)
	}
	defer leave()
	l, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer l.release()
	old, err := l.read(ctx)
	if err != nil {
		return err
	}
	held, stop := l.hold(ctx)
	defer stop()
	value, err := fn(held, old)
	if err != nil || value == nil {
		return err
	}
	stop()
	switch {
	case context.Cause(held) == errLost:
		return errLost
	case len(value) > maxValue:
		return fmt.Errorf("pgstore: a value of %d bytes is too long; the limit is %d", len(value), maxValue)
	}
	return l.write(ctx, value)
}
