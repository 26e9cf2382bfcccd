package network_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
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
	before := runtime.NumGoroutine()
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
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if runtime.NumGoroutine() <= n {
			return true
		}
	}
	return false
}
