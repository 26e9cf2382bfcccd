package storetest

import (
	"os"
	"time"
)

// BrokenStore is the environment variable that names a broken store to run
// the suite against, in a process of its own.
const BrokenStore = "STORETEST_BROKEN_STORE"

func init() {
	if os.Getenv(BrokenStore) != "" {
		patience, longHold = 3*time.Second, time.Second
	}
}

// Names returns the names of the subtests.
func Names() []string {
	var names []string
	for _, checks := range allChecks {
		for _, c := range checks {
			names = append(names, c.name)
		}
	}
	return names
}
