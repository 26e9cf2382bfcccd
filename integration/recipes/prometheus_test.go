package recipes_test

import (
	"context"
	"errors"
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

// collector is a prometheus.Collector for Sources, by account.
type collector map[string]*apivideo.Source

func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range measures {
		descs <- m.desc()
	}
}

func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for account, src := range c {
		s := src.Stats() // makes no call
		for _, m := range measures {
			kind := prometheus.GaugeValue
			if m.counter {
				kind = prometheus.CounterValue
			}
			labels := []string{account}
			if m.result != "" {
				labels = append(labels, m.result)
			}
			metrics <- prometheus.MustNewConstMetric(m.desc(), kind, m.value(s), labels...)
		}
	}
}

func (m measure) desc() *prometheus.Desc {
	labels := []string{"account"}
	if m.result != "" {
		labels = append(labels, "result")
	}
	return prometheus.NewDesc(m.name, m.help, labels, nil)
}

// scrape returns what Prometheus would read.
func scrape(c collector) string {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
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
	for line := range strings.Lines(scrape(collector{"1a2b3c4d": src})) {
		if strings.HasPrefix(line, "apivideo_auth_calls") || strings.HasPrefix(line, "apivideo_ready") {
			fmt.Print(line)
		}
	}
	// Output:
	// apivideo_auth_calls_total{account="1a2b3c4d",result="exchanged"} 1
	// apivideo_auth_calls_total{account="1a2b3c4d",result="failed"} 0
	// apivideo_auth_calls_total{account="1a2b3c4d",result="refreshed"} 1
	// apivideo_ready{account="1a2b3c4d"} 1
}

func TestPrometheusExpiration(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(t.Context())
	c := collector{"a": src}
	assert.Contains(t, scrape(c), "\napivideo_token_expiration_timestamp_seconds{account=\"a\"} 0\n", "a scrape makes no call")
	tok, err := src.Token()
	assert.NoError(t, err)
	assert.Regexp(t, `\napivideo_token_expiration_timestamp_seconds{account="a"} \d`, scrape(c))
	assert.InDelta(t, tok.Expiry.Unix(), seconds(src.Stats().Expiry), 1)
	assert.Equal(t, 1, srv.Counters().AuthCalls)
}

func TestPrometheusReady(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	good, bad := srv.Config().Source(t.Context()), srv.Config()
	bad.APIKey = "made-up-key-of-nobody"
	failing := bad.Source(t.Context())
	c := collector{"good": good, "bad": failing}
	assert.Contains(t, scrape(c), "\napivideo_ready{account=\"bad\"} 1\n", "nothing is known yet")
	_, err := failing.Token()
	assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
	assert.Contains(t, scrape(c), "\napivideo_ready{account=\"bad\"} 0\n")
	assert.Contains(t, scrape(c), "\napivideo_ready{account=\"good\"} 1\n")
}

// A token is there, and no request is served.
// Promise: A token that is there but refused is not ready.
func TestMeasuresOfRefusedToken(t *testing.T) {
	ago := time.Now().Add(-time.Minute)
	s := apivideo.Stats{Usable: true, Expiry: time.Now().Add(time.Hour), RefusedSince: ago, FailingSince: ago, LastError: errors.New("made-up")}
	values := map[string]float64{}
	for _, m := range measures {
		values[m.name] = m.value(s)
	}
	assert.Equal(t, 1.0, values["apivideo_token_usable"])
	assert.Equal(t, 0.0, values["apivideo_ready"])
	assert.Equal(t, seconds(ago), values["apivideo_token_refused_since_timestamp_seconds"])
}
