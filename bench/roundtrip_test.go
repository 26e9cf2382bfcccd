package bench

import (
	"math"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// BenchmarkRoundTrip is the cost of a request before it reaches the network. It
// has four headers. The base answers at once; bare is the cost of that.
func BenchmarkRoundTrip(b *testing.B) {
	for _, peer := range Peers {
		rt := mustTransport(b, peer, Options{Service: &Service{}, Base: noNetwork{}})
		mustRoundTrip(b, rt, newRequest(4))
		onOneAndMany(b, peer, func(next func() bool) {
			req := newRequest(4)
			for next() {
				mustRoundTrip(b, rt, req)
			}
		})
	}
}

// costOf is the heap use of a request with so many headers.
func costOf(t *testing.T, peer string, headers int) (allocs, bytes float64) {
	const n = 1000
	rt := mustTransport(t, peer, Options{Service: &Service{}, Base: noNetwork{}})
	req := newRequest(headers)
	mustRoundTrip(t, rt, req)
	allocs, bytes = heapUse(func() {
		for range n {
			mustRoundTrip(t, rt, req)
		}
	})
	return math.Floor(allocs / n), math.Floor(bytes / n) // the runtime allocates a little, too
}

func TestRequestAllocatesNoMoreThanLimit(t *testing.T) {
	for _, headers := range []int{0, 4, 7} {
		allocs, bytes := costOf(t, Apivideo, headers)
		limitAllocs, limitBytes := costOf(t, Limit, headers)
		t.Logf("%d headers: %v allocations, %v B; the limit: %v, %v B", headers, allocs, bytes, limitAllocs, limitBytes)
		assert.LessOrEqual(t, allocs, 3.0, "%d headers", headers)
		assert.LessOrEqual(t, bytes, limitBytes, "%d headers", headers)
	}
}

// A comparison is only fair if each peer sends what it should.
func TestPeersAuthorize(t *testing.T) {
	for _, peer := range Peers {
		sent := ""
		rt := mustTransport(t, peer, Options{Service: &Service{}, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.Header.Get("Authorization")
			return noNetwork{}.RoundTrip(req)
		})})
		req := newRequest(4)
		mustRoundTrip(t, rt, req)
		want := ""
		if peer != Bare {
			want = "Bearer " + numbered("access", 1, AccessTokenLength)
		}
		assert.Equal(t, want, sent, peer)
		assert.Len(t, req.Header, 4, peer)
	}
}

// baseFunc is a base made of a function.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
