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

// BenchmarkPages lists videos and tags in pages of 25. The metrics are the times
// of a page among 10,000 videos, over those of one among 100: for one client, for
// one that changes a video before each page, for two with an order each, and for
// the tags after a change.
func BenchmarkPages(b *testing.B) {
	few, many := full(b, 100), full(b, 10000)
	kept := map[client]string{few: few.video(`{"title": "A"}`), many: many.video(`{"title": "A"}`)}
	page := func(c client, path string, i int) {
		c.call(200, "GET", fmt.Sprintf("%s&pageSize=25&currentPage=%d", path, 1+i%4), "")
	}
	change := func(c client, i int) {
		c.call(200, "PATCH", "/videos/"+kept[c], fmt.Sprintf(`{"title": "video %d"}`, i*7919%10000))
	}
	ways := []struct {
		metric string
		do     func(c client, i int)
	}{
		{"ratio", func(c client, i int) { page(c, "/videos?sortBy=title", i) }},
		{"ratio-changes", func(c client, i int) { change(c, i); page(c, "/videos?sortBy=title", i) }},
		{"ratio-two-orders", func(c client, i int) {
			page(c, "/videos?sortBy="+[]string{"title", "createdAt"}[i%2], i/2)
		}},
		{"ratio-tags", func(c client, i int) { change(c, i); page(c, "/tags?sortBy=videoCount&sortOrder=desc", i) }},
	}
	const rounds = 400
	for _, way := range ways { // so that all was searched once
		for i := range 2 {
			way.do(few, i)
			way.do(many, i)
		}
	}
	ofFew, ofMany := make([]time.Duration, len(ways)), make([]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			for n := range rounds {
				begun := time.Now()
				way.do(few, n)
				between := time.Now()
				way.do(many, n)
				ofFew[i] += between.Sub(begun)
				ofMany[i] += time.Since(between)
			}
		}
	}
	for i, way := range ways {
		b.ReportMetric(float64(ofMany[i])/float64(ofFew[i]), way.metric)
		b.ReportMetric(float64(ofMany[i].Microseconds())/float64(b.N*rounds), "µs"+way.metric[len("ratio"):])
	}
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
