package recipes_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
)

// collector is a prometheus.Collector for a Source.
type collector struct{ src *apivideo.Source }

var (
	usable   = prometheus.NewDesc("apivideo_token_usable", "1 if a request now would get a token without waiting.", nil, nil)
	expiry   = prometheus.NewDesc("apivideo_token_expiration_timestamp_seconds", "When the current token expires.", nil, nil)
	failing  = prometheus.NewDesc("apivideo_token_failing_since_timestamp_seconds", "Since when renewals fail, 0 if they do not.", nil, nil)
	calls    = prometheus.NewDesc("apivideo_auth_calls_total", "Auth calls, by result.", []string{"result"}, nil)
	adopted  = prometheus.NewDesc("apivideo_tokens_adopted_total", "Tokens taken from the store.", nil, nil)
	store    = prometheus.NewDesc("apivideo_store_failures_total", "Renewals in which the store failed.", nil, nil)
	refusals = prometheus.NewDesc("apivideo_token_refusals_total", "Answers of 401 that refused the current token.", nil, nil)
	replays  = prometheus.NewDesc("apivideo_request_replays_total", "Requests that were sent again.", nil, nil)
	waits    = prometheus.NewDesc("apivideo_token_waits_total", "Callers that had to wait for a renewal.", nil, nil)
)

func (c collector) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, descs) }

func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.src.Stats() // makes no call
	gauge := func(d *prometheus.Desc, v float64) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	up := 0.0
	if s.Usable {
		up = 1
	}
	gauge(usable, up)
	gauge(expiry, seconds(s.Expiry))
	gauge(failing, seconds(s.FailingSince))
	counter(calls, s.Exchanges, "exchanged")
	counter(calls, s.Refreshes, "refreshed")
	counter(calls, s.Failures, "failed")
	counter(adopted, s.Adopted)
	counter(store, s.StoreFailures)
	counter(refusals, s.Refusals)
	counter(replays, s.Replays)
	counter(waits, s.Waits)
}

// seconds is a time for Prometheus, 0 if there is none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// scrape returns what Prometheus would read of a Source.
func scrape(src *apivideo.Source) string {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{src})
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func Example_prometheus() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(context.Background())
	src.Token()
	src.Renew(context.Background())
	for line := range strings.Lines(scrape(src)) {
		if strings.HasPrefix(line, "apivideo_auth_calls") || strings.HasPrefix(line, "apivideo_token_usable") {
			fmt.Print(line)
		}
	}
	// Output:
	// apivideo_auth_calls_total{result="exchanged"} 1
	// apivideo_auth_calls_total{result="failed"} 0
	// apivideo_auth_calls_total{result="refreshed"} 1
	// apivideo_token_usable 1
}

func TestPrometheusExpiration(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(t.Context())
	assert.Contains(t, scrape(src), "\napivideo_token_expiration_timestamp_seconds 0\n", "a scrape makes no call")
	tok, err := src.Token()
	assert.NoError(t, err)
	assert.Regexp(t, `\napivideo_token_expiration_timestamp_seconds \d`, scrape(src))
	assert.InDelta(t, tok.Expiry.Unix(), seconds(src.Stats().Expiry), 1)
	assert.Equal(t, 1, srv.Counters().AuthCalls)
}
