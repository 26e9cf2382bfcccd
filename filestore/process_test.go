package filestore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// becomeUser has a child give up the rights of root, where there are such.
var becomeUser = func() error { return nil }

// TestMain also runs child processes, which have arguments.
func TestMain(m *testing.M) {
	if len(os.Args) != 5 || os.Args[1] != "child" {
		os.Exit(m.Run())
	}
	conf := &apivideo.Config{Store: filestore.New(os.Args[2]), BaseURL: os.Args[3], APIKey: os.Args[4]}
	if err := becomeUser(); err != nil {
		log.Fatal(err)
	}
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
func start(t *testing.T, n int, dir string, conf *apivideo.Config) (g group) {
	t.Helper()
	exe, err1 := os.Executable()
	stdin, begin, err2 := os.Pipe()
	out, stdout, err3 := os.Pipe()
	require.NoError(t, errors.Join(err1, err2, err3))
	for range n {
		cmd := exec.Command(exe, "child", dir, conf.BaseURL, conf.APIKey)
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
	require.Equal(t, "ready", g.line(t))
	return g
}

// line waits for a line of each process. All must be equal.
func (g group) line(t *testing.T) string {
	t.Helper()
	lines := make(map[string]bool)
	for range g.cmds {
		line, err := g.out.ReadString('\n')
		require.NoError(t, err, "a process failed")
		lines[line] = true
	}
	require.Len(t, lines, 1)
	for line := range lines {
		return strings.TrimSpace(line)
	}
	return ""
}

func newServer(t *testing.T) *apivideotest.Server {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	return srv
}

func TestStore100ProcessesMakeOneExchange(t *testing.T) {
	srv, dir := newServer(t), filepath.Join(t.TempDir(), "store")
	srv.SetAuthLatency(200 * time.Millisecond)
	g := start(t, 100, dir, srv.Config())
	g.begin()
	g.line(t)

	conf := srv.Config()
	conf.Store = filestore.New(dir)
	tok, err := conf.Source(t.Context()).Token()
	require.NoError(t, err)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, srv.Counters())
	assertSealed(t, dir, conf.APIKey, tok.AccessToken, tok.RefreshToken)
}

// assertSealed fails the test if a part of a secret is in a file or a file name.
// Sixteen bytes are never there by chance.
func assertSealed(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	var found []byte
	for _, f := range list(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		found = slices.Concat(found, []byte(f.Name()), content)
	}
	for _, secret := range secrets {
		s := []byte(secret)
		require.Greater(t, len(found), len(s), "the tokens are not there")
		for _, form := range []string{secret, hex.EncodeToString(s), base64.StdEncoding.EncodeToString(s), base64.URLEncoding.EncodeToString(s)} {
			for i := range len(form) - 15 {
				require.False(t, bytes.Contains(found, []byte(form[i:i+16])), "a part of a secret is in the folder")
			}
		}
	}
}

func TestStoreKilledProcessFreesTheLock(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.Fail(apivideotest.Hang)
	dir := t.TempDir()
	victim, others := start(t, 1, dir, srv.Config()), start(t, 9, dir, srv.Config())
	victim.begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, time.Minute, time.Millisecond)
	others.begin()
	time.Sleep(300 * time.Millisecond) // for the others to begin their wait
	require.NoError(t, victim.cmds[0].Process.Kill())
	others.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters())
}
