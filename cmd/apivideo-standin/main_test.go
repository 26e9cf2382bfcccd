package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// account reads the lines that the command prints.
func account(t *testing.T, lines string) (conf *apivideo.Config) {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(lines) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		require.True(t, ok, lines)
		values[name] = value
	}
	return &apivideo.Config{APIKey: values["APIVIDEO_API_KEY"], BaseURL: values["APIVIDEO_BASE_URL"]}
}

// try uses the service that these lines describe, as a client would: twice
// with a token, and once without.
func try(t *testing.T, lines string) (baseURL string) {
	t.Helper()
	conf := account(t, lines)
	client := conf.Client(t.Context())
	defer client.CloseIdleConnections()
	resp, err := client.Post(conf.BaseURL+"/videos", "application/json", strings.NewReader(`{"title":"A"}`))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 201, resp.StatusCode)
	resp, err = client.Get(conf.BaseURL + "/videos")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 200, resp.StatusCode)
	resp, err = client.Post(conf.BaseURL+"/upload", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 401, resp.StatusCode)
	return conf.BaseURL
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

// start runs the command until the test ends, and returns its first two lines.
func start(t *testing.T, stdout lines, args ...string) string {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- run(ctx, append([]string{"-quiet"}, args...), stdout, nil) }()
	t.Cleanup(func() {
		end()
		assert.NoError(t, <-ended)
	})
	return stdout.two(t)
}

func TestRunPrintsLinesRequestsSummary(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	stdout, ended := make(lines, 10), make(chan error)
	var stderr bytes.Buffer
	go func() { ended <- run(ctx, nil, stdout, &stderr) }()
	baseURL := try(t, stdout.two(t))
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, baseURL)
	end()
	require.NoError(t, <-ended)
	assert.Regexp(t, `(?m)^\d\d:\d\d:\d\d POST /videos 201 [\d.]+ ms$`, stderr.String())
	assert.True(t, strings.HasSuffix(stderr.String(), summary), &stderr)
	assert.Empty(t, stdout, "nothing else is printed")
}

// Promise: A taken port, a bad seed and an unknown flag are errors with their reason.
func TestRunMistakesHaveTheirReason(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		return name
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-made-up"}, "flag provided but not defined: -made-up"},
		{[]string{"made-up"}, `unknown argument "made-up"`},
		{[]string{"-limit=high"}, "it must be sandbox or production"},
		{[]string{"-listen", taken.Addr().String()}, "-listen " + taken.Addr().String() + ": "},
		{[]string{"-listen", "nonsense"}, "-listen nonsense: "},
		{[]string{"-seed", filepath.Join(t.TempDir(), "none")}, "-seed: open "},
		{[]string{"-seed", file("{\n\"videos\": [\n{\"title\": \"A\"},\n{\"titel\": \"B\"}]}")}, `: line 4: videos: there is no field "titel"`},
		{[]string{"-seed", file("{\n\"videos\": [,]}")}, ": line 2: invalid character ','"},
		{[]string{"-keep", file("")}, "-keep "},
	} {
		err := run(t.Context(), c.args, make(lines, 10), nil)
		assert.ErrorContains(t, err, c.want, c.args)
		var usage usageError
		assert.Equal(t, len(c.args) == 1, errors.As(err, &usage), c.args)
	}
}

func TestRunHelp(t *testing.T) {
	var stdout bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, &stdout, nil))
	assert.Equal(t, help, stdout.String())
	for _, flag := range []string{"-listen", "-tls", "-seed", "-limit", "-keep", "-quiet", "/_control/requests"} {
		assert.Contains(t, help, flag)
	}
}

func TestRunFailsWithoutStandardOutput(t *testing.T) {
	assert.EqualError(t, run(t.Context(), []string{"-quiet"}, broken{}, nil), "broken")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestListenOnAllAddressesNamesLoopback(t *testing.T) {
	for listen, want := range map[string]string{":0": "http://127.0.0.1:", "0.0.0.0:0": "http://127.0.0.1:", "localhost:0": "http://localhost:"} {
		assert.Contains(t, start(t, make(lines, 10), "-listen", listen), "APIVIDEO_BASE_URL="+want)
	}
}

// build returns the name of the built program.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "standin")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

func TestExitStatusAndMessage(t *testing.T) {
	program := build(t)
	for status, args := range map[int][]string{2: {"-made-up"}, 1: {"-seed", filepath.Join(t.TempDir(), "none")}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		exit, _ := errors.AsType[*exec.ExitError](err)
		require.NotNil(t, exit)
		assert.Equal(t, status, exit.ExitCode())
		assert.Regexp(t, `^apivideo-standin: .+\n$`, string(out))
	}
}
