package bench

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// BenchmarkRoundTrip is what a request costs before it reaches the network: four
// headers, and the cost of a base that answers at once, which is bare's.
func BenchmarkRoundTrip(b *testing.B) {
	for _, p := range Peers() {
		atEither(b, p.Name, func(b *testing.B, run func(func(func() bool))) {
			rt := mustPeer(b, p, Options{Service: &Service{}, Base: noNetwork{}})
			mustRoundTrip(b, rt, newRequest(4))
			b.ReportAllocs()
			b.ResetTimer()
			run(func(next func() bool) {
				req := newRequest(4)
				for next() {
					mustRoundTrip(b, rt, req)
				}
			})
		})
	}
}

// costOf is what a request with so many headers allocates.
func costOf(t *testing.T, p Peer, headers int) (allocs, bytes int64) {
	rt := mustPeer(t, p, Options{Service: &Service{}, Base: noNetwork{}})
	req := newRequest(headers)
	mustRoundTrip(t, rt, req)
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustRoundTrip(b, rt, req)
		}
	})
	return r.AllocsPerOp(), r.AllocedBytesPerOp()
}

func TestARequestAllocatesNoMoreThanTheLimit(t *testing.T) {
	for _, headers := range []int{0, 4, 7} {
		allocs, bytes := costOf(t, Peer{Apivideo, newApivideo}, headers)
		limitAllocs, limitBytes := costOf(t, Peer{Limit, newFixedHeader}, headers)
		t.Logf("%d headers: %d allocations, %d B; the limit: %d, %d B", headers, allocs, bytes, limitAllocs, limitBytes)
		assert.LessOrEqual(t, allocs, int64(3), "%d headers", headers)
		assert.LessOrEqual(t, bytes, limitBytes, "%d headers", headers)
	}
}

// The peers are only comparable if each sends what it should.
func TestEveryPeerAuthorizes(t *testing.T) {
	for _, p := range Peers() {
		sent := ""
		rt := mustPeer(t, p, Options{Service: &Service{}, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.Header.Get("Authorization")
			return noNetwork{}.RoundTrip(req)
		})})
		req := newRequest(4)
		mustRoundTrip(t, rt, req)
		want := ""
		if p.Name != Bare {
			want = "Bearer " + numbered("access", 1, AccessTokenLength)
		}
		assert.Equal(t, want, sent, p.Name)
		assert.Len(t, req.Header, 4, p.Name)
	}
}

// baseFunc is a base made of a function.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
