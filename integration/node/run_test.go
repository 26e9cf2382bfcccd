package node

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keeper runs client.js behind the proxy of apivideo-token, which keeps the API
// key from it.
type keeper struct {
	t     *testing.T
	srv   *apivideotest.Server
	url   string   // where the proxy finds the service
	cache string   // shared by the runs of one keeper
	flags []string // for apivideo-token run
}

func newKeeper(t *testing.T, flags ...string) *keeper {
	srv := newServer(t)
	return &keeper{t, srv, srv.URL, t.TempDir(), flags}
}

// command runs a program behind the proxy.
func (k *keeper) command(program ...string) *exec.Cmd {
	args := append(append([]string{"run"}, k.flags...), "--")
	cmd := exec.CommandContext(k.t.Context(), tool, append(args, program...)...)
	cmd.Env = append(os.Environ(), "APIVIDEO_BASE_URL="+k.url, "APIVIDEO_API_KEY="+k.srv.Config().APIKey,
		"XDG_CACHE_HOME="+k.cache)
	return cmd
}

// run runs a command of client.js.
func (k *keeper) run(args ...string) answer {
	k.t.Helper()
	return answerOf(k.t, k.command(append([]string{"node", "client.js"}, args...)...))
}

// succeed runs a command of client.js that must succeed.
func (k *keeper) succeed(args ...string) answer {
	k.t.Helper()
	a := k.run(args...)
	require.Zero(k.t, a.Error, a.Problem.Title)
	return a
}

// afterPart has the service call f after it answered the parts of uploads, with
// how many it has accepted.
func (k *keeper) afterPart(f func(parts int)) {
	var parts atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusWriter{ResponseWriter: w}
		k.srv.ServeHTTP(status, r)
		if strings.HasSuffix(r.URL.Path, "/source") && status.code < http.StatusBadRequest {
			f(int(parts.Add(1)))
		}
	}))
	k.t.Cleanup(front.Close)
	k.url = front.URL
}

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func TestProxyServesClient(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	file, content := film(t, 11<<20) // 3 parts
	id := k.succeed("create", "A").VideoID
	assert.Equal(t, id, k.succeed("upload", id, file).VideoID)
	assert.True(t, bytes.Equal(content, k.srv.UploadedFile(id)))
	listed := k.succeed("list", "1", "10")
	require.Len(t, listed.Data, 1)
	assert.Equal(t, "A", listed.Data[0].Title)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1, Authorized: 5}, k.srv.Counters(), "the runs share a token")
}

// revokes has the service end the access token three times while a video is
// uploaded in parts, and issue one that expires.
func (k *keeper) revokes() {
	k.afterPart(func(parts int) {
		switch parts {
		case 1, 2, 3:
			k.srv.RevokeAccessTokens()
		case 4: // the token of part 4 is the last that lives an hour
			k.srv.SetLifetime(2 * time.Second)
			k.srv.RevokeAccessTokens()
		case 5:
			<-time.After(2 * time.Second)
		}
	})
}

func (k *keeper) assertUploaded(id string, content []byte) {
	k.t.Helper()
	assert.True(k.t, bytes.Equal(content, k.srv.UploadedFile(id)))
	c := k.srv.Counters()
	assert.GreaterOrEqual(k.t, c.Unauthorized, 4)
	assert.GreaterOrEqual(k.t, c.AuthCalls, 6, "the first, one for each revocation, and one when the token expired")
}

// The client cuts the file, and the proxy streams its parts of 5 MiB.
func TestProxyUploadSurvivesRevocations(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.revokes()
	id := create(t, k.srv, "A")
	file, content := film(t, 26<<20) // 6 parts
	assert.Equal(t, id, k.succeed("upload", id, file).VideoID)
	k.assertUploaded(id, content)
}

// The proxy keeps parts of up to 1 MiB in memory.
func TestProxyProgressiveUploadSurvivesRevocations(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.revokes()
	id := create(t, k.srv, "A")
	part, content := film(t, 100<<10)
	assert.Equal(t, id, k.succeed("progressive", id, part, part, part, part, part, part).VideoID)
	k.assertUploaded(id, bytes.Repeat(content, 6))
}

func TestProxyFiftyCallsMakeOneAuthCall(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	assert.Len(t, k.succeed("lists", "50").Pages, 50)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1, Authorized: 50}, k.srv.Counters())
}

func TestProxyRefusesWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, "-allow", "POST /videos", "-allow", "GET /videos")
	id := create(t, k.srv, "A")
	refused := k.run("delete", id)
	assert.Equal(t, http.StatusForbidden, refused.Error)
	assert.Equal(t, "No -allow pattern matches DELETE /videos/"+id+".", refused.Problem.Title)
	assert.Equal(t, 1, k.succeed("list", "1", "10").Pagination.ItemsTotal)
}

func TestProxyHidesKeyAndToken(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	env := k.succeed("environment").Environment
	assert.Regexp(t, `^[0-9a-f]{64}$`, env["APIVIDEO_API_KEY"])
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, env["APIVIDEO_BASE_URL"])
	assert.NotEqual(t, k.url, env["APIVIDEO_BASE_URL"])
	for name, value := range env {
		assert.NotContains(t, value, k.srv.Config().APIKey, name)
	}
	token := k.succeed("accessToken").AccessToken
	assert.NotEmpty(t, token)
	assert.False(t, k.srv.Valid(token), "it is the proxy's")
	assert.Equal(t, 1, k.srv.Counters().AuthCalls, "the proxy's own, to know whether the service takes the key")
}

func TestProxyRefusesWrongSecret(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	cmd := k.command("env", "APIVIDEO_API_KEY=made-up-secret", "node", "client.js", "list", "1", "1")
	assertRefused(t, answerOf(t, cmd), "authentication-invalid-api-key")
	// The real key is no secret of the proxy.
	cmd = k.command("env", "APIVIDEO_API_KEY="+k.srv.Config().APIKey, "node", "client.js", "list", "1", "1")
	assertRefused(t, answerOf(t, cmd), "authentication-invalid-api-key")
	assert.Zero(t, k.srv.Counters())
}

func TestProxyServiceDown(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.srv.Close()
	a := k.run("list", "1", "1")
	assert.Equal(t, http.StatusBadGateway, a.Error)
	assert.Contains(t, a.Problem.Title, "connection refused")

	busy := newKeeper(t)
	busy.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(http.StatusServiceUnavailable) })
	a = busy.run("list", "1", "1")
	assert.Equal(t, http.StatusBadGateway, a.Error)
	assert.Contains(t, a.Problem.Title, "503 Service Unavailable")
}

// The program has the client's default URL, as most programs do.
func TestInterceptServesUnchangedProgram(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, "-intercept", "-allow", "/videos", "-allow", "/videos/")
	unchanged := func(args ...string) answer {
		return answerOf(t, k.command(append([]string{"env", "-u", "APIVIDEO_BASE_URL", "node", "client.js"}, args...)...))
	}
	file, content := film(t, 11<<20) // 3 parts
	id := unchanged("create", "A").VideoID
	require.NotEmpty(t, id)
	assert.Equal(t, id, unchanged("upload", id, file).VideoID)
	assert.True(t, bytes.Equal(content, k.srv.UploadedFile(id)))
	assert.Equal(t, http.StatusForbidden, unchanged("uploadToken", "60").Error, "what -allow does not name")
}
