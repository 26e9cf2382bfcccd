package filestore_test

import (
	"bytes"
	"context"
	"errors"
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

// roles are what a child process of the tests can do, by its first argument. Each
// role gets the other arguments, and prints lines. The first is "ready".
var roles = map[string]func(args []string) error{"child": getToken}

// becomeUser makes a process of root one of a user, where that is possible.
var becomeUser = func(uid int) error { return nil }

const (
	user     = 65534
	stranger = 65533
)

func init() {
	roles["user"] = func(args []string) error { return errors.Join(becomeUser(user), getToken(args)) }
	roles["updater"] = func(args []string) error { return errors.Join(becomeUser(user), update(args)) }
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// begin waits until the test closes standard input.
func begin() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// getToken prints a token that it gets with a folder, a BaseURL and an API key.
func getToken(args []string) error {
	conf := &apivideo.Config{Store: filestore.New(args[0]), BaseURL: args[1], APIKey: args[2]}
	begin()
	tok, err := conf.Source(context.Background()).Token()
	if err == nil {
		fmt.Println(tok.AccessToken)
	}
	return err
}

// update prints the error of storing a value in a folder, for a key.
func update(args []string) error {
	begin()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	fmt.Println(filestore.New(args[0]).Update(ctx, args[1], func(context.Context, []byte) ([]byte, error) { return []byte("value"), nil }))
	return nil
}

// patience limits what must not wait for anything, on a busy machine.
const patience = time.Minute

// group is a number of processes that get a token each.
type group []*childtest.Child

// start starts n processes with these arguments and waits until all are ready.
func start(t *testing.T, n int, args ...string) (g group) {
	t.Helper()
	for range n {
		cmd := childtest.Self()
		cmd.Args = append(cmd.Args, args...)
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
	g := start(t, 100, "child", dir, srv.URL, srv.Config().APIKey)
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
	victim, others := start(t, 1, "child", dir, srv.URL, srv.Config().APIKey), start(t, 9, "child", dir, srv.URL, srv.Config().APIKey)
	victim.begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, time.Minute, time.Millisecond)
	others.begin()
	time.Sleep(300 * time.Millisecond) // for the others to begin their wait
	require.NoError(t, victim[0].Process.Kill())
	others.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters())
}
