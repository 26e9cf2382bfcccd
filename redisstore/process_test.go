package redisstore_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test binary runs itself as the processes of a fleet. These environment
// variables tell a process what to do.
const (
	roleVar    = "REDISSTORE_TEST_ROLE"
	redisVar   = "REDISSTORE_TEST_REDIS"
	baseURLVar = "REDISSTORE_TEST_BASE_URL"
	apiKeyVar  = "APIVIDEO_API_KEY"
)

// roles are the tasks of a process. It begins when it reads a line. It ends
// when it is done, or when its standard input ends. It returns a token, or its
// first error.
var roles = map[string]func(conf *apivideo.Config, input io.Reader) (token string, err error){
	"token": getToken,
	"serve": callAPI,
}

// report is the output of a process.
type report struct{ Token, Error string }

func TestMain(m *testing.M) {
	logging.Disable() // go-redis logs every dial that fails
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		flag.Set("test.parallel", "16") // these tests wait more than they work
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
	token, err := role(conf, input)
	r := report{Token: token}
	if err != nil {
		r.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(r)
}

// getToken gets one token, as a command-line tool would.
func getToken(conf *apivideo.Config, _ io.Reader) (string, error) {
	tok, err := conf.Source(context.Background()).Token()
	if err != nil {
		return "", err
	}
	return tok.AccessToken, nil
}

// callAPI calls the API every 50 ms, as a service would.
func callAPI(conf *apivideo.Config, input io.Reader) (_ string, err error) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, input)
		close(ended)
	}()
	client := conf.Client(context.Background())
	for {
		err = cmp.Or(err, call(client, conf.BaseURL+"/videos"))
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ended:
			return "", err
		}
	}
}

// call makes one request. Its answer must be 200.
func call(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// child is a process of the fleet.
type child struct{ *childtest.Child }

// startChildren starts n processes and waits until all of them are ready.
func startChildren(t *testing.T, n int, role string, srv *apivideotest.Server, redis *redisServer, env ...string) []*child {
	t.Helper()
	env = append(env, roleVar+"="+role, redisVar+"="+redis.addr, baseURLVar+"="+srv.URL, apiKeyVar+"="+srv.Config().APIKey)
	children := make([]*child, n)
	for i := range children {
		children[i] = &child{childtest.Start(t, childtest.Self(env...))}
	}
	for _, c := range children {
		require.Equal(t, "ready", c.Line())
	}
	return children
}

// begin lets a process begin.
func (c *child) begin() { io.WriteString(c.Input, "go\n") }

// report ends a process and returns its report.
func (c *child) report() (r report) {
	c.Input.Close()
	if err := json.Unmarshal([]byte(c.Rest()), &r); err != nil {
		r.Error = "no report: " + err.Error()
	}
	return r
}

// In this mode, SHA-1 panics.
func TestStoreWorksInFIPSOnlyMode(t *testing.T) {
	srv, redis := newService(t), newRedis(t)
	for _, c := range startChildren(t, 2, "token", srv, redis, "GODEBUG=fips140=only") {
		c.begin()
		r := c.report()
		assert.Empty(t, r.Error)
		assert.True(t, srv.Valid(r.Token))
	}
	assert.Equal(t, oneExchange, srv.Counters())
}
