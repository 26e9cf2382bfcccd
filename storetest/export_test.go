package storetest

import (
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

func init() { longHold = time.Second }

// Checks yields the checks of TestStore and their names.
func Checks(yield func(string, func(testing.TB, func() apivideo.Store)) bool) {
	for _, c := range checks {
		if !yield(c.name, c.run) {
			return
		}
	}
}
