package network_test

import (
	"flag"
	"os"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
)

// TestMain runs the tests or, in a process that a test has started, that test's
// program.
func TestMain(m *testing.M) {
	if base := os.Getenv(childURL); base != "" {
		os.Exit(child(base))
	}
	if base := os.Getenv(frozenURL); base != "" {
		os.Exit(frozen(base))
	}
	flag.Parse()
	flag.Set("test.parallel", "32") // they wait more than they work
	// A proxy leaves one behind where data arrive for a connection that has just
	// ended.
	os.Exit(leftover.Run(m, "Shopify/toxiproxy"))
}
