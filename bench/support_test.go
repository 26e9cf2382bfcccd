package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
)

// onOneAndMany runs a benchmark on one goroutine and on 128.
func onOneAndMany(b *testing.B, by string, loop func(next func() bool)) {
	b.Run("goroutines=1/by="+by, func(b *testing.B) {
		b.ReportAllocs()
		loop(b.Loop)
	})
	b.Run("goroutines=128/by="+by, func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(max(128/runtime.GOMAXPROCS(0), 1))
		b.RunParallel(func(pb *testing.PB) { loop(pb.Next) })
	})
}

// heapUse returns how many objects f allocates, and their bytes.
func heapUse(f func()) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
}

// noNetwork answers at once with the response in the request's context. It
// allocates nothing, and two goroutines never share a response.
type noNetwork struct{}

func (noNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	resp := req.Context().Value(responseKey{}).(*http.Response)
	resp.Request = req // as net/http does; a Transport has replaced the earlier one
	return resp, nil
}

type responseKey struct{}

// newRequest returns a request for noNetwork with n headers.
func newRequest(n int) *http.Request { return build("GET", nil, n) }

// post is the body of a request.
const post = `{"title":"made-up"}`

// newPost is newRequest with a body in memory.
func newPost(n int) *http.Request { return build("POST", strings.NewReader(post), n) }

func build(method string, body io.Reader, n int) *http.Request {
	ctx := context.WithValue(context.Background(), responseKey{}, &http.Response{StatusCode: 200, Body: http.NoBody})
	req, err := http.NewRequestWithContext(ctx, method, apivideo.ProductionURL+"/videos", body)
	if err != nil {
		panic(err)
	}
	for i := range n {
		req.Header.Set(fmt.Sprint("X-Header-", i), "value")
	}
	return req
}

func mustTransport(tb testing.TB, peer string, o Options) http.RoundTripper {
	tb.Helper()
	rt, err := NewTransport(peer, o)
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

func mustRoundTrip(tb testing.TB, rt http.RoundTripper, req *http.Request) {
	resp, err := rt.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		tb.Error(resp, err)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}
