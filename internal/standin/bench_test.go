package standin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
	"github.com/stretchr/testify/require"
)

// full is a client of a service with n videos.
func full(b *testing.B, n int) client {
	c := newClient(b)
	var seed strings.Builder
	for i := range n {
		fmt.Fprintf(&seed, `%s{"title": "video %d", "tags": ["a", "b%d"], "metadata": [{"key": "k", "value": "v"}]}`, ","[:min(i, 1)], i*7919%n, i)
	}
	require.NoError(b, c.service.Seed([]byte(`{"videos": [`+seed.String()+`]}`)))
	return c
}

// BenchmarkPages lists all videos in pages, sorted. The metric ratio is the time
// of a page among 10,000 videos, over that of one among 100.
func BenchmarkPages(b *testing.B) {
	few, many := full(b, 100), full(b, 10000)
	walk := func(c client, n int) (perPage time.Duration) {
		pages := n / 25
		begun := time.Now()
		for page := range pages {
			c.call(200, "GET", fmt.Sprintf("/videos?sortBy=title&pageSize=25&currentPage=%d", page+1), "")
		}
		return time.Since(begun) / time.Duration(pages)
	}
	var of100, of10000 time.Duration
	for b.Loop() {
		for range 20 {
			of100 += walk(few, 100) / 20
		}
		of10000 += walk(many, 10000)
	}
	b.ReportMetric(float64(of10000)/float64(of100), "ratio")
	b.ReportMetric(float64(of10000.Microseconds())/float64(b.N), "µs/page")
}

// BenchmarkRequests makes a mixture of calls over loopback connections, from 8
// clients: of ten, one creates, one changes, one deletes, one lists 25 videos,
// and the others read one.
func BenchmarkRequests(b *testing.B) {
	service := standin.New(nil, nil)
	service.AddKey(key)
	srv := httptest.NewServer(service)
	defer srv.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	seeded := client{b, service}
	for range 100 {
		seeded.video(`{"title": "A"}`)
	}
	kept := seeded.video(`{"title": "A"}`)
	call := func(method, path, body string) {
		req, _ := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
		req.SetBasicAuth(key, "")
		resp, err := transport.RoundTrip(req)
		if err != nil || resp.StatusCode >= 300 {
			b.Error(method, path, err, resp)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	b.SetParallelism(4) // of two processors each
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			switch i % 10 {
			case 0:
				call("DELETE", "/videos/"+seeded.video(`{"title": "B"}`), "")
			case 1:
				call("PATCH", "/videos/"+kept, `{"description": "C"}`)
			case 2:
				call("GET", "/videos", "")
			case 3:
				call("POST", "/videos", `{"title": "D"}`)
			default:
				call("GET", "/videos/"+kept, "")
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
