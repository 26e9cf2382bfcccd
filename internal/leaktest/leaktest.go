// Package leaktest finds goroutines that tests leave behind for ever.
package leaktest

import (
	"bytes"
	"fmt"
	"runtime/pprof"
)

// Goroutines returns the stacks of goroutines that wait for a channel or a lock
// which nothing can reach any more, or "" if there are none. It needs Go 1.27;
// an earlier one finds none.
func Goroutines() string {
	profile := pprof.Lookup("goroutineleak")
	if profile == nil {
		return ""
	}
	var stacks bytes.Buffer
	if err := profile.WriteTo(&stacks, 1); err != nil {
		return err.Error()
	}
	count := 0
	if _, err := fmt.Sscanf(stacks.String(), "goroutineleak profile: total %d", &count); err != nil || count > 0 {
		return stacks.String()
	}
	return ""
}
