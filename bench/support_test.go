package bench

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
)

// inParallel runs f b.N times in all, in n goroutines.
func inParallel(b *testing.B, n int, f func(next func() bool)) {
	b.SetParallelism(max(n/runtime.GOMAXPROCS(0), 1))
	b.RunParallel(func(pb *testing.PB) { f(pb.Next) })
}

// atEither runs a benchmark with one goroutine and with 128.
func atEither(b *testing.B, by string, f func(b *testing.B, run func(func(next func() bool)))) {
	b.Run("goroutines=1/by="+by, func(b *testing.B) {
		f(b, func(loop func(func() bool)) { loop(b.Loop) })
	})
	b.Run("goroutines=128/by="+by, func(b *testing.B) {
		f(b, func(loop func(func() bool)) { inParallel(b, 128, loop) })
	})
}

// noNetwork answers at once, with the response that the request's context has.
// It allocates nothing, and two goroutines never share a response.
type noNetwork struct{}

func (noNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	return req.Context().Value(responseKey{}).(*http.Response), nil
}

type responseKey struct{}

// newRequest returns a request with so many headers for noNetwork.
func newRequest(headers int) *http.Request {
	ctx := context.WithValue(context.Background(), responseKey{}, &http.Response{StatusCode: 200, Body: http.NoBody})
	req, err := http.NewRequestWithContext(ctx, "GET", apivideo.ProductionURL+"/videos", nil)
	if err != nil {
		panic(err)
	}
	for i := range headers {
		req.Header.Set(fmt.Sprint("X-Header-", i), "value")
	}
	return req
}

// mustPeer returns the peer's RoundTripper, which has had its first token.
func mustPeer(b testing.TB, p Peer, o Options) http.RoundTripper {
	b.Helper()
	rt, err := p.New(o)
	if err != nil {
		b.Fatal(err)
	}
	return rt
}

// mustRoundTrip sends a request.
func mustRoundTrip(b testing.TB, rt http.RoundTripper, req *http.Request) {
	resp, err := rt.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		b.Error(resp, err)
	}
}
