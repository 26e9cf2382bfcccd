package main

import (
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

// failTogether runs the program n times at once. All runs must fail in this
// way. It returns how long the slowest took.
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

// doublings is how often a wait that doubles each time ends within d.
func doublings(first, d time.Duration) int { return int(math.Log2(1 + d.Seconds()/first.Seconds())) }

// The first run makes three attempts. After each wait, one of the others asks
// the service again. The first wait is at least 0.5 s.
func TestOutageFiftyRunsShareFailure(t *testing.T) {
	u := newUser(t)
	u.fail(apivideotest.Status(http.StatusServiceUnavailable))
	took := u.failTogether(50, statusTemporary, "503 Service Unavailable")
	calls := u.srv.Counters().AuthCalls
	t.Logf("%d auth calls, %v", calls, took)
	assert.LessOrEqual(t, calls, 3+doublings(500*time.Millisecond, took), "5 if all end within 3 s")
}

func TestWrongKeyTwentyRunsShareFailure(t *testing.T) {
	u := newUser(t)
	u.env[keyVariable] = "made-up-key-of-nobody"
	took := u.failTogether(20, statusRejected, "The API key is invalid")
	calls := u.srv.Counters().AuthCalls
	t.Logf("%d auth calls, %v", calls, took)
	assert.LessOrEqual(t, calls, 1+doublings(2500*time.Millisecond, took), "2 if all end within 7 s")
}
