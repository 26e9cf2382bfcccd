//go:build unix

package pgstore_test

import (
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared is a server for all tests that do not stop it.
var shared = sync.OnceValues(func() (*server, error) { return startPostgres(func(string) error { return nil }) })

var databases atomic.Int32

// newDatabase makes an empty database on the shared server.
func newDatabase(t *testing.T) (s *server, name string) {
	t.Helper()
	s, err := shared()
	require.NoError(t, err)
	name = fmt.Sprintf("test%d", databases.Add(1))
	_, err = s.admin.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	return s, name
}

// open returns a pool that ends with the test.
func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// newDB is a pool for an empty database.
func newDB(t *testing.T) *sql.DB {
	t.Helper()
	s, name := newDatabase(t)
	return open(t, s.url(name))
}
