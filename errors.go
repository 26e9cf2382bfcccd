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

// Reasons the service rejects an account. Test with [errors.Is].
var (
	// ErrInvalidAPIKey: the API key does not exist, or belongs to the other
	// environment (production or sandbox).
	ErrInvalidAPIKey = errors.New("apivideo: the API key is invalid")
	// ErrInvalidRefreshToken: the refresh token is unknown, or was used already.
	// Only Config.Refresh returns it: a Source then uses the API key.
	ErrInvalidRefreshToken = errors.New("apivideo: the refresh token is invalid")
	// ErrAccountSuspended: every call of the account fails.
	ErrAccountSuspended = errors.New("apivideo: the account is suspended")
)

// Error is a failed auth call. Neither it nor its chain contains a secret.
//
// [errors.Is] matches [ErrInvalidAPIKey], [ErrInvalidRefreshToken] and
// [ErrAccountSuspended], and causes of the packages net and context, for example
// [context.DeadlineExceeded]. If the service answered, [errors.As] finds an
// [*oauth2.RetrieveError].
type Error struct {
	// Op is "authenticate" or "refresh".
	Op string

	// Problem is the service's description of the error. If the answer has none,
	// only Status is set. If there was no answer, Status is 0.
	Problem

	// RetryAfter is how long the service asked to wait before the next call. It
	// is 0 if the service did not ask.
	RetryAfter time.Duration

	reason  string // the text after the operation
	err     error  // nil if there was an answer
	answer  *oauth2.RetrieveError
	unsent  bool // the credential was not sent: there was no connection
	outcome outcome
}

// outcome says whether a retry may help.
type outcome int

const (
	final   outcome = iota // no; the account or the program must change
	later                  // yes, but not within seconds
	passing                // yes, at once
)

func (e *Error) Error() string { return "apivideo: " + e.Op + ": " + e.reason }

// Temporary reports whether a later retry may help. It is false only if the
// service rejected the request and gave the reason.
func (e *Error) Temporary() bool { return e.outcome != final }

// Timeout reports whether the call timed out.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// Is reports whether target is the sentinel error for e's problem, for example
// [ErrInvalidAPIKey].
func (e *Error) Is(target error) bool { return target != nil && target == sentinel(e.id(), e.Op) }

// Unwrap returns the cause of the error, or the answer of the service as an
// [*oauth2.RetrieveError].
func (e *Error) Unwrap() []error {
	switch {
	case e.answer != nil:
		return []error{e.answer}
	case e.err != nil:
		return []error{e.err}
	}
	return nil
}

// unspent reports whether the refresh token is certainly still valid: it was not
// sent, or the service did not process it.
func (e *Error) unspent() bool { return e.Status == http.StatusTooManyRequests || e.unsent }

// noAnswer is the error of a call that got no answer, or not all of it.
func (x *exchange) noAnswer(err error) *Error {
	e := &Error{Op: x.op.name, outcome: passing, err: x.secrets.known(err)}
	var dial *net.OpError // only so do clients other than net/http's report a failed dial
	var at *url.Error
	walk(err, func(err error) bool {
		switch known := err.(type) {
		case *net.OpError:
			dial = cmp.Or(dial, known)
		case *url.Error:
			at = cmp.Or(at, known)
		case *tls.CertificateVerificationError:
			e.outcome = later
		}
		return true
	})
	failed := x.dialing.Load() || dial != nil && dial.Op == "dial" && !x.read.Load()
	e.unsent = failed && !x.connected.Load()
	if at != nil {
		e.reason = x.secrets.brief(strings.ToUpper(at.Op)+" "+at.URL) + ": "
		err = at.Err
	}
	e.reason += x.secrets.brief(err.Error())
	return e
}

// fromElsewhere is the error of a call that another host or path answered: the
// transport of the HTTP client follows redirects.
func (x *exchange) fromElsewhere() *Error {
	return &Error{
		Op:      x.op.name,
		outcome: later,
		reason: "the answer did not come from " + x.secrets.brief(x.service.base.join(x.op.path)) +
			": the HTTP client's transport follows redirects; configure it not to",
	}
}

// unusable is the error of a successful answer without a usable token. It keeps
// no part of the body, which may have secrets.
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

// refusal is the error of an answer whose status is not a success. It may have
// new tokens all the same.
func (x *exchange) refusal(resp *http.Response, data []byte) *Error {
	p, explained := parseProblem(data)
	hidden := newSecrets(append(tokensIn(data), x.secrets...)...)
	e := &Error{
		Op:      x.op.name,
		Problem: hidden.problem(p),
		answer:  hidden.retrieveError(resp, data),
		outcome: outcomeOf(resp.StatusCode, explained),
	}
	e.Status = resp.StatusCode
	said := cmp.Or(e.Title, e.id())
	if !explained {
		said = textOf(data)
	}
	e.reason = strings.TrimSuffix(hidden.describe(resp)+": "+hidden.brief(said), ": ")
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

// textOf returns the text of an answer that is not a problem. For an HTML page,
// which comes from the CDN, it returns the title.
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

// outcomeOf classifies an answer whose status is not a success. explained means
// that its body is a problem.
func outcomeOf(status int, explained bool) outcome {
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return passing
	case status < 400: // a redirect is not followed
		return later
	case explained:
		return final
	}
	return passing // from the CDN, not from the service
}

// describe returns the status of an answer and, unless it is JSON, its type.
func (ss secrets) describe(resp *http.Response) string {
	s := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	if kind := resp.Header.Get("Content-Type"); kind != "" && !strings.Contains(kind, "json") {
		s += ", " + truncate(ss.brief(kind), 40)
	}
	return s
}

// retrieveError returns the answer as users of oauth2 expect it. It is redacted,
// and the body is cut to 1 KiB. The request is left out: it has the credential.
func (ss secrets) retrieveError(resp *http.Response, data []byte) *oauth2.RetrieveError {
	body := ss.redact(string(data))
	answer := responseOf(resp.StatusCode)
	answer.Proto, answer.ProtoMajor, answer.ProtoMinor = resp.Proto, resp.ProtoMajor, resp.ProtoMinor
	answer.Header = ss.header(resp.Header)
	return &oauth2.RetrieveError{Response: answer, Body: []byte(body[:min(len(body), 1<<10)])}
}

// responseOf returns a response with only a status.
func responseOf(status int) *http.Response {
	return &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status)),
		StatusCode: status,
		Header:     make(http.Header),
		Body:       http.NoBody,
	}
}

// retryAfter returns how long the answer asks to wait, or 0.
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
