package filestore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/require"
)

// jobVariable is the environment variable that makes a process of this binary
// a child with a job.
const jobVariable = "FILESTORE_TEST_JOB"

// job is what a child is to do.
type job struct {
	Role            string // a key of roles
	Dir, Key        string // of the store
	BaseURL, APIKey string
}

func (j job) config() *apivideo.Config {
	return &apivideo.Config{APIKey: j.APIKey, BaseURL: j.BaseURL, Store: filestore.New(j.Dir)}
}

// roles are what children do, and what they report in the end. begin says that
// the child is ready, and blocks until the test lets it begin.
var roles = map[string]func(j job, begin func()) any{
	"token": func(j job, begin func()) any {
		src := j.config().Source(context.Background())
		begin()
		tok, err := src.Token()
		if err != nil {
			return tokenReport{Error: err.Error()}
		}
		return tokenReport{AccessToken: tok.AccessToken}
	},
	"requests": func(j job, begin func()) any {
		client := j.config().Client(context.Background())
		begin()
		return requestUntil(stdinClosed(), client, j.BaseURL+"/videos")
	},
	"holder": func(j job, begin func()) any {
		return filestore.New(j.Dir).Update(context.Background(), j.Key, func(context.Context, []byte) ([]byte, error) {
			begin()
			return []byte("of the holder"), nil
		})
	},
}

type tokenReport struct{ AccessToken, Error string }

type requestsReport struct {
	Served   int
	Failures []string
}

func requestUntil(end <-chan struct{}, client *http.Client, url string) (r requestsReport) {
	for {
		select {
		case <-end:
			return r
		case <-time.After(50 * time.Millisecond):
		}
		resp, err := client.Get(url)
		switch {
		case err != nil:
			r.Failures = append(r.Failures, err.Error())
			continue
		case resp.StatusCode != http.StatusOK:
			r.Failures = append(r.Failures, resp.Status)
		default:
			r.Served++
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func stdinClosed() <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	return closed
}

func TestMain(m *testing.M) {
	data := os.Getenv(jobVariable)
	if data == "" {
		os.Exit(m.Run())
	}
	var j job
	if err := json.Unmarshal([]byte(data), &j); err != nil {
		panic(err)
	}
	report := roles[j.Role](j, func() {
		fmt.Println("ready")
		os.Stdin.Read(make([]byte, 1))
	})
	json.NewEncoder(os.Stdout).Encode(report)
}

// child is a process with a job.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string // what it prints; closed at its end
}

// start starts a child. It has ended when the test has.
func start(t *testing.T, j job) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	data, err := json.Marshal(j)
	require.NoError(t, err)
	c := &child{cmd: exec.Command(exe), lines: make(chan string, 10)}
	c.cmd.Env = append(os.Environ(), jobVariable+"="+string(data))
	c.cmd.Stderr = os.Stderr
	c.stdin, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		c.kill()
		for range c.lines {
		}
		c.cmd.Wait()
	})
	return c
}

// startReady starts n children and waits until all are ready.
func startReady(t *testing.T, n int, j job) []*child {
	t.Helper()
	children := make([]*child, n)
	for i := range children {
		children[i] = start(t, j)
	}
	for _, c := range children {
		require.Equal(t, "ready", c.line(t))
	}
	return children
}

// line is the next line that c prints.
func (c *child) line(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-c.lines:
		require.True(t, ok, "the child has ended")
		return line
	case <-time.After(time.Minute):
		require.Fail(t, "the child says nothing")
		return ""
	}
}

// begin waits until c is ready and lets it begin.
func (c *child) begin(t *testing.T) {
	t.Helper()
	require.Equal(t, "ready", c.line(t))
	c.goAhead(t)
}

func (c *child) goAhead(t *testing.T) {
	t.Helper()
	_, err := c.stdin.Write([]byte{'\n'})
	require.NoError(t, err)
}

// report decodes the last line of a child.
func report[T any](t *testing.T, c *child) (r T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(c.line(t)), &r))
	return r
}

// kill ends the process as SIGKILL does: it gets no chance to clean up.
func (c *child) kill() { c.cmd.Process.Kill() }
