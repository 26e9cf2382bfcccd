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
	u, next := newUser(t), newUser(t)
	serve := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served\n") }
	u.srv.HandleFunc("GET /videos", serve)
	next.srv.HandleFunc("GET /videos", serve)
	var current atomic.Pointer[apivideotest.Server]
	current.Store(u.srv)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) }))
	defer front.Close()
	u.keyFile(u.key())
	u.env[baseURLVariable] = front.URL
	dir := t.TempDir()
	cmd := u.script(`call /videos; until [ -e ` + dir + `/go ]; do sleep 0.01; done; call /videos`)
	_, rest := u.start(cmd)
	require.NoError(t, os.WriteFile(u.env[keyFileVariable], []byte(next.key()), 0o600))
	current.Store(next.srv) // which accepts neither the old key nor its tokens
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	assert.Equal(t, "served\n", <-rest)
	require.NoError(t, cmd.Wait())
	assert.Equal(t, 1, next.srv.Counters().Authenticated)
}
