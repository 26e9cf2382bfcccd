// Package leftover finds the goroutines and connections that tests leave behind.
// Every open connection of net/http has a goroutine.
package leftover

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/leaktest"
)

// settling is how long goroutines have to end after the last test.
const settling = 10 * time.Second

// Run runs the tests of a package and returns the exit status. It is 1 if the tests
// leave a goroutine behind. If ignored is not empty, goroutines with it in their
// stack do not count. Fuzzing starts other goroutines and is not checked.
func Run(m *testing.M, ignored string) int {
	before := len(stacks(ignored))
	code := m.Run()
	if code != 0 || flag.Lookup("test.fuzz").Value.String() != "" {
		return code
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for end := time.Now().Add(settling); ; time.Sleep(10 * time.Millisecond) {
		left := stacks(ignored)
		if len(left) <= before {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "goroutines are left behind:\n\n%s\n", strings.Join(left, "\n\n"))
			return 1
		}
	}
	if leaked := leaktest.Goroutines(); leaked != "" {
		fmt.Fprintln(os.Stderr, "goroutines wait for ever:", leaked)
		return 1
	}
	return 0
}

// stacks returns those of all goroutines that count.
func stacks(ignored string) (all []string) {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		if ignored == "" || !strings.Contains(stack, ignored) {
			all = append(all, stack)
		}
	}
	return all
}

// Connections counts those that are open.
type Connections struct{ open atomic.Int64 }

// Open is how many there are.
func (c *Connections) Open() int { return int(c.open.Load()) }

// Dial makes one more.
func (c *Connections) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &counted{Conn: conn, closed: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
}

type counted struct {
	net.Conn
	closed func()
}

func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}
