package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/require"
)

// BenchmarkLatency compares requests through the proxy with those that go to
// the API directly, alternating: the median and the 99th percentile of each.
func BenchmarkLatency(b *testing.B) {
	r := newRig(b)
	r.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"data":[]}`) })
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(b, json.Unmarshal([]byte(r.post("/auth/api-key", `{"apiKey":"`+secret+`"}`).body), &token))
	direct := (&apivideo.Config{APIKey: r.srv.Config().APIKey, BaseURL: r.api.URL}).Client(b.Context())
	clients := map[string]func() (*http.Response, error){
		"direct": func() (*http.Response, error) { return direct.Get(r.api.URL + "/videos") },
		"proxied": func() (*http.Response, error) {
			req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, r.proxy.URL+"/videos", nil)
			req.Header.Set("Authorization", "Bearer "+token.AccessToken)
			return r.proxy.Client().Do(req)
		},
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for name, get := range clients {
			start := time.Now()
			resp, err := get()
			if err != nil || resp.StatusCode != 200 {
				b.Fatal(name, err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			took[name] = append(took[name], time.Since(start))
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), name+"-p99-µs")
	}
}
