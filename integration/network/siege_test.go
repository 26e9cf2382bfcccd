package network_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// besiege has 20 goroutines ask in vain, a thousand times a second, for at least
// 3 seconds and a thousand times. It returns how many flights there may have
// been, since the failure of each is remembered, and one of the errors.
func (s *service) besiege(t *testing.T, ask func() error) (flights int64, err error) {
	t.Helper()
	var asked, served atomic.Int64
	var failures sync.Map // by what they say
	start := time.Now()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for time.Since(start) < 3*time.Second || asked.Load() < 1000 {
				asked.Add(1)
				if err := ask(); err != nil {
					failures.Store(err.Error(), err)
				} else {
					served.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	flights = mostFlights(time.Since(start))
	require.Zero(t, served.Load())
	failures.Range(func(_, failure any) bool {
		err = failure.(error)
		s.hear(err)
		return true
	})
	return flights, err
}

// mostFlights is how many flights may begin in this time if all fail: the
// pauses are at least half of 1 s, 2 s, 4 s and so on, up to 30 s.
func mostFlights(in time.Duration) int64 {
	n := int64(1)
	for pause := time.Second / 2; in >= pause; pause = min(2*pause, 15*time.Second) {
		in -= pause
		n++
	}
	return n
}
