package redisstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
)

// The test binary runs itself as the processes of a fleet. These variables of
// the environment tell a process what it is to do.
const (
	roleVar    = "REDISSTORE_TEST_ROLE"
	redisVar   = "REDISSTORE_TEST_REDIS"
	baseURLVar = "REDISSTORE_TEST_BASE_URL"
	apiKeyVar  = "APIVIDEO_API_KEY"
)

// roles are what a process may do. It begins when it is let and ends, with a
// report, when it is done or its standard input ends.
var roles = map[string]func(conf *apivideo.Config, input io.Reader) report{
	"token": getToken,
	"serve": callAPI,
}

// report is what a process says about what it did.
type report struct {
	Token    string
	Requests int
	Slowest  time.Duration
	Error    string // the first one
}

func TestMain(m *testing.M) {
	logging.Disable() // of go-redis, which tells of every dial that fails
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		flag.Set("test.parallel", "16") // for these tests wait more than they work
		os.Exit(m.Run())
	}
	conf := &apivideo.Config{
		APIKey:  os.Getenv(apiKeyVar),
		BaseURL: os.Getenv(baseURLVar),
		Store:   redisstore.New(redis.NewClient(&redis.Options{Addr: os.Getenv(redisVar)})),
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	json.NewEncoder(os.Stdout).Encode(role(conf, input))
}

// getToken gets one token, as a command-line tool would.
func getToken(conf *apivideo.Config, _ io.Reader) (r report) {
	start := time.Now()
	tok, err := conf.Source(context.Background()).Token()
	r.Slowest = time.Since(start)
	r.note(err)
	if err == nil {
		r.Token = tok.AccessToken
	}
	return r
}

// callAPI calls the API every 50 ms, as a service would.
func callAPI(conf *apivideo.Config, input io.Reader) (r report) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, input)
		close(ended)
	}()
	client := conf.Client(context.Background())
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		start := time.Now()
		r.note(call(client, conf.BaseURL+"/videos"))
		r.Requests++
		r.Slowest = max(r.Slowest, time.Since(start))
		select {
		case <-ticks.C:
		case <-ended:
			return r
		}
	}
}

// call makes one request, whose answer must be 200.
func call(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

func (r *report) note(err error) {
	if err != nil && r.Error == "" {
		r.Error = err.Error()
	}
}

// child is a process of the fleet.
type child struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
}

// startChild starts a process that waits until it is let.
func startChild(t *testing.T, role string, srv *apivideotest.Server, redis *redisServer) *child {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleVar+"="+role, redisVar+"="+redis.addr,
		baseURLVar+"="+srv.URL, apiKeyVar+"="+srv.Config().APIKey)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	c := &child{command, input, bufio.NewReader(output)}
	t.Cleanup(func() {
		c.command.Process.Kill()
		c.command.Wait()
	})
	return c
}

// startChildren starts n processes and waits until all of them wait.
func startChildren(t *testing.T, n int, role string, srv *apivideotest.Server, redis *redisServer) []*child {
	t.Helper()
	children := make([]*child, n)
	for i := range children {
		children[i] = startChild(t, role, srv, redis)
	}
	for _, c := range children {
		line, err := c.output.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
	}
	return children
}

// begin lets a process begin.
func (c *child) begin() { io.WriteString(c.input, "go\n") }

// report ends a process and returns what it reports.
func (c *child) report() (r report) {
	c.input.Close()
	if err := json.NewDecoder(c.output).Decode(&r); err != nil {
		r.Error = "no report: " + err.Error()
	}
	return r
}
