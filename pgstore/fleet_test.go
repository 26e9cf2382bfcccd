//go:build unix

package pgstore_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newService starts a stand-in for the service.
func newService(t *testing.T) *apivideotest.Server {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	return srv
}

// On a busy machine there are three tries: each process has only a second to
// read the store. With the race detector there are fewer processes.
func TestFleetOfHundredMakesOneExchange(t *testing.T) {
	processes := 100
	if raced {
		processes = 25
	}
	for range 3 {
		s, database := newDatabase(t)
		srv := newService(t)
		srv.SetAuthLatency(200 * time.Millisecond)
		children := startChildren(t, processes, srv, s.url(database))
		start := time.Now()
		for _, c := range children {
			c.begin()
		}
		tokens := map[string]int{}
		for _, c := range children {
			r := c.report()
			require.Empty(t, r.Error)
			tokens[r.Token]++
		}
		t.Logf("%d tokens, all served after %v", len(tokens), time.Since(start))
		if len(tokens) == 1 && srv.Counters() == (apivideotest.Counters{AuthCalls: 1, Authenticated: 1}) {
			return
		}
	}
	t.Error("more than one exchange")
}

// startHolder starts a fleet whose first process is in its auth call, for
// which all others wait.
func startHolder(t *testing.T, latency time.Duration) (srv *apivideotest.Server, holder *child, others []*child) {
	t.Helper()
	s, database := newDatabase(t)
	srv = newService(t)
	children := startChildren(t, 10, srv, s.url(database))
	t.Parallel() // now that they have started
	srv.SetAuthLatency(latency)
	children[0].begin()
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, 30*time.Second, time.Millisecond)
	srv.SetAuthLatency(200 * time.Millisecond) // of later calls
	for _, c := range children[1:] {
		c.begin()
	}
	time.Sleep(1500 * time.Millisecond) // by then they wait
	require.Equal(t, 1, srv.Counters().AuthCalls)
	return srv, children[0], children[1:]
}

// mustServe expects that all processes get one token.
func mustServe(t *testing.T, srv *apivideotest.Server, children []*child, limit time.Duration) {
	t.Helper()
	start := time.Now()
	tokens := map[string]int{}
	for _, c := range children {
		r := c.report()
		assert.Empty(t, r.Error)
		assert.True(t, srv.Valid(r.Token))
		tokens[r.Token]++
	}
	t.Log("all served after", time.Since(start))
	assert.Len(t, tokens, 1)
	assert.Less(t, time.Since(start), limit)
}

func TestFleetHolderKilled(t *testing.T) {
	srv, holder, others := startHolder(t, 30*time.Second)
	require.NoError(t, holder.Process.Kill())
	mustServe(t, srv, others, 9*time.Second) // sooner than a lease ends
	assert.Equal(t, 2, srv.Counters().AuthCalls)
}

// A process that does not run, or whose machine lost power, closes no
// connection.
func TestFleetHolderSuspended(t *testing.T) {
	srv, holder, others := startHolder(t, 5*time.Second)
	require.NoError(t, holder.Process.Signal(syscall.SIGSTOP))
	mustServe(t, srv, others, 30*time.Second)
	assert.Equal(t, 2, srv.Counters().AuthCalls)
	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	r := holder.report()
	assert.Empty(t, r.Error)
	// After 15 seconds, it gives up its own call and makes another.
	assert.LessOrEqual(t, srv.Counters().AuthCalls, 3)
}
