package leaktest_test

import (
	"runtime/pprof"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/leaktest"
	"github.com/stretchr/testify/assert"
)

func TestGoroutinesThatLeak(t *testing.T) {
	reachable := make(chan int)
	go func() { <-reachable }()
	assert.Empty(t, leaktest.Goroutines())
	waitForever()
	if pprof.Lookup("goroutineleak") != nil { // Go 1.27
		assert.Eventually(t, func() bool { return leaktest.Goroutines() != "" }, time.Minute, time.Millisecond)
		assert.Contains(t, leaktest.Goroutines(), "waitForever")
	}
	close(reachable)
}

func waitForever() {
	never := make(chan int)
	go func() { <-never }()
}
