package filestore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
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
type group struct {
	cmds  []*exec.Cmd
	begin func() error
	out   *bufio.Reader // what all of them print
}

// start starts n processes and waits until all are ready. They end with the
// test.
func start(t *testing.T, n int, role, dir string, conf *apivideo.Config) (g group) {
	t.Helper()
	exe, err1 := os.Executable()
	stdin, begin, err2 := os.Pipe()
	out, stdout, err3 := os.Pipe()
	require.NoError(t, errors.Join(err1, err2, err3))
	for range n {
		cmd := exec.Command(exe, role, dir, conf.BaseURL, conf.APIKey)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		g.cmds = append(g.cmds, cmd)
	}
	require.NoError(t, errors.Join(stdin.Close(), stdout.Close()))
	g.begin, g.out = begin.Close, bufio.NewReader(out)
	require.Equal(t, "ready\n", g.line(t))
	return g
}

// line waits for a line of each process. All must be equal.
func (g group) line(t *testing.T) (line string) {
	t.Helper()
	for i := range g.cmds {
		next, err := g.out.ReadString('\n')
		require.NoError(t, err, "a process failed")
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
	require.NoError(t, victim.cmds[0].Process.Kill())
	others.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters())
}
