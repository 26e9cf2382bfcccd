// Package fetch_test tests auth calls of a program that runs where HTTP is fetch,
// as in a browser.
package fetch_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// built is the program for GOOS=js.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program.wasm")
	build := exec.Command("go", "build", "-o", program, "./program")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// run runs the program under Node.js. The name of the command is another one:
// net/http does not use fetch where it sees Node.js.
func run(t *testing.T, program, key, base string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	require.NoError(t, err)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	runner := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec_node.js")
	command := exec.CommandContext(t.Context(), node)
	command.Args = []string{"a-browser", "--require", "./testdata/record.cjs", runner, program}
	command.Env = append(os.Environ(), "APIVIDEO_API_KEY="+key, "APIVIDEO_BASE_URL="+base)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}

// Promise: Where HTTP is fetch, as in a browser, auth calls follow no redirect.
func TestFetchFollowsNoRedirect(t *testing.T) {
	program := built(t)
	srv := apivideotest.NewServer()
	defer srv.Close()
	conf := srv.Config()
	output := run(t, program, conf.APIKey, conf.BaseURL)
	assert.Equal(t, "fetch POST redirect=error\na token\n", output)

	for _, status := range []int{301, 302, 303, 307, 308} {
		before := srv.Counters()
		first := httptest.NewServer(http.RedirectHandler(srv.URL+"/auth/api-key", status))
		output := run(t, program, conf.APIKey, first.URL)
		first.Close()
		assert.Contains(t, output, "fetch POST redirect=error\n", status)
		assert.Contains(t, output, "apivideo: authenticate: POST "+first.URL+"/auth/api-key: net/http: fetch() failed", status)
		assert.NotContains(t, output, "a token", status)
		assert.Equal(t, before, srv.Counters(), "the key went nowhere, %d", status)
	}

	// A status that only fetch would follow, to a host that accepts everything.
	var reached atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer elsewhere.Close()
	first := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusPermanentRedirect))
	defer first.Close()
	run(t, program, conf.APIKey, first.URL)
	assert.Zero(t, reached.Load())
}
