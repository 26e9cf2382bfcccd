package apivideo

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Why the service refuses an account, to be told with [errors.Is].
var (
	// ErrInvalidAPIKey: the API key does not exist, or is of the other
	// environment.
	ErrInvalidAPIKey = errors.New("apivideo: the API key is invalid")
	// ErrInvalidRefreshToken: the refresh token is unknown or spent. A Source
	// then uses the API key, so that only [Config.Refresh] returns it.
	ErrInvalidRefreshToken = errors.New("apivideo: the refresh token is invalid")
	// ErrAccountSuspended: every call of the account fails.
	ErrAccountSuspended = errors.New("apivideo: the account is suspended")
)

// Error is a failed auth call. No secret is in it or in its chain.
//
// [errors.Is] tells [ErrInvalidAPIKey] and its siblings from it, and the
// causes of package net and context. If the service answered, [errors.As]
// finds an [*oauth2.RetrieveError].
type Error struct {
	// Op is "authenticate" or "refresh".
	Op string

	// Problem is what the service said. If it said nothing that could be
	// understood, there is only the Status; without an answer, not even that.
	Problem

	// RetryAfter is how long the service asked to wait before the next call,
	// 0 if it did not.
	RetryAfter time.Duration

	reason  string // what Error says after the operation
	err     error  // nil if there was an answer
	answer  *oauth2.RetrieveError
	unsent  bool // there was no connection to send the credential over
	outcome outcome
}

// outcome is what a failed call means for the next.
type outcome int

const (
	final   outcome = iota // only a change of the account or the program helps
	later                  // it may pass, but not within seconds
	passing                // worth another attempt at once
)

func (e *Error) Error() string { return "apivideo: " + e.Op + ": " + e.reason }

// Temporary reports whether asking again later may help: it does after
// everything but a refusal that the service explained.
func (e *Error) Temporary() bool { return e.outcome != final }

// Timeout reports whether the answer did not come in time.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// Is reports whether target is the sentinel of e's problem.
func (e *Error) Is(target error) bool { return target != nil && target == sentinel(e.id(), e.Op) }

// Unwrap returns what [Error] says the chain contains.
func (e *Error) Unwrap() []error {
	switch {
	case e.answer != nil:
		return []error{e.answer}
	case e.err != nil:
		return []error{e.err}
	}
	return nil
}

// unspent reports whether a credential that was sent is surely not used up:
// it was not sent, or not looked at.
func (e *Error) unspent() bool { return e.Status == http.StatusTooManyRequests || e.unsent }

// noAnswer is the error of a call that got no answer, or not all of it.
func (x *exchange) noAnswer(err error) *Error {
	e := &Error{Op: x.op.name, outcome: passing, err: x.secrets.known(err)}
	// A client that is not package net/http's tells of a failed dial only so.
	dial, _ := errors.AsType[*net.OpError](err)
	failed := x.dialing.Load() || dial != nil && dial.Op == "dial" && !x.read.Load()
	e.unsent = failed && !x.connected.Load()
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		e.outcome = later
	}
	if at, ok := errors.AsType[*url.Error](err); ok {
		e.reason = x.secrets.brief(strings.ToUpper(at.Op)+" "+at.URL) + ": "
		err = at.Err
	}
	e.reason += x.secrets.brief(err.Error())
	return e
}

// fromElsewhere is the error of a call that was answered by another host than
// the service, or by another path: the base follows redirects by itself.
func (x *exchange) fromElsewhere() *Error {
	return &Error{
		Op:      x.op.name,
		outcome: later,
		reason: "the answer came from elsewhere than " + x.secrets.brief(x.service.base.join(x.op.path)) +
			": the HTTP client follows redirects by itself; have its transport follow none",
	}
}

// unusable is the error of an answer that says success but has no token to
// use. Nothing of its body is kept, which may be full of secrets.
func (x *exchange) unusable(resp *http.Response, why error, outcome outcome) *Error {
	answer := x.secrets.retrieveError(resp, nil)
	answer.Response.Header = x.secrets.header(plainHeader(resp.Header))
	return &Error{
		Op:      x.op.name,
		Problem: Problem{Status: resp.StatusCode},
		reason:  fmt.Sprintf("the answer (%s) is unusable: %v", x.secrets.describe(resp), why),
		answer:  answer,
		outcome: outcome,
	}
}

// refusal is the error of an answer with another status.
func (x *exchange) refusal(resp *http.Response, data []byte) *Error {
	p, explained := parseProblem(data)
	e := &Error{
		Op:      x.op.name,
		Problem: x.secrets.problem(p),
		answer:  x.secrets.retrieveError(resp, data),
		outcome: outcomeOf(resp.StatusCode, explained),
	}
	e.Status = resp.StatusCode
	said := cmp.Or(e.Title, e.id())
	if !explained {
		said = textOf(data)
	}
	e.reason = strings.TrimSuffix(x.secrets.describe(resp)+": "+x.secrets.brief(said), ": ")
	if e.outcome == passing {
		e.RetryAfter = retryAfter(resp, time.Now())
	}
	return e
}

var (
	page      = regexp.MustCompile(`(?i)^\s*<|<(!doctype|html|head|body|title)\b`)
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	tag       = regexp.MustCompile(`(?s)<[^>]*>`)
)

// textOf is what an answer without a problem says: the text, or of a page of
// the CDN its title.
func textOf(data []byte) string {
	data = data[:min(len(data), 64<<10)]
	if !page.Match(data) {
		return string(data)
	}
	if m := pageTitle.FindSubmatch(data); m != nil {
		return html.UnescapeString(string(tag.ReplaceAll(m[1], nil)))
	}
	return ""
}

// outcomeOf classifies an answer that is no success.
func outcomeOf(status int, explained bool) outcome {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return passing
	case status < 400: // a redirect is not followed
		return later
	case explained:
		return final
	}
	return passing // a page of the CDN, not the service's word
}

// describe is the status of an answer and, unless it is JSON, its type.
func (ss secrets) describe(resp *http.Response) string {
	s := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	if kind := resp.Header.Get("Content-Type"); kind != "" && !strings.Contains(kind, "json") {
		s += ", " + truncate(ss.brief(kind), 40)
	}
	return s
}

// retrieveError is the answer as users of oauth2 expect it: redacted, its body
// at most 1 KiB, without the request, which had the credential.
func (ss secrets) retrieveError(resp *http.Response, data []byte) *oauth2.RetrieveError {
	body := ss.redact(string(data))
	answer := responseOf(resp.StatusCode)
	answer.Proto, answer.ProtoMajor, answer.ProtoMinor = resp.Proto, resp.ProtoMajor, resp.ProtoMinor
	answer.Header = ss.header(resp.Header)
	return &oauth2.RetrieveError{Response: answer, Body: []byte(body[:min(len(body), 1<<10)])}
}

// responseOf is a response of which only the status is known.
func responseOf(status int) *http.Response {
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode: status,
		Header:     make(http.Header),
		Body:       http.NoBody,
	}
}

// retryAfter is how long the answer asks to wait, 0 if it does not.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	wait := parseWait(resp.Header.Get("Retry-After"), now)
	if resp.StatusCode == http.StatusTooManyRequests { // elsewhere it is only information
		wait = max(wait, parseWait(resp.Header.Get("X-RateLimit-Retry-After"), now))
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
