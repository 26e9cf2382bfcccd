//go:build unix

package pgstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newPgBouncer starts a PgBouncer before s that ends with the test.
func newPgBouncer(t *testing.T, s *server, mode string, connections int) *server {
	t.Helper()
	parent, err := root()
	require.NoError(t, err)
	folder, err := os.MkdirTemp(parent, "pgbouncer")
	require.NoError(t, err)
	file := filepath.Join(folder, "pgbouncer.ini")
	b, err := startServer(folder, func(port int) ([]string, error) {
		// Whatever the umask is, another user reads it.
		return []string{"pgbouncer", "-q", file}, errors.Join(os.WriteFile(file, nil, 0o644), os.Chmod(file, 0o644), os.WriteFile(file, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = %d
`, s.port, port, mode, connections), 0o644))
	})
	require.NoError(t, err)
	t.Cleanup(b.kill)
	return b
}

func TestStoreBehindPgBouncer(t *testing.T) {
	t.Parallel()
	const mode = "default_query_exec_mode=exec"
	t.Run("session mode", func(t *testing.T) {
		t.Parallel()
		s, database := newDatabase(t)
		b := newPgBouncer(t, s, "session", 50)
		storetest.TestStore(t, func() apivideo.Store { return pgstore.New(open(t, b.url(database))) })
	})
	t.Run("transaction mode", func(t *testing.T) {
		t.Parallel()
		s, database := newDatabase(t)
		b := newPgBouncer(t, s, "transaction", 3)
		storetest.TestStore(t, func() apivideo.Store { return pgstore.New(open(t, b.url(database, mode))) })
	})
	t.Run("statement mode", func(t *testing.T) {
		t.Parallel()
		s, database := newDatabase(t)
		b := newPgBouncer(t, s, "statement", 3)
		refused := pgstore.New(open(t, b.url(database, mode)))
		assert.ErrorContains(t, refused.Update(t.Context(), key, never(t)), "pgstore: locking: ")
	})
}
