package main

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// try uses the service that these lines describe, as a client would: twice
// with a token, and once without.
func try(t *testing.T, lines string) (baseURL string) {
	t.Helper()
	baseURL, key, ok := strings.Cut(strings.TrimSuffix(lines, "\n"), "\n")
	require.True(t, ok, lines)
	baseURL, ok = strings.CutPrefix(baseURL, "APIVIDEO_BASE_URL=")
	require.True(t, ok, lines)
	key, ok = strings.CutPrefix(key, "APIVIDEO_API_KEY=")
	require.True(t, ok, lines)

	client := (&apivideo.Config{APIKey: key, BaseURL: baseURL}).Client(t.Context())
	defer client.CloseIdleConnections()
	resp, err := client.Post(baseURL+"/videos", "application/json", strings.NewReader(`{"title":"A"}`))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 201, resp.StatusCode)
	resp, err = client.Get(baseURL + "/videos")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 200, resp.StatusCode)
	resp, err = client.Post(baseURL+"/upload", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 401, resp.StatusCode)
	return baseURL
}

const summary = `auth calls:                 1 (with the API key 1, with a refresh token 0, refused 0)
authorized API calls:       2
delegated uploads:          0
unauthorized API calls:     1
`

// lines is a writer that hands out what is written, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l <- line
	}
	return len(p), nil
}

// two waits for two lines.
func (l lines) two(t *testing.T) (text string) {
	t.Helper()
	for range 2 {
		select {
		case line := <-l:
			text += line
		case <-time.After(time.Minute):
			require.Fail(t, "the lines do not come", text)
		}
	}
	return text
}

func TestRunPrintsBaseURLKeyAndSummary(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	ctx, end := context.WithCancel(t.Context())
	stdout, ended := make(lines, 10), make(chan error)
	var stderr bytes.Buffer
	go func() { ended <- run(ctx, srv, stdout, &stderr) }()
	try(t, stdout.two(t))
	end()
	require.NoError(t, <-ended)
	assert.Equal(t, summary, stderr.String())
	assert.Empty(t, stdout, "nothing else is printed")
}

func TestRunFailsWithoutStandardOutput(t *testing.T) {
	assert.EqualError(t, run(t.Context(), apivideotest.NewUnstartedServer(), broken{}, nil), "broken")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestArgumentsAreRefused(t *testing.T) {
	program, err := childtest.Build(t.TempDir(), ".")
	require.NoError(t, err)
	out, err := exec.Command(program, "-h").CombinedOutput()
	exit, _ := errors.AsType[*exec.ExitError](err)
	require.NotNil(t, exit)
	assert.Equal(t, 2, exit.ExitCode())
	assert.Equal(t, "standin: it takes no arguments\n", string(out))
}
