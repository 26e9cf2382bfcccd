package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The key file is overwritten while the program runs, and the old key ends.
func TestRunFollowsKeyFile(t *testing.T) {
	t.Parallel()
	u, next, change := newUserOfTwoKeys(t)
	u.keyFile(u.key())
	dir := t.TempDir()
	cmd := u.script(`call /videos; until [ -e ` + dir + `/go ]; do sleep 0.01; done; call /videos`)
	_, rest := u.start(cmd)
	require.NoError(t, os.WriteFile(u.env[keyFileVariable], []byte(next.key()), 0o600))
	change()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	assert.Equal(t, "served\n", <-rest)
	require.NoError(t, cmd.Wait())
	assert.Equal(t, 1, next.srv.Counters().Authenticated)
}

// newUserOfTwoKeys returns a user whose service, after change, is the one of
// next: it accepts neither u's key nor its tokens.
func newUserOfTwoKeys(t *testing.T) (u, next *user, change func()) {
	t.Helper()
	u, next = newUser(t), newUser(t)
	for _, one := range []*user{u, next} {
		one.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served\n") })
	}
	var current atomic.Pointer[apivideotest.Server]
	current.Store(u.srv)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	u.env[baseURLVariable] = front.URL
	return u, next, func() { current.Store(next.srv) }
}
