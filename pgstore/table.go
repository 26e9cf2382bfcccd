package pgstore

import (
	"context"
	"errors"
	"fmt"
)

// schema is in the package's documentation too.
const schema = `CREATE TABLE IF NOT EXISTS apivideo_tokens (
	key        text PRIMARY KEY,
	value      bytea NOT NULL,
	expires_at timestamptz NOT NULL
)`

var errNoTable = errors.New("pgstore: there is no table apivideo_tokens")

// create creates the table. It fails if another process creates it at the same
// time, in spite of IF NOT EXISTS: then the table exists.
func (s *Store) create(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, schema); err != nil {
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
