// Package leftover finds the goroutines that tests leave behind. Every open
// connection of net/http has one.
package leftover

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// settling is how long goroutines have to end after the last test.
const settling = 10 * time.Second

// Run runs the tests of a package and returns the status to exit with, which is
// 1 if they leave a goroutine behind. Those with ignored in their stack do not
// count, unless it is empty. Fuzzing leaves some of its own, and is not checked.
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
			return 0
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "goroutines are left behind:\n\n%s\n", strings.Join(left, "\n\n"))
			return 1
		}
	}
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
