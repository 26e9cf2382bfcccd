package apivideo

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/answer"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/trace"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
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
	trace.Progress
}

// noAnswer is the error of a call that got no answer, or not all of it.
func (r *reporter) noAnswer(err error) *Error {
	e := &Error{Op: r.op, outcome: passing}
	var said []byte       // it may quote the answer
	var dial *net.OpError // only so do clients other than net/http's report a failed dial
	var at *url.Error
	redact.Walk(err, func(err error) bool {
		said = append(append(said, err.Error()...), '\n')
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
	hidden, ok := r.with(said)
	if !ok {
		e.reason = "the answer cannot be read"
		return e
	}
	e.err = hidden.Error(err)
	if at != nil {
		e.reason = hidden.Brief(strings.ToUpper(at.Op)+" "+at.URL) + ": "
		err = at.Err
	}
	e.reason += hidden.Brief(err.Error())
	return e
}

// with returns all secrets of a call, with the new tokens in what the server said.
// ok is false if there are too many.
func (r *reporter) with(said []byte) (all redact.Secrets, ok bool) {
	tokens, ok := answer.Tokens(said)
	return redact.New(append(tokens, r.secrets...)...), ok
}

// notMade is the error of a call that was not made: earlier ones hang in the HTTP
// client.
func (r *reporter) notMade() *Error {
	return &Error{Op: r.op, outcome: later, unsent: true, err: guard.ErrFull, reason: fmt.Sprintf(
		"%d earlier calls hang in the HTTP client; its transport must return when the request's context ends", guard.MostHanging)}
}

// tookDetour is the error of a call that the transport of the HTTP client sent, or
// would have sent, where no credential may go.
func (r *reporter) tookDetour(url string) *Error {
	format := "the answer did not come from %s: the HTTP client's transport follows redirects; configure it not to"
	switch r.Detour() {
	case trace.Rewritten:
		format = "the answer did not come from %s: the HTTP client's transport changes the URL; set Config.BaseURL to the URL it should use"
	case trace.Unencrypted:
		format = "the connection to %s is not encrypted: DialTLSContext of the HTTP client's transport must return a TLS connection"
	}
	return &Error{Op: r.op, outcome: later, reason: fmt.Sprintf(format, r.secrets.Brief(url))}
}

// unusable is the error of a successful answer without a usable token. It keeps
// no part of the body, which may have secrets.
func (r *reporter) unusable(resp *http.Response, why error, outcome outcome) *Error {
	return &Error{
		Op:      r.op,
		Problem: Problem{Status: resp.StatusCode},
		reason:  fmt.Sprintf("the answer (%s) is unusable: %v", answer.Describe(resp, r.secrets), why),
		err:     answer.RetrieveError(resp, nil, r.secrets),
		outcome: outcome,
	}
}

// refusal is the error of an answer whose status is not a success, or whose body is
// a problem. It may have new tokens all the same.
func (r *reporter) refusal(resp *http.Response, data []byte) *Error {
	hidden, ok := r.with(data)
	if !ok {
		data = nil
	}
	p, explained := parseProblem(data)
	p = p.redact(hidden)
	said, status := cmp.Or(p.Title, p.id()), resp.StatusCode
	if !explained {
		said = answer.Text(data)
	}
	if status/100 == 2 {
		status = p.status(status)
	}
	e := &Error{
		Op:      r.op,
		Problem: p,
		reason:  strings.TrimSuffix(answer.Describe(resp, hidden)+": "+hidden.Brief(said), ": "),
		err:     answer.RetrieveError(resp, data, hidden),
		outcome: outcomeOf(status, explained),
	}
	e.Status = status
	if e.outcome == passing {
		e.RetryAfter = answer.RetryAfter(status, resp.Header, time.Now())
	}
	return e
}

// secretsOf a token are those that no error of a request shows.
type secretsOf tokencache.Token

// Secrets implements [outgoing.Hidden].
func (t *secretsOf) Secrets() redact.Secrets {
	return redact.New(t.AccessToken, t.RefreshToken, t.Account.Key())
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
