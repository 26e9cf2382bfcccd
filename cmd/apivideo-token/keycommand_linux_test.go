package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyCommand puts the API key into the output of a script instead of the
// environment. The script writes a line to the file ran each time.
func (u *user) keyCommand(script string) (ran string) {
	dir := u.t.TempDir()
	ran = filepath.Join(dir, "ran")
	delete(u.env, keyVariable)
	u.env["PATH"] = "/usr/bin:/bin"
	u.env[keyCommandVariable] = "echo >>" + ran + "; " + script
	return ran
}

func runs(t *testing.T, ran string) int {
	t.Helper()
	lines, err := os.ReadFile(ran)
	require.NoError(t, err)
	return len(lines)
}

// Promise: `APIVIDEO_API_KEY_COMMAND` has 5 seconds; an error names its status, and shows neither its output nor the key.
func TestKeyCommandGivesKey(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	ran := u.keyCommand("printf '%s\\r\\n' '" + u.key() + "'; cat; echo noise >&2")
	u.token()
	assert.Equal(t, 1, runs(t, ran))
	assert.Contains(t, u.ok("check"), "ok   key: the output of APIVIDEO_API_KEY_COMMAND has the form of an API key\n")
	assert.Equal(t, "the output of APIVIDEO_API_KEY_COMMAND", u.status().Key)
}

// Promise: `APIVIDEO_API_KEY_COMMAND` has 5 seconds; an error names its status, and shows neither its output nor the key.
func TestKeyCommandFails(t *testing.T) {
	t.Parallel()
	const cmd, byHand = "apivideo-token: the command of APIVIDEO_API_KEY_COMMAND ", "; run it by hand to see why"
	for script, line := range map[string]string{
		"echo KEY; echo KEY >&2; exit 3":         cmd + "failed: exit status 3" + byHand,
		"echo KEY; kill -KILL $$":                cmd + "failed: signal: killed" + byHand,
		"no-such-program KEY":                    cmd + "failed: exit status 127" + byHand,
		"true":                                   cmd + "printed nothing; it must print the API key",
		"echo":                                   cmd + "printed nothing; it must print the API key",
		"head -c 5000 /dev/zero | tr '\\0' x":    cmd + "printed more than 4096 bytes; it must print only the API key",
		"echo KEY; echo 'user: me'":              "apivideo-token: the output of APIVIDEO_API_KEY_COMMAND has control characters, perhaps a line break; remove them",
		"echo KEY; sleep 600":                    cmd + "did not end within 5s" + byHand,
		"echo KEY; sleep 600 & sleep 600; false": cmd + "did not end within 5s" + byHand,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.keyCommand(strings.ReplaceAll(script, "KEY", u.key()))
			assert.Equal(t, line, u.failure(78))
			assert.Equal(t, line, u.failure(78, "run", "--", "true"))
			assert.Zero(t, u.srv.Counters().AuthCalls)
		})
	}
	u := newUser(t)
	u.env[keyCommandVariable] = "true"
	assert.Equal(t, "apivideo-token: APIVIDEO_API_KEY and APIVIDEO_API_KEY_COMMAND are set; use only one of them", u.failure(78))
	u.keyCommand("echo made-up-key-of-nobody")
	assert.Contains(t, u.failure(77), "; check the output of APIVIDEO_API_KEY_COMMAND and -sandbox")
}

// What the command started in the background does not delay the key.
// Promise: `APIVIDEO_API_KEY_COMMAND` has 5 seconds; an error names its status, and shows neither its output nor the key.
func TestKeyCommandLeavesDaemonBehind(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.keyCommand("sleep 30 & echo " + u.key())
	u.token("-timeout=5m")
}

// Promise: `APIVIDEO_API_KEY_COMMAND` runs again only after the service rejected its key; the program of `run` does not get the variable.
func TestKeyCommandAskedAgainAfterRefusal(t *testing.T) {
	t.Parallel()
	u, next, change := newUserOfTwoKeys(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, []byte(u.key()), 0o600))
	ran := u.keyCommand("cat " + key)
	cmd := u.script(`pause() { touch ` + dir + `/at-$1; until [ -e ` + dir + `/go-$1 ]; do sleep 0.01; done; }
		env | grep -c COMMAND || true; call /videos; pause 1; call /videos; pause 2; call /videos`)
	arrive := func(n string) {
		require.Eventually(t, func() bool { _, err := os.Stat(dir + "/at-" + n); return err == nil }, patience, 5*time.Millisecond)
	}
	leave := func(n string) { require.NoError(t, os.WriteFile(dir+"/go-"+n, nil, 0o600)) }
	line, rest := u.start(cmd)
	assert.Equal(t, "0\n", line, "the program does not get the variable")
	arrive("1")
	u.srv.RevokeAccessTokens()
	u.srv.Fail(apivideotest.Status(http.StatusServiceUnavailable))
	leave("1")
	arrive("2")
	assert.Equal(t, 1, runs(t, ran), "the service did not refuse the key")
	require.NoError(t, os.WriteFile(key, []byte(next.key()), 0o600))
	change()
	leave("2")
	assert.Equal(t, "served\nserved\nserved\n", <-rest)
	require.NoError(t, cmd.Wait())
	assert.Equal(t, 2, runs(t, ran))
}
