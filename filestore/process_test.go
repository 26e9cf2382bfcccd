package filestore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// becomeUser makes a process of root one of a user, where that is possible.
var becomeUser = func() error { return nil }

// TestMain also runs child processes, which have arguments: a role, and where
// to get a token.
func TestMain(m *testing.M) {
	if len(os.Args) != 5 || os.Args[1] != "child" && os.Args[1] != "user" {
		os.Exit(m.Run())
	}
	if os.Args[1] == "user" {
		if err := becomeUser(); err != nil {
			log.Fatal(err)
		}
	}
	conf := &apivideo.Config{Store: filestore.New(os.Args[2]), BaseURL: os.Args[3], APIKey: os.Args[4]}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) // until the test closes it
	tok, err := conf.Source(context.Background()).Token()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.AccessToken)
}

// group is a number of processes that get a token each.
type group []*childtest.Child

// start starts n processes and waits until all are ready.
func start(t *testing.T, n int, role, dir string, conf *apivideo.Config) (g group) {
	t.Helper()
	for range n {
		cmd := childtest.Self()
		cmd.Args = append(cmd.Args, role, dir, conf.BaseURL, conf.APIKey)
		g = append(g, childtest.Start(t, cmd))
	}
	require.Equal(t, "ready", g.line(t))
	return g
}

// begin lets all processes begin.
func (g group) begin() {
	for _, c := range g {
		c.Input.Close()
	}
}

// line waits for a line of each process. All must be equal.
func (g group) line(t *testing.T) (line string) {
	t.Helper()
	for i, c := range g {
		next := c.Line()
		require.True(t, i == 0 || next == line, "%q and %q", line, next)
		line = next
	}
	return line
}

func TestStore100ProcessesMakeOneExchange(t *testing.T) {
	srv, dir := apivideotest.NewServer(), filepath.Join(t.TempDir(), "store")
	defer srv.Close()
	srv.SetAuthLatency(200 * time.Millisecond)
	g := start(t, 100, "child", dir, srv.Config())
	g.begin()
	token := g.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, srv.Counters())
	for _, f := range list(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		for _, secret := range []string{srv.Config().APIKey, token} {
			assert.False(t, bytes.Contains(content, []byte(secret[:16])), "the value is not sealed")
		}
	}
}

func TestStoreKilledProcessFreesTheLock(t *testing.T) {
	t.Parallel()
	srv, dir := apivideotest.NewServer(), t.TempDir()
	defer srv.Close()
	srv.Fail(apivideotest.Hang)
	victim, others := start(t, 1, "child", dir, srv.Config()), start(t, 9, "child", dir, srv.Config())
	victim.begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, time.Minute, time.Millisecond)
	others.begin()
	time.Sleep(300 * time.Millisecond) // for the others to begin their wait
	require.NoError(t, victim[0].Process.Kill())
	others.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters())
}
