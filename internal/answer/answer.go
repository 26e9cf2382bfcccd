// Package answer reads the answer to an auth call, and describes it without
// secrets.
package answer

import (
	"html"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"golang.org/x/oauth2"
)

// Describe returns the status of an answer and, unless it is JSON, its type.
func Describe(resp *http.Response, ss redact.Secrets) string {
	s := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	if kind := resp.Header.Get("Content-Type"); kind != "" && !strings.Contains(kind, "json") {
		s += ", " + redact.Truncate(ss.Brief(kind), 40)
	}
	return s
}

// RetrieveError returns the answer as users of oauth2 expect it. It is redacted,
// and the body is cut to 1 KiB. The request is left out: it has the credential.
func RetrieveError(resp *http.Response, data []byte, ss redact.Secrets) *oauth2.RetrieveError {
	body := ss.Redact(string(data))
	answer := Response(resp.StatusCode)
	answer.Proto, answer.ProtoMajor, answer.ProtoMinor = resp.Proto, resp.ProtoMajor, resp.ProtoMinor
	answer.Header = header(resp.Header, ss)
	return &oauth2.RetrieveError{Response: answer, Body: []byte(body[:min(len(body), 1<<10)])}
}

// Response returns a response with only a status.
func Response(status int) *http.Response {
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode: status,
		Header:     make(http.Header),
		Body:       http.NoBody,
	}
}

// maxHeader is how many bytes of a header an error keeps.
const maxHeader = 8 << 10

// plain are the header fields that never contain a credential. Others may contain a
// new one, which nobody knows.
var plain = []string{
	"Allow", "Cf-Ray", "Content-Length", "Content-Type", "Date", "Retry-After", "Server", "Via",
	"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Retry-After", "X-Request-Id",
}

// header returns a redacted and shortened copy of the plain fields of h.
func header(h http.Header, ss redact.Secrets) http.Header {
	short, left := make(http.Header), maxHeader
	for _, name := range plain {
		for _, v := range h[name] {
			v = redact.Truncate(ss.Redact(v), redact.MaxText)
			if left -= len(name) + len(v); left < 0 {
				return short
			}
			short[name] = append(short[name], v)
		}
	}
	return short
}

var (
	page      = regexp.MustCompile(`(?i)^\s*<|<(!doctype|html|head|body|title)\b`)
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	tag       = regexp.MustCompile(`(?s)<[^>]*>`)
)

// Text returns the text of an answer that is not a problem. For an HTML page,
// which comes from the CDN, it returns the title.
func Text(data []byte) string {
	data = data[:min(len(data), 64<<10)]
	if !page.Match(data) {
		return string(data)
	}
	if m := pageTitle.FindSubmatch(data); m != nil {
		return html.UnescapeString(string(tag.ReplaceAll(m[1], nil)))
	}
	return ""
}

// RetryAfter returns how long an answer of this status asks to wait, or 0.
func RetryAfter(status int, h http.Header, now time.Time) time.Duration {
	wait := parseWait(h.Get("Retry-After"), now)
	if status == http.StatusTooManyRequests { // elsewhere it is only information
		wait = max(wait, parseWait(h.Get("X-RateLimit-Retry-After"), now))
	}
	return wait
}

// parseWait reads seconds or an HTTP date.
func parseWait(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 {
		return time.Duration(min(s, math.MaxInt64/2e9) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
