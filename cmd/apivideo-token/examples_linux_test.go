package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The programs in examples/ for other languages, and what starts them.
var otherLanguages = map[string]string{"list.py": "python3", "list.mjs": "node", "list.php": "php", "list.sh": "sh"}

// example runs a program of examples/ behind run.
func (u *user) example(name string, flags ...string) result {
	u.t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "examples", name))
	require.NoError(u.t, err)
	u.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	u.env["PYTHONDONTWRITEBYTECODE"] = "1"
	args := append(append([]string{"run"}, flags...), "--", otherLanguages[name], file)
	var out, failure bytes.Buffer
	cmd := u.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &failure
	_ = cmd.Run() // the status is in the result
	return result{cmd.ProcessState.ExitCode(), out.String(), failure.String()}
}

// Promise: The programs in `examples/` work behind `run`, and fail with the service's reason.
func TestExamplesOfOtherLanguages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/list.*")
	require.NoError(t, err)
	assert.Len(t, files, len(otherLanguages))
	u := newUser(t)
	for _, title := range []string{"First", "Second"} {
		body, err := json.Marshal(map[string]string{"title": title})
		require.NoError(t, err)
		resp, err := u.srv.Config().Client(t.Context()).Post(u.srv.URL+"/videos", "application/json", bytes.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusCreated, resp.StatusCode)
	}
	for name := range otherLanguages {
		r := u.example(name, "-allow", "GET /videos")
		assert.Equal(t, 0, r.status, "%s: %s", name, r.stderr)
		assert.Contains(t, r.stdout, "First", name)
		assert.Contains(t, r.stdout, "Second", name)

		r = u.example(name, "-allow", "POST /videos")
		assert.NotEqual(t, 0, r.status, name)
		assert.Contains(t, r.stdout+r.stderr, "403", name)
		assert.False(t, strings.Contains(r.stdout+r.stderr, u.key()), name)
	}
}
