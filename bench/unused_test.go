package bench

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// newUsed returns n sources that are used once, each with its own tokens.
func newUsed(tb testing.TB, by string, n int, s *Service) []any {
	sources := make([]any, n)
	for i := range sources {
		cache, token := newCache(tb, by, s)
		if _, err := token(); err != nil {
			tb.Fatal(err)
		}
		sources[i] = cache
	}
	return sources
}

// idleSize returns the bytes that one of n idle sources takes.
func idleSize(tb testing.TB, by string, n int) float64 {
	before := heap()
	sources := newUsed(tb, by, n, &Service{})
	bytes := float64(int64(heap())-int64(before)) / float64(n)
	runtime.KeepAlive(sources)
	return bytes
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // a sync.Pool keeps its objects through the first
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkIdleSources is the size of 100,000 sources that were used once. The
// peers make a tenth as many, to save time. Its time is that of making them.
// It runs last, by the name of its file: the timers of the sources stay until
// they fire, and would slow down the other benchmarks.
func BenchmarkIdleSources(b *testing.B) {
	for _, by := range []string{Apivideo, OAuth2, CloudAuth} {
		n := 100_000
		if by != Apivideo {
			n /= 10
		}
		b.Run("by="+by, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(idleSize(b, by, n), "B/source")
			}
		})
	}
}

// The bubble panics if its goroutines do not end: an idle source has none.
func TestIdleSourceTakes4KiBAndNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bytes := idleSize(t, Apivideo, 5_000)
		assert.Less(t, bytes, float64(4<<10))
		t.Logf("%.0f B each", bytes)
	})
}

func TestIdleSourceIsRenewedAtMostOnce(t *testing.T) {
	const n = 1000
	service := &Service{}
	synctest.Test(t, func(t *testing.T) {
		sources := newUsed(t, Apivideo, n, service)
		time.Sleep(7 * 24 * time.Hour)
		runtime.KeepAlive(sources)
	})
	assert.LessOrEqual(t, service.Calls(), int64(2*n))
}
