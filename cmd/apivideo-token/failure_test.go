package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

// proxy has the user's requests for production and the sandbox end at h.
func (u *user) proxy(h http.HandlerFunc) {
	srv := httptest.NewServer(h)
	u.t.Cleanup(srv.Close)
	delete(u.env, baseURLVariable)
	u.env["HTTPS_PROXY"] = srv.URL
}

func TestFailureIsOneLineWithAdvice(t *testing.T) {
	const (
		again   = "; try again later, and check APIVIDEO_BASE_URL if it is set"
		nothing = "; check the network, the proxy and APIVIDEO_BASE_URL"
	)
	_, err := net.Dial("tcp", "127.0.0.1:1")     // fails in the words of the system
	dial := strings.TrimSuffix(err.Error(), ".") // Windows has sentences
	for name, c := range map[string]struct {
		spoil  func(u *user)
		line   string
		status int
	}{
		"no key": {
			func(u *user) { delete(u.env, keyVariable) },
			"there is no API key; set APIVIDEO_API_KEY, APIVIDEO_API_KEY_FILE to the name of a file that has it, or APIVIDEO_API_KEY_COMMAND", 78,
		},
		"an empty key": {
			func(u *user) { u.env[keyVariable] = "" },
			"there is no API key; set APIVIDEO_API_KEY, APIVIDEO_API_KEY_FILE to the name of a file that has it, or APIVIDEO_API_KEY_COMMAND", 78,
		},
		"the key of nobody": {
			func(u *user) { u.env[keyVariable] = "made-up-key-of-nobody" },
			"authenticate: 401 Unauthorized: The API key is invalid; check APIVIDEO_API_KEY and -sandbox: the sandbox and production have separate keys", 77,
		},
		"the key of nobody in a file": {
			func(u *user) { u.keyFile("made-up-key-of-nobody") },
			"authenticate: 401 Unauthorized: The API key is invalid; check the file of APIVIDEO_API_KEY_FILE and -sandbox: the sandbox and production have separate keys", 77,
		},
		"a key with a space": {
			func(u *user) { u.env[keyVariable] += " " },
			"APIVIDEO_API_KEY has spaces around it; remove them", 78,
		},
		"a file of two lines": {
			func(u *user) { u.keyFile("one-line\ntwo-lines\n") },
			"the file of APIVIDEO_API_KEY_FILE has control characters, perhaps a line break; remove them", 78,
		},
		"an empty file": {
			func(u *user) { u.keyFile("\n") },
			"the file of APIVIDEO_API_KEY_FILE is empty; put the API key into it", 78,
		},
		"two keys": {
			func(u *user) { u.env[keyFileVariable] = "key" },
			"APIVIDEO_API_KEY and APIVIDEO_API_KEY_FILE are set; use only one of them", 78,
		},
		"an endless file": {
			func(u *user) { u.keyFile(strings.Repeat("key", 5000)) },
			"the file of APIVIDEO_API_KEY_FILE is too long for an API key; the file must contain only the key", 78,
		},
		"a base URL without encryption": {
			func(u *user) { u.env[baseURLVariable] = "http://ws.api.video" },
			"APIVIDEO_BASE_URL must begin with https://; http is for loopback hosts only", 78,
		},
		"a base URL with the key": {
			func(u *user) { u.env[baseURLVariable] = "https://" + u.key() + "@ws.api.video" },
			"APIVIDEO_BASE_URL has a user name; remove it, the API key is all that is needed", 78,
		},
		"a suspended account": {
			func(u *user) { u.srv.SetSuspended(true) },
			"authenticate: 403 Forbidden: Suspended account; ask the support of api.video", 77,
		},
		"the service is down": {
			func(u *user) { u.fail(apivideotest.Status(http.StatusBadGateway)) },
			"authenticate: 502 Bad Gateway, text/html: Bad Gateway" + again, 75,
		},
		"the service is busy": {
			func(u *user) { u.fail(apivideotest.Status(http.StatusTooManyRequests).RetryAfter("90")) },
			"authenticate: 429 Too Many Requests: Too many requests; try again in 1m30s", 75,
		},
		"the service echoes the key": {
			func(u *user) { u.fail(apivideotest.Answer(400, "application/json", `{"title":"no\n`+u.key()+`"}`)) },
			"authenticate: 400 Bad Request: no [redacted]; check APIVIDEO_BASE_URL if it is set", 1,
		},
		"another service": {
			func(u *user) { u.fail(apivideotest.Answer(200, "text/html", "<html>"+u.key())) },
			"authenticate: the answer (200 OK, text/html) is unusable: it is not one JSON object" + again, 75,
		},
		"nobody is there": {
			func(u *user) { u.env[baseURLVariable] = "http://127.0.0.1:1" },
			"authenticate: POST http://127.0.0.1:1/auth/api-key: " + dial + nothing, 75,
		},
		"the connection breaks": {
			func(u *user) { u.fail(apivideotest.BreakBefore) },
			"authenticate: POST {base}/auth/api-key: EOF" + nothing, 75,
		},
		"the proxy is down, and has a password": {
			func(u *user) { delete(u.env, baseURLVariable); u.env["HTTPS_PROXY"] = "http://me:password@127.0.0.1:1" },
			"authenticate: POST https://ws.api.video/auth/api-key: proxyconnect tcp: " + dial + nothing, 75,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			c.spoil(u)
			line := u.failure(c.status)
			assert.Equal(t, "apivideo-token: "+strings.ReplaceAll(c.line, "{base}", u.env[baseURLVariable]), line)
		})
	}
}

// fail makes every auth call fail.
func (u *user) fail(fault apivideotest.Fault) {
	u.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return fault })
}

func TestKeyFileUnreadableIsNotNamed(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	delete(u.env, keyVariable)
	u.env[keyFileVariable] = u.key() // in the wrong variable
	_, err := os.ReadFile(u.key())
	assert.Equal(t, "apivideo-token: the file of APIVIDEO_API_KEY_FILE cannot be read: "+errors.Unwrap(err).Error(), u.failure(78))
	u.env[keyFileVariable] = t.TempDir()
	assert.Contains(t, u.failure(78), "cannot be read")
}

// Promise: A proxy's URL that cannot be used is exit status 78, and the message names its variable.
func TestProxyVariableIsASetting(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		for _, value := range []string{"http://me:made-up%tpassword@127.0.0.1:1", "127.0.0.1:port"} {
			u := newUser(t)
			u.env[name] = value
			line := "apivideo-token: " + name + " is not the URL of a proxy, such as http://proxy.example:3128"
			assert.Equal(t, strings.ToLower(line), strings.ToLower(u.failure(78)), "on Windows both names are one")
		}
	}
	for _, value := range []string{"127.0.0.1:1", "socks5://127.0.0.1:1"} {
		u := newUser(t)
		u.env["HTTPS_PROXY"] = value
		u.token() // the fake service is on this machine
	}
}

// Promise: A flag of the program works before the name of a command too; one without a meaning for the command is refused, and is not in its help.
// Promise: A mistyped command or flag is answered with the one that was meant.
func TestUsageErrorsRepeatNoSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const (
		see      = "; see apivideo-token -h"
		unknown  = "unknown flag or bad value" + see
		argument = "unknown command or argument" + see
	)
	for _, c := range []struct{ args, line string }{
		{"-bogus", "unknown flag -bogus" + see},
		{"--api-key=KEY", "unknown flag -api-key" + see},
		{"-KEY", unknown},
		{"-json=KEY", "-json takes no such value" + see},
		{"-=KEY", argument},
		{"-timeout", "-timeout needs a value" + see},
		{"KEY", argument},
		{"-header KEY", argument},
		{"-- -KEY", argument},
		{"-timeout KEY", "-timeout must be a time like 30s or 10m" + see},
		{"-timeout 0s", "-timeout must be a time like 30s or 10m" + see},
		{"-min-ttl -1s", "-min-ttl must be a time like 30s or 10m" + see},
		{"-min-ttl 10", "-min-ttl must be a time like 30s or 10m" + see},
		{"-header -json", "use only one of -header and -json"},
		{"-sandbox", "use only one of -sandbox and APIVIDEO_BASE_URL"},
		{"-reject", "-reject finds no token on standard input; pipe the refused one into it"},
		{"help KEY", "there is no help about that" + see},
		{"completion KEY", "completion takes the name of a shell: bash, zsh or fish"},
		{"status KEY", argument},
		{"status -bogus", "unknown flag -bogus; see apivideo-token help status"},
		{"staus", "unknown command; did you mean status? See apivideo-token -h"},
		{"chekc -v", "unknown command; did you mean check? See apivideo-token -h"},
		{"help staus", "there is no help about that; did you mean apivideo-token help status?"},
		{"-tiemout 5s", "unknown flag -tiemout; did you mean -timeout? See apivideo-token -h"},
		{"run -alow /videos -- true", "unknown flag -alow; did you mean -allow? See apivideo-token help run"},
		{"-allow /videos run -- true", "-allow goes after its command: run or serve; see apivideo-token help run"},
		{"-secret-file f serve", "-secret-file goes after its command: serve; see apivideo-token help serve"},
		{"run -timeout 5s -- true", "-timeout does not go with run; see apivideo-token help run"},
		{"-no-cache logout", "-no-cache does not go with logout; see apivideo-token help logout"},
		{"-header status", "-header does not go with status; see apivideo-token help status"},
		{"check -timeout 0", "-timeout must be a time like 30s or 10m; see apivideo-token help check"},
		{"-timeout -5s ready", "-timeout must be a time like 30s or 10m; see apivideo-token help ready"},
		{"run -audit= -- true", "-audit is empty; see apivideo-token help run"},
		{"serve -secret-file=", "-secret-file is empty; see apivideo-token help serve"},
		{"run", "run needs a program: apivideo-token run [flags] -- PROGRAM"},
		{"run -allow DELETE -- true", "-allow: the pattern \"DELETE\" must be a path, or a method and a path: 'GET /videos/{id}'"},
		{"run -allow /{ -- true", `-allow: the pattern "/{" is not valid: parsing "/{": at offset 1: bad wildcard segment (must end with '}')`},
		{"serve", "serve needs -secret-file FILE, with the secret that clients send as their API key"},
		{"serve -listen :8787", "-listen: the address is not loopback; other machines could use the account"},
		{"serve -listen 0.0.0.0:8787", "-listen: the address is not loopback; other machines could use the account"},
		{"serve -listen 8787", "-listen: the address must be like 127.0.0.1:8787 or unix:/path"},
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "KEY", u.key()))
		assert.Equal(t, "apivideo-token: "+c.line, u.failure(2, args...), c.args)
	}
	conflict := u.failure(2, "run", "-allow", "/{a}/b", "-allow", "/a/{b}", "--", "true")
	assert.Regexp(t, `^apivideo-token: -allow: the pattern "/a/\{b\}" is not valid: .*conflicts with pattern "/\{a\}/b"`, conflict)
	assert.Zero(t, u.srv.Counters().AuthCalls)
}

func TestTimeoutBoundsAuthCallAndLock(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.fail(apivideotest.Hang)
	holder := u.command("-timeout=5m") // has the lock, and waits for the service
	assert.NoError(t, holder.Start())
	defer func() {
		assert.NoError(t, holder.Process.Kill())
		assert.Error(t, holder.Wait())
	}()
	assert.Eventually(t, func() bool { return u.srv.Counters().AuthCalls == 1 }, patience, 5*time.Millisecond)

	// The server answers nobody: only the timeout ends these.
	for _, flags := range []string{"-timeout=500ms", "-timeout=500ms -no-cache", "-timeout=500ms -refresh"} {
		assert.Equal(t, "apivideo-token: no token within 500ms; check the network, or try a longer -timeout or -no-cache",
			u.failure(75, strings.Fields(flags)...))
	}
}

func TestTokenRetriesAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.Fail(apivideotest.Status(http.StatusBadGateway), apivideotest.BreakAfter)
	u.token()
}
