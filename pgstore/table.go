package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// schema is in the package's documentation too.
const schema = `CREATE TABLE IF NOT EXISTS {table} (
	key        pg_catalog.text PRIMARY KEY,
	value      pg_catalog.bytea NOT NULL,
	expires_at pg_catalog.timestamptz NOT NULL
)`

var (
	errNoTable  = errors.New("pgstore: there is no table apivideo_tokens")
	errNoSchema = errors.New("pgstore: the search_path has no schema that this role may use; set another search_path")
)

// table is the table in the schema that was the current one. It is safe to use,
// or there is none.
type table struct {
	name string // with its schema, quoted where needed
	oid  int64  // 0 if there is none
}

// sql returns a query with the name of the table.
func (t *table) sql(query string) string { return strings.ReplaceAll(query, "{table}", t.name) }

// table returns the table. It is checked once. From then on, only a trusted role
// can change or remove it.
func (s *Store) table(ctx context.Context) (*table, error) {
	if t := s.checked.Load(); t != nil {
		return t, nil
	}
	t, err := s.check(ctx)
	if err == nil && t.oid != 0 {
		s.checked.Store(t)
	}
	return t, err
}

// forget has the table checked again: it is gone, or another one.
func (s *Store) forget(t *table) { s.checked.CompareAndSwap(t, nil) }

func (s *Store) check(ctx context.Context) (*table, error) {
	var (
		readOnly    bool
		name, fault sql.NullString
		t           table
	)
	err := s.db.QueryRowContext(ctx, checkQuery).Scan(&readOnly, &name, &t.oid, &fault)
	t.name = name.String
	switch {
	case err != nil:
		return nil, fmt.Errorf("pgstore: checking the table apivideo_tokens: %w", err)
	case readOnly:
		return nil, errReadOnly
	case !name.Valid:
		return nil, errNoSchema
	case fault.Valid:
		return nil, fmt.Errorf("pgstore: the table %s is not safe to use: %s", t.name, fault.String)
	}
	return &t, nil
}

// create creates the table. It fails if another process creates it at the same
// time, in spite of IF NOT EXISTS: then the table exists.
func (s *Store) create(ctx context.Context) error {
	t, err := s.table(ctx)
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, t.sql(schema)); err != nil {
		return fmt.Errorf("pgstore: creating the table apivideo_tokens: %w", err)
	}
	return nil
}

// undefinedTable reports whether the server said that there is no table. The
// errors of the usual drivers have this method.
func undefinedTable(err error) bool {
	e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	return ok && e.SQLState() == "42P01"
}
