package network_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// TestMain fails if the tests leave a goroutine behind. In a process that a test
// has started, it is that test's program instead.
func TestMain(m *testing.M) {
	if base := os.Getenv(childURL); base != "" {
		os.Exit(child(base))
	}
	flag.Parse()
	flag.Set("test.parallel", "32") // the tests wait more than they compute
	before := goroutines()
	code := m.Run()
	if code == 0 && !settles(before) {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:")
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// settles waits for the number of goroutines to come down to n.
func settles(n int) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if goroutines() <= n {
			return true
		}
	}
	return false
}

// goroutines counts those that are not toxiproxy's: it leaves one behind where
// data arrive for a connection that has just ended.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if !strings.Contains(stack, "Shopify/toxiproxy") {
			n++
		}
	}
	return n
}
