package apivideo

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/grant"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip"
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

// The values of Error.Op.
const (
	opAuthenticate = "authenticate"
	opRefresh      = "refresh"
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
	err     error  // the cause, or the answer as an *oauth2.RetrieveError; may be nil
	unsent  bool   // the credential was not sent: there was no connection
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
	if e.err == nil {
		return nil
	}
	return []error{e.err}
}

// unspent reports whether the refresh token is certainly still valid: it was not
// sent, or the service did not process it.
func (e *Error) unspent() bool { return e.Status == http.StatusTooManyRequests || e.unsent }

// reporter makes the errors of an auth call.
type reporter struct {
	op      string
	secrets redact.Secrets
	roundtrip.Progress
}

// noAnswer is the error of a call that got no answer, or not all of it.
func (r *reporter) noAnswer(err error) *Error {
	e := &Error{Op: r.op, outcome: passing, err: r.secrets.Error(err)}
	var dial *net.OpError // only so do clients other than net/http's report a failed dial
	var at *url.Error
	redact.Walk(err, func(err error) bool {
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
	e.unsent = (r.Dialing.Load() || dial != nil && dial.Op == "dial" && !r.Read.Load()) && !r.Connected.Load()
	if at != nil {
		e.reason = r.secrets.Brief(strings.ToUpper(at.Op)+" "+at.URL) + ": "
		err = at.Err
	}
	e.reason += r.secrets.Brief(err.Error())
	return e
}

// fromElsewhere is the error of a call that another host or path answered: the
// transport of the HTTP client follows redirects.
func (r *reporter) fromElsewhere(url string) *Error {
	return &Error{
		Op:      r.op,
		outcome: later,
		reason: "the answer did not come from " + r.secrets.Brief(url) +
			": the HTTP client's transport follows redirects; configure it not to",
	}
}

// unusable is the error of a successful answer without a usable token. It keeps
// no part of the body, which may have secrets.
func (r *reporter) unusable(resp *http.Response, why error, outcome outcome) *Error {
	plain := *resp
	plain.Header = grant.PlainHeader(resp.Header)
	return &Error{
		Op:      r.op,
		Problem: Problem{Status: resp.StatusCode},
		reason:  fmt.Sprintf("the answer (%s) is unusable: %v", grant.Describe(resp, r.secrets), why),
		err:     grant.RetrieveError(&plain, nil, r.secrets),
		outcome: outcome,
	}
}

// refusal is the error of an answer whose status is not a success. It may have
// new tokens all the same.
func (r *reporter) refusal(resp *http.Response, data []byte) *Error {
	p, explained := parseProblem(data)
	hidden := redact.New(append(grant.Tokens(data), r.secrets...)...)
	e := &Error{
		Op:      r.op,
		Problem: p.redact(hidden),
		err:     grant.RetrieveError(resp, data, hidden),
		outcome: outcomeOf(resp.StatusCode, explained),
	}
	e.Status = resp.StatusCode
	said := cmp.Or(e.Title, e.id())
	if !explained {
		said = grant.Text(data)
	}
	e.reason = strings.TrimSuffix(grant.Describe(resp, hidden)+": "+hidden.Brief(said), ": ")
	if e.outcome == passing {
		e.RetryAfter = grant.RetryAfter(resp, time.Now())
	}
	return e
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

// sharedError is the form of an [Error] in a Store.
type sharedError struct {
	Op         string
	Problem    Problem
	RetryAfter time.Duration
	Reason     string
	Outcome    outcome
	Timeout    bool
	Body       []byte // of the answer; nil if there was none
}

// encodeError returns an error without secrets, as JSON.
func encodeError(err error) []byte {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Op: opAuthenticate, reason: strings.TrimPrefix(err.Error(), "apivideo: "), outcome: passing}
	}
	s := sharedError{e.Op, e.Problem, e.RetryAfter, e.reason, e.outcome, e.Timeout(), nil}
	if answer, ok := e.err.(*oauth2.RetrieveError); ok {
		s.Body = append([]byte{}, answer.Body...)
	}
	data, _ := json.Marshal(s) // strings and numbers cannot fail
	if len(data) > maxShared {
		p := &s.Problem
		p.Type, p.Title, p.Name = redact.Truncate(p.Type, redact.MaxText), redact.Truncate(p.Title, redact.MaxText), redact.Truncate(p.Name, redact.MaxText)
		p.Problems = nil
		data, _ = json.Marshal(s)
	}
	return data
}

// maxShared is how long an encoded error may be before it is cut, in bytes.
const maxShared = 8 << 10

// decodeError reads what encodeError returned, or returns nil.
func decodeError(encoded []byte) error {
	var s sharedError
	if json.Unmarshal(encoded, &s) != nil {
		return nil
	}
	e := &Error{Op: s.Op, Problem: s.Problem, RetryAfter: s.RetryAfter, reason: s.Reason, outcome: s.Outcome}
	switch {
	case s.Body != nil:
		e.err = &oauth2.RetrieveError{Response: grant.Response(e.Status), Body: s.Body}
	case s.Timeout:
		e.err = context.DeadlineExceeded
	}
	return e
}
