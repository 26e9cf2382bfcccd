// Package node runs the official Node.js client, as it is published, against
// apivideotest and apivideo-standin: directly, and behind the proxy of
// apivideo-token. It needs node
// and npm; npm ci fetches the client if it is not there.
package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The built programs apivideo-token and apivideo-standin.
var tool, standin string

func TestMain(m *testing.M) { os.Exit(prepare(m)) }

func prepare(m *testing.M) int {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if tool, err = childtest.Build(dir, "../../cmd/apivideo-token"); err == nil {
		standin, err = childtest.Build(dir, "../../cmd/apivideo-standin")
	}
	if err == nil {
		err = install()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// install fetches the client if it is not there.
func install() error {
	if _, err := os.Stat(filepath.Join("node_modules", "@api.video", "nodejs-client")); err == nil {
		return nil
	}
	if out, err := exec.Command("npm", "ci", "--ignore-scripts").CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

// answer is what a command of client.js prints.
type answer struct {
	VideoID     string `json:"videoId"`
	Title       string
	Description string
	Tags        []string
	CreatedAt   time.Time
	Token       string // for uploads
	AccessToken string
	ExpiresIn   int
	Data        []struct{ Title string }
	Pagination  struct{ ItemsTotal, PagesTotal int }
	Environment map[string]string
	Pages       []struct{ Data []struct{ Title string } }

	Error   int // the status, 0 if the command succeeded
	Problem apivideo.Problem
}

// run runs a command of client.js with this API key.
func run(t *testing.T, srv *apivideotest.Server, key, command string, args ...string) (a answer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"client.js", command}, args...)...)
	cmd.Env = append(os.Environ(), "APIVIDEO_BASE_URL="+srv.URL, "APIVIDEO_API_KEY="+key, "NO_PROXY=127.0.0.1")
	return answerOf(t, cmd)
}

// answerOf runs a program that starts client.js.
func answerOf(t *testing.T, cmd *exec.Cmd) (a answer) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	require.NoError(t, json.Unmarshal(out, &a), "%s", out)
	return a
}

// succeed runs a command that must succeed, with the server's key.
func succeed(t *testing.T, srv *apivideotest.Server, command string, args ...string) answer {
	t.Helper()
	a := run(t, srv, srv.Config().APIKey, command, args...)
	require.Zero(t, a.Error, a.Problem.Title)
	return a
}

// assertRefused asserts that a command was refused for this reason.
func assertRefused(t *testing.T, a answer, problem string) {
	t.Helper()
	assert.Equal(t, http.StatusUnauthorized, a.Error)
	assert.Equal(t, apivideotest.Problem(problem), a.Problem)
}

// create makes a video without the client, which takes its time to start.
func create(t *testing.T, srv *apivideotest.Server, title string) (id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/videos", strings.NewReader(fmt.Sprintf(`{"title":%q}`, title)))
	require.NoError(t, err)
	req.SetBasicAuth(srv.Config().APIKey, "")
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var made answer
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&made))
	require.NotEmpty(t, made.VideoID)
	return made.VideoID
}

func newServer(t *testing.T) *apivideotest.Server {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	return srv
}

// film makes a file of random bytes.
func film(t *testing.T, size int) (name string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(content)
	name = filepath.Join(t.TempDir(), "film.mp4")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	return name, content
}

func TestClientCreatesReadsUpdatesDeletes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	created := succeed(t, srv, "create", "A")
	assert.Equal(t, []string{"a", "b"}, created.Tags)
	assert.WithinDuration(t, time.Now(), created.CreatedAt, time.Minute)
	succeed(t, srv, "update", created.VideoID, "B")
	read := succeed(t, srv, "get", created.VideoID)
	assert.Equal(t, []string{"A", "B"}, []string{read.Title, read.Description})
	succeed(t, srv, "delete", created.VideoID)
	a := run(t, srv, srv.Config().APIKey, "get", created.VideoID)
	assert.Equal(t, "The requested resource was not found.", a.Problem.Title)
	c := srv.Counters()
	assert.Equal(t, []int{0, 5, 0}, []int{c.AuthCalls, c.Authorized, c.Unauthorized}, "it sends the key with each call")
}

func TestClientListsInPages(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for i := range 3 {
		create(t, srv, strconv.Itoa(i+1))
	}
	page := succeed(t, srv, "list", "2", "2")
	require.Len(t, page.Data, 1)
	assert.Equal(t, "3", page.Data[0].Title)
	assert.Equal(t, []int{3, 2}, []int{page.Pagination.ItemsTotal, page.Pagination.PagesTotal})
}

func TestClientUploads(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	small, smallContent := film(t, 1000)
	large, largeContent := film(t, 11<<20) // 3 parts
	for name, upload := range map[string]struct {
		args  func(id string) []string
		calls int
		want  []byte
	}{
		"in one piece": {func(id string) []string { return []string{"upload", id, small} }, 1, smallContent},
		"in parts":     {func(id string) []string { return []string{"upload", id, large} }, 3, largeContent},
		"progressive":  {func(id string) []string { return []string{"progressive", id, small, small} }, 2, bytes.Repeat(smallContent, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			id := create(t, srv, name)
			before := srv.Counters().Authorized
			args := upload.args(id)
			assert.Equal(t, id, succeed(t, srv, args[0], args[1:]...).VideoID)
			assert.Equal(t, upload.calls, srv.Counters().Authorized-before)
			assert.True(t, bytes.Equal(upload.want, srv.UploadedFile(id)))
		})
	}
}

func TestClientUploadsWithUploadToken(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	file, content := film(t, 1000)
	token := succeed(t, srv, "uploadToken", "60").Token

	// Without a key: the upload token is enough.
	whole := run(t, srv, "", "delegated", token, file)
	assert.Equal(t, "film.mp4", whole.Title)
	assert.True(t, bytes.Equal(content, srv.UploadedFile(whole.VideoID)))
	parts := run(t, srv, "", "delegatedProgressive", token, file, file, file)
	assert.True(t, bytes.Equal(bytes.Repeat(content, 3), srv.UploadedFile(parts.VideoID)))

	succeed(t, srv, "endUploadToken", token)
	assertRefused(t, run(t, srv, "", "delegated", token, file), "authentication-invalid-upload-token")
	expired := srv.IssueUploadToken(time.Nanosecond)
	assertRefused(t, run(t, srv, "", "delegated", expired, file), "authentication-invalid-upload-token")
	revoked := srv.IssueUploadToken(0)
	srv.RevokeUploadToken(revoked)
	assertRefused(t, run(t, srv, srv.Config().APIKey, "delegated", revoked, file), "authentication-invalid-upload-token")
	assertRefused(t, run(t, srv, "", "delegated", "", file), "authentication-missing-upload-token")
	assert.Equal(t, 4, srv.Counters().Delegated)
}

func TestClientKeyIsRefused(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	assertRefused(t, run(t, srv, "made-up-key", "list", "1", "1"), "authentication-invalid-api-key")
	assertRefused(t, run(t, srv, "", "list", "1", "1"), "authentication-missing-authorization-header")
	key := srv.Config().APIKey
	succeed(t, srv, "list", "1", "1")
	srv.DeleteKey(key)
	assertRefused(t, run(t, srv, key, "list", "1", "1"), "authentication-invalid-api-key")
	srv.AddKey()
	succeed(t, srv, "list", "1", "1")
}

func TestClientAccessTokenExpiresOrIsRevoked(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	list := func(token string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/videos", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	long := succeed(t, srv, "accessToken")
	assert.Equal(t, 3600, long.ExpiresIn)
	assert.Equal(t, http.StatusOK, list(long.AccessToken))
	srv.SetLifetime(time.Second)
	brief := succeed(t, srv, "accessToken")
	assert.Equal(t, 1, brief.ExpiresIn)
	time.Sleep(time.Second)
	assert.Equal(t, http.StatusUnauthorized, list(brief.AccessToken))
	srv.RevokeAccessTokens()
	assert.Equal(t, http.StatusUnauthorized, list(long.AccessToken))
}
