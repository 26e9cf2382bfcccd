package main

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

// failTogether runs the program n times at once, and all must fail so. It
// returns how long the slowest took.
func (u *user) failTogether(n, status int, reason string) time.Duration {
	var wg sync.WaitGroup
	start := time.Now()
	for range n {
		wg.Go(func() {
			assert.Contains(u.t, u.failure(status, "-timeout=5m"), reason)
		})
	}
	wg.Wait()
	return time.Since(start)
}

func TestOutageFiftyRunsShareFailure(t *testing.T) {
	u := newUser(t)
	u.fail(apivideotest.Status(http.StatusServiceUnavailable))
	took := u.failTogether(50, statusTemporary, "503 Service Unavailable")
	calls := u.srv.Counters().AuthCalls
	t.Logf("%d auth calls, %v", calls, took)
	// On a busy machine they come one after another, and it is asked again.
	assert.LessOrEqual(t, calls, 5+3*int(took/(5*time.Second)))
}

func TestWrongKeyTwentyRunsShareFailure(t *testing.T) {
	u := newUser(t)
	u.env[keyVariable] = "made-up-key-of-nobody"
	took := u.failTogether(20, statusRejected, "The API key is invalid")
	calls := u.srv.Counters().AuthCalls
	t.Logf("%d auth calls, %v", calls, took)
	assert.LessOrEqual(t, calls, 2+int(took/(5*time.Second)))
}
