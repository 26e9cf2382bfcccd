package grant_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/grant"
	"github.com/stretchr/testify/assert"
)

func FuzzDecodeGrant(f *testing.F) {
	for _, seed := range []string{
		`{"token_type":"Bearer","expires_in":3600,"access_token":"a.b.c","refresh_token":"00ff"}`,
		`{"access_token":"x","expires_in":"60"}`, `{"access_token":"x","expires_in":1e400}`,
		`{"access_token":"x\r\n"}`, `{}`, `null`, `[]`, `{"access_token":"x"}{}`, "<html>", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := grant.Decode(data, 24*time.Hour)
		if err != nil {
			assert.Less(t, len(err.Error()), 100, "nothing of the answer is in the error")
			return
		}
		assert.Regexp(t, "^[!-~]+$", g.AccessToken, "it can be sent in a header")
		assert.LessOrEqual(t, len(g.AccessToken), 16<<10)
		assert.Positive(t, g.Lifetime)
		assert.LessOrEqual(t, g.Lifetime, 24*time.Hour)
		assert.Equal(t, g.AccessToken, g.Extra["access_token"])
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 0.5 ": 500 * time.Millisecond, "-1": 0, "NaN": 0, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		"1e300": math.MaxInt64 / 2, "Inf": math.MaxInt64 / 2,
	} {
		for status, limited := range map[int]bool{429: true, 503: false} {
			one := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {value}}}
			assert.InDelta(t, want, grant.RetryAfter(one, now), 1e9/2, "%q", value)
			other := &http.Response{StatusCode: status, Header: http.Header{"X-Ratelimit-Retry-After": {value}}}
			assert.Equal(t, limited && want > 0, grant.RetryAfter(other, now) > 0, "%q", value)
		}
	}
}

func TestText(t *testing.T) {
	for body, want := range map[string]string{
		"plain": "plain",
		"<!doctype html><head><title>Bad &amp; <b>gone</b></title>": "Bad & gone",
		"<html>no title": "",
	} {
		assert.Equal(t, want, grant.Text([]byte(body)))
	}
}
