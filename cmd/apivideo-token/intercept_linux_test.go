package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// account gives the user an internet with both environments and another host, and
// a key for the environment that he uses.
func (u *user) withInternet(sandbox bool) (own *apivideotest.Server) {
	production, other := apivideotest.NewServer(), apivideotest.NewServer()
	u.t.Cleanup(production.Close)
	u.t.Cleanup(other.Close)
	u.internet(map[string]http.Handler{
		"ws.api.video": production, "sandbox.api.video": other,
		"host.example": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "another host, "+r.URL.Path+" "+r.Header.Get("Proxy-Authorization")+"\n")
		}),
	})
	own = production
	if sandbox {
		own = other
	}
	u.env[keyVariable] = own.Config().APIKey
	u.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	return own
}

// ask makes requests with curl and prints a line for each: the status, the
// version of HTTP, and the body.
const ask = `ask() { curl -sS -H content-type:text/plain -w '%{stderr}%{http_code} %{http_version} ' "$@" 2>&1 | tr -d '\n'; echo; }
	key="-u $APIVIDEO_API_KEY:"; `

// Promise: `run -intercept` serves programs that use their client's default URL.
func TestInterceptServesDefaultURL(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	srv := u.withInternet(false)
	srv.HandleFunc("POST /videos", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	audit := filepath.Join(t.TempDir(), "audit")
	got := u.runScript(ask+`
		ask $key https://ws.api.video/videos -d one
		ask $key https://WS.api.video:443/videos -d two --http1.1
		ask $key https://ws.api.video/videos -d three --tls-max 1.2
		ask $key https://ws.api.video/videos -X DELETE
		ask -u a-real-key: https://ws.api.video/videos -d four
		ask $key https://sandbox.api.video/videos -d five
		ask $key "$APIVIDEO_BASE_URL/videos" -d six
		ask https://host.example/path`, "-intercept", "-allow", "POST /videos", "-audit", audit)
	require.Equal(t, result{0, got.stdout, ""}, got)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	require.Len(t, lines, 8)
	for i, want := range []string{
		`^one200 2 $`, `^two200 1\.1 $`, `^three200 2 $`,
		`"title":"No -allow pattern matches DELETE /videos\.","status":403\}403 2 $`,
		`"title":"The API key is invalid\.","status":401,"detail":"This is apivideo-token, .*\}401 2 $`,
		`"title":"This run has a key for ws\.api\.video, not for sandbox\.api\.video\. .*","status":421\}421 2 $`,
		`^six200 1\.1 $`,
		`^another host, /path 200 \d\S*$`, // with its own certificate, by the user's own proxy
	} {
		assert.Regexp(t, want, lines[i])
	}
	paths := map[string]int{}
	for _, e := range entries(t, audit) {
		paths[e.Method+" "+e.Path]++
	}
	assert.Equal(t, map[string]int{"CONNECT ": 7, "POST /videos": 6, "DELETE /videos": 1}, paths)
}

func TestInterceptServesTheSandboxForItsKey(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	srv := u.withInternet(true)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "sandbox") })
	got := u.runScript(ask+`ask $key https://sandbox.api.video/videos; ask $key https://ws.api.video/videos`, "-sandbox", "-intercept")
	assert.Regexp(t, `^sandbox200 2 \n.*"status":421\}421 2 \n$`, got.stdout)
}

// With another base URL, both hosts lead there.
func TestInterceptServesBothHostsForAnotherURL(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "own") })
	got := u.runScript(ask+`ask $key https://sandbox.api.video/videos; ask $key https://ws.api.video/videos`, "-intercept")
	assert.Equal(t, result{0, "own200 2 \nown200 2 \n", ""}, got)
}

// Neither a stranger nor a program that has no secret goes out through run.
//
// Promise: Tunnels of `run -intercept` need the secret.
func TestInterceptTunnelsNeedTheSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.withInternet(false)
	got := u.runScript(`
		at=${HTTPS_PROXY##*@}
		try() { curl -sS -o /dev/null -w '%{http_connect} %{http_code}\n' "$@" 2>/dev/null || true; }
		try -x "http://$at" https://host.example/
		try -x "http://me:wrong@$at" https://host.example/
		try -x "http://$APIVIDEO_API_KEY@$at" https://host.example/
		try -x "http://$at" -u "$APIVIDEO_API_KEY:" https://ws.api.video/videos
		try -x "http://$at" https://ws.api.video/videos
		try -x "$HTTPS_PROXY" https://127.0.0.1:1/
		printf 'GET https://host.example/x HTTP/1.1\r\nHost: host.example\r\nConnection: close\r\n\r\n' | curl -s telnet://$at | head -1`, "-intercept")
	assert.Equal(t, "407 000\n407 000\n200 200\n200 200\n200 401\n502 000\nHTTP/1.1 407 Proxy Authentication Required\r\n", got.stdout, got.stderr)
}

// A process that the program leaves behind keeps a tunnel open. It is logged.
func TestInterceptTunnelsEndWithTheRun(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	host, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer host.Close()
	audit := filepath.Join(t.TempDir(), "audit")
	got := u.runScript(`at=${HTTPS_PROXY##*@}
		exec 3<>/dev/tcp/${at%:*}/${at#*:}
		printf 'CONNECT `+host.Addr().String()+` HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic %s\r\n\r\n' \
			"$(printf %s "apivideo:$APIVIDEO_API_KEY" | base64 -w0)" >&3
		read -r -u 3 line
		echo "$line"
		sleep 5 >&- 2>&- &`, "-intercept", "-audit", audit)
	require.Equal(t, result{0, "HTTP/1.1 200 Connection established\r\n", ""}, got)
	all := entries(t, audit)
	require.Len(t, all, 1)
	assert.Equal(t, "CONNECT", all[0].Method)
	assert.Equal(t, 200, all[0].Status)
}

// Some clients send the URL to a proxy instead of CONNECT.
func TestInterceptServesAbsoluteURLs(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	srv := u.withInternet(false)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	got := u.runScript(`
		at=${HTTPS_PROXY##*@} auth=$(printf %s "apivideo:$APIVIDEO_API_KEY" | base64 -w0)
		send() { printf '%b' "$1" | curl -s telnet://$at | tail -1; echo; }
		send "GET https://ws.api.video/videos HTTP/1.1\r\nHost: ws.api.video\r\nAuthorization: Basic $(printf %s "$APIVIDEO_API_KEY:" | base64 -w0)\r\nConnection: close\r\n\r\n"
		send "GET https://host.example/x HTTP/1.1\r\nHost: host.example\r\nProxy-Authorization: Basic $auth\r\nConnection: close\r\n\r\n"`, "-intercept")
	assert.Equal(t, "served\nanother host, /x \n\n", got.stdout, got.stderr)
}

func TestInterceptKeepsTheUsersSettings(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.withInternet(false)
	u.env["NO_PROXY"], u.env["HTTP_PROXY"] = "a.example,.api.video,::1,[::1]:80,10.0.0.0/8,api.video:443,video", "http://127.0.0.1:1"
	u.env["JAVA_TOOL_OPTIONS"], u.env["PHP_INI_SCAN_DIR"] = "-Xmx9m", "/made-up"
	got := u.runScript(`for name in NO_PROXY no_proxy HTTP_PROXY PHP_INI_SCAN_DIR NODE_USE_ENV_PROXY JAVA_TOOL_OPTIONS; do echo "$name=${!name}"; done`, "-intercept")
	assert.Regexp(t, `^NO_PROXY=a\.example,::1,\[::1\]:80,10\.0\.0\.0/8,127\.0\.0\.1
no_proxy=a\.example,::1,\[::1\]:80,10\.0\.0\.0/8,127\.0\.0\.1
HTTP_PROXY=http://127\.0\.0\.1:1
PHP_INI_SCAN_DIR=/made-up:/.*/php
NODE_USE_ENV_PROXY=1
JAVA_TOOL_OPTIONS=-Xmx9m -Djavax\.net\.ssl\.trustStore=/.*/java\.p12 -D.* -Dhttps\.proxyHost=127\.0\.0\.1 -Dhttps\.proxyPort=\d+
$`, got.stdout)
	u.env["NO_PROXY"] = "*"
	got = u.runScript(`echo "<$NO_PROXY$HTTP_PROXY$http_proxy>"`, "-intercept")
	assert.Equal(t, result{0, "<>\n", ""}, got, "the user wants no proxy at all")
	u.env["NODE_EXTRA_CA_CERTS"] = "/no/such/file"
	assert.Equal(t, "apivideo-token: the file of NODE_EXTRA_CA_CERTS cannot be read: no such file or directory", u.failure(78, "run", "-intercept", "--", "true"))
}

// The authority and its files are for this run only.
//
// Promise: The files of `run -intercept` are private, and removed at the end.
func TestInterceptLeavesNoFiles(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.withInternet(false)
	u.env["TMPDIR"] = t.TempDir()
	got := u.runScript(`dir=$(dirname "$SSL_CERT_FILE"); stat -c '%a %F' "$dir" "$dir"/*.*; grep -l PRIVATE -r "$dir" || true`, "-intercept")
	require.Equal(t, 0, got.status, got.stderr)
	for line := range strings.Lines(got.stdout) {
		assert.Regexp(t, `^(700 directory|600 regular file)\n$`, line)
	}
	assert.GreaterOrEqual(t, strings.Count(got.stdout, "600"), 5)
	left, err := os.ReadDir(u.env["TMPDIR"])
	require.NoError(t, err)
	assert.Empty(t, left)
}
