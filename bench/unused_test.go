package bench

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// idleSize returns the bytes that each of n sources takes after one use.
func idleSize(tb testing.TB, by string, n int) float64 {
	service, sources := &Service{}, make([]any, n)
	before := heap()
	for i := range sources {
		cache, token := newCache(by, service)
		if _, err := token(); err != nil {
			tb.Fatal(err)
		}
		sources[i] = cache
	}
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
