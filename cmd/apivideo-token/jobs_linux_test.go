package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// job runs a script as a shell of cron or of a CI system does. In it, curl asks
// the fake service instead of production.
func (u *user) job(script string, shell ...string) result {
	u.t.Helper()
	dir := u.t.TempDir()
	require.NoError(u.t, os.Symlink(binary, filepath.Join(dir, "apivideo-token")))
	curl, err := exec.LookPath("curl")
	require.NoError(u.t, err)
	wrapper := fmt.Sprintf("#!/bin/bash\nexec %s \"${@/#https:\\/\\/ws.api.video/%s}\"\n", curl, u.env[baseURLVariable])
	require.NoError(u.t, writeExecutable(filepath.Join(dir, "curl"), wrapper))
	u.env["PATH"] = dir + ":/usr/local/bin:/usr/bin:/bin"
	cmd := u.command()
	cmd.Path, err = exec.LookPath(shell[0])
	require.NoError(u.t, err)
	cmd.Args = append(shell, script)
	cmd.Dir = filepath.Join("..", "..")
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	_ = cmd.Run() // the status is in the result
	return result{cmd.ProcessState.ExitCode(), out.String(), failure.String()}
}

// Promise: The blocks of the deployment document work as they stand.
func TestDeployCron(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.keyFile(u.key())
	table := strings.ReplaceAll(deployment(t, "cron")[0], "/usr/local/lib/list.sh", "examples/list.sh")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	require.Len(t, lines, 3)
	assert.Equal(t, "PATH=/usr/local/bin:/usr/bin:/bin", lines[0])
	assert.Equal(t, keyFileVariable+"=/etc/apivideo/key", lines[1])
	_, command, found := strings.Cut(lines[2], " www-data ")
	require.True(t, found)
	assert.NotContains(t, command, "%")
	r := u.job(command, "sh", "-c")
	assert.Equal(t, result{0, r.stdout, ""}, r)
	assert.Contains(t, r.stdout, `"data":`)
}

// Only the line that masks the token has it, and nothing has the key.
// Promise: The blocks of the deployment document work as they stand.
func TestDeployGitHubActions(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Header.Get("Authorization")) // a service that echoes it
	})
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(deployment(t, "GitHub Actions")[0]), &workflow))
	step := workflow.Jobs["videos"].Steps[0]
	assert.Equal(t, "${{ secrets.APIVIDEO_API_KEY }}", step.Env[keyVariable])
	r := u.job(step.Run, "bash", "-e", "-c")
	require.Equal(t, 0, r.status, r.stderr)
	first, rest, _ := strings.Cut(r.stdout, "\n")
	token, masked := strings.CutPrefix(first, "::add-mask::")
	require.True(t, masked, first)
	require.True(t, u.srv.Valid(token))
	log := strings.ReplaceAll(rest+r.stderr, token, "***")
	assert.Contains(t, log, "Bearer ***\n")
	for _, secret := range u.secrets() {
		assert.NotContains(t, log, secret)
	}
	u.srv.SetSuspended(true)
	assert.NotZero(t, u.job(step.Run, "bash", "-e", "-c").status, "a job without a token fails")
}

// Promise: The blocks of the deployment document work as they stand.
func TestDeployGitLab(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var jobs map[string]struct{ Script []string }
	require.NoError(t, yaml.Unmarshal([]byte(deployment(t, "GitLab CI")[0]), &jobs))
	r := u.job(strings.Join(jobs["videos"].Script, "\n"), "sh", "-e", "-c")
	assert.Equal(t, result{0, "", ""}, r)
	assert.Equal(t, 1, u.srv.Counters().Authorized)
}
