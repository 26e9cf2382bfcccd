package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keepers make a token source that has been used once.
var keepers = map[string]func(*Service) (any, error){
	Apivideo: func(s *Service) (any, error) {
		src := Config().Source(s.Context(context.Background()))
		_, err := src.Token()
		return src, err
	},
	OAuth2: func(s *Service) (any, error) {
		src := NewOAuth2Source(s)
		_, err := src.Token()
		return src, err
	},
	CloudAuth: func(s *Service) (any, error) {
		p := NewCloudAuthProvider(s, 0)
		_, err := p.Token(context.Background())
		return p, err
	},
}

// BenchmarkIdleSources is what 100,000 sources take that were used once, each
// with tokens of its own; a tenth as many for the peers, to take less time.
// Its time is that of making them all. It is the last benchmark, by the name of
// its file: the timers of so many sources stay behind, until they fire.
func BenchmarkIdleSources(b *testing.B) {
	for _, by := range []string{Apivideo, OAuth2, CloudAuth} {
		n := 100_000
		if by != Apivideo {
			n /= 10
		}
		b.Run("by="+by, func(b *testing.B) {
			for b.Loop() {
				bytes, goroutines := idle(b, by, n)
				b.ReportMetric(bytes, "B/source")
				b.ReportMetric(float64(goroutines), "goroutines")
			}
		})
	}
}

func TestAnIdleSourceTakesLessThan4KiB(t *testing.T) {
	bytes, goroutines := idle(t, Apivideo, 5_000)
	assert.Less(t, bytes, float64(4<<10))
	assert.Zero(t, goroutines)
	t.Logf("%.0f B each", bytes)
}

// idle makes n sources, and returns the bytes that each takes and how many
// goroutines they have left together.
func idle(t testing.TB, by string, n int) (bytes float64, goroutines int) {
	service := &Service{}
	sources := make([]any, n)
	running := runtime.NumGoroutine()
	before := heap()
	for i := range sources {
		var err error
		sources[i], err = keepers[by](service)
		require.NoError(t, err)
	}
	goroutines = settled(running) - running
	bytes = float64(int64(heap())-int64(before)) / float64(n)
	runtime.KeepAlive(sources)
	return bytes, goroutines
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one has only put aside, as sync.Pool's
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// settled is the number of goroutines once those that are about to end have:
// a flight's may still be on its way out.
func settled(want int) int {
	for range 100 {
		if runtime.NumGoroutine() <= want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func TestASourceUsedOnceIsRenewedAtMostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		service := &Service{}
		for i := range n {
			src, err := keepers[Apivideo](service)
			require.NoError(t, err, fmt.Sprint(i))
			defer runtime.KeepAlive(src)
		}
		time.Sleep(7 * 24 * time.Hour)
		assert.LessOrEqual(t, service.Calls(), int64(2*n))
	})
}
