package recipes_test

import (
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// measure is a number for a monitoring system. The recipes for Prometheus and
// OpenTelemetry report the same list, under the same names.
type measure struct {
	name, help string
	counter    bool   // else a gauge
	result     string // a further label, of auth calls
	value      func(apivideo.Stats) float64
}

// measures are made of a Source's Stats. Each has the label account too: use the
// 8 digits that the log lines have. The command apivideo-token status prints them.
var measures = []measure{
	{name: "apivideo_ready", help: "1 if a request now can be expected to be served.",
		value: func(s apivideo.Stats) float64 { return flag(s.Err() == nil) }},
	{name: "apivideo_token_usable", help: "1 if a request now would get a token without waiting.",
		value: func(s apivideo.Stats) float64 { return flag(s.Usable) }},
	{name: "apivideo_token_expiration_timestamp_seconds", help: "When the current token expires, 0 if there is none.",
		value: func(s apivideo.Stats) float64 { return seconds(s.Expiry) }},
	{name: "apivideo_token_failing_since_timestamp_seconds", help: "Since when renewals fail, 0 if they do not.",
		value: func(s apivideo.Stats) float64 { return seconds(s.FailingSince) }},
	{name: "apivideo_token_refused_since_timestamp_seconds", help: "Since when the API refuses the current token, 0 if it does not.",
		value: func(s apivideo.Stats) float64 { return seconds(s.RefusedSince) }},
	{name: "apivideo_auth_calls_total", help: "Auth calls, by result.", counter: true, result: "exchanged",
		value: func(s apivideo.Stats) float64 { return float64(s.Exchanges) }},
	{name: "apivideo_auth_calls_total", help: "Auth calls, by result.", counter: true, result: "refreshed",
		value: func(s apivideo.Stats) float64 { return float64(s.Refreshes) }},
	{name: "apivideo_auth_calls_total", help: "Auth calls, by result.", counter: true, result: "failed",
		value: func(s apivideo.Stats) float64 { return float64(s.Failures) }},
	{name: "apivideo_tokens_adopted_total", help: "Tokens taken from the store.", counter: true,
		value: func(s apivideo.Stats) float64 { return float64(s.Adopted) }},
	{name: "apivideo_store_failures_total", help: "Renewals in which the store failed.", counter: true,
		value: func(s apivideo.Stats) float64 { return float64(s.StoreFailures) }},
	{name: "apivideo_token_refusals_total", help: "Answers of 401 that refused the current token.", counter: true,
		value: func(s apivideo.Stats) float64 { return float64(s.Refusals) }},
	{name: "apivideo_request_replays_total", help: "Requests that were sent again.", counter: true,
		value: func(s apivideo.Stats) float64 { return float64(s.Replays) }},
	{name: "apivideo_token_waits_total", help: "Callers that had to wait for a renewal.", counter: true,
		value: func(s apivideo.Stats) float64 { return float64(s.Waits) }},
}

func flag(up bool) float64 {
	if up {
		return 1
	}
	return 0
}

// seconds is a time as a Unix timestamp, 0 if there is none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
