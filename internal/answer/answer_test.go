package answer_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/answer"
	"github.com/stretchr/testify/assert"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 0.5 ": 500 * time.Millisecond, "-1": 0, "NaN": 0, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		"1e300": math.MaxInt64 / 2, "Inf": math.MaxInt64 / 2,
	} {
		for status, limited := range map[int]bool{429: true, 503: false} {
			one, other := http.Header{"Retry-After": {value}}, http.Header{"X-Ratelimit-Retry-After": {value}}
			assert.InDelta(t, want, answer.RetryAfter(status, one, now), 1e9/2, "%q", value)
			assert.Equal(t, limited && want > 0, answer.RetryAfter(status, other, now) > 0, "%q", value)
		}
	}
}

func TestText(t *testing.T) {
	for body, want := range map[string]string{
		"plain": "plain",
		"<!doctype html><head><title>Bad &amp; <b>gone</b></title>": "Bad & gone",
		"<html>no title": "",
	} {
		assert.Equal(t, want, answer.Text([]byte(body)))
	}
}
