package apivideo

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/apivideo/api.video-go-oauth2/internal/replay"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

// Transport is an [http.RoundTripper] that authorizes requests to the API with
// the token of a [Source]. Put it under any client or SDK that takes an
// http.RoundTripper; for a plain http.Client, [Config.Client] does so.
//
// Only requests to the origin of Config.BaseURL, below its path, get a token.
// These do not:
//   - a request that has an Authorization header, even an empty one,
//   - a request to one of the two auth operations,
//   - a request whose Host field names another host,
//   - a request that continues a redirect from outside the BaseURL.
//
// They are sent unchanged, and a log line gives the reason.
//
// If the API refuses the token with a 401, the Transport gets a new token and
// sends the request again, if its body can be replayed: it has none, or GetBody
// is set. If the API refuses that token too, the request is sent a third time,
// unless this Source requested the second token after the first 401. If no new
// token can be obtained, the caller gets the last 401. Other errors are never
// retried.
//
// A Transport is safe for concurrent use as long as nobody writes to its
// fields.
type Transport struct {
	// Source provides the token. It is required: if nil, every request fails.
	Source *Source

	// Base sends the requests. If nil, it is http.DefaultTransport, as it is at
	// each request.
	Base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. The request's context limits the
// wait for a token. If the auth call failed, the error is an [*Error]. If the
// Source's [Config] has a mistake, every request fails.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, err := t.Source.use()
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if reason := a.service.base.Excludes(req); reason != "" {
		a.passedUntouched(req, reason)
		return t.forward(a, req)
	}
	out, authorization := outgoing(req, a.service.origins)
	if out == nil {
		a.passedUntouched(req, "it has an Authorization header")
		return t.forward(a, req)
	}
	token, sent, err := a.cache.Get(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	*authorization = token.Bearer
	body := replay.NewGate(out)
	resp, refused, err := t.send(a, out, req, attempt{token: token, at: sent})
	if !refused {
		return resp, err
	}
	return t.retry(a, req, token, resp, body)
}

// CloseIdleConnections closes the idle connections of the base, if it has a
// method to do so. [http.Client.CloseIdleConnections] calls it.
func (t *Transport) CloseIdleConnections() {
	a, err := t.Source.use()
	if err != nil && guard.Nil(t.Base) {
		return
	}
	roundtrip.CloseIdleConnections(t.base(a))
}

func (t *Transport) base(a *account) http.RoundTripper {
	if guard.Nil(t.Base) {
		return &a.service.standard
	}
	return t.Base
}

// forward sends req through the base.
func (t *Transport) forward(a *account, req *http.Request) (*http.Response, error) {
	return roundtrip.Send(t.base(a), req, &a.service.hung.bodies)
}

// passedUntouched logs why a request is sent without a token, but not a second
// time. The first one to the other environment is a warning.
func (a *account) passedUntouched(req *http.Request, reason string) {
	if a.service.standard.Entered(req.Context()) {
		return
	}
	level, u := slog.LevelDebug, req.URL
	if u == nil {
		u = &url.URL{}
	}
	if a.service.base.IsOther(u, ProductionURL, SandboxURL) && a.warned.CompareAndSwap(false, true) {
		level = slog.LevelWarn
	}
	a.journal.Log(level, tokencache.MessageUntouched, slog.String("reason", reason), slog.String("host", u.Host))
}

// mostSends is how often a request is sent: with the token, with another one if
// that is refused, and with a certain successor if that is refused too.
const mostSends = 3

// retry handles a 401 to req, which was sent with token. It sends req again with
// a new token if that may help, and returns the last response.
func (t *Transport) retry(a *account, req *http.Request, token *tokencache.Token, resp *http.Response, body *replay.Gate) (*http.Response, error) {
	var first time.Time // of the first 401
	for sends := 1; ; sends++ {
		refused := time.Now()
		// Read the body first: the auth call may need its connection.
		said, whole := a.takeBody(req.Context(), resp, token)
		if whole && !refusesToken(said) || len(said) > replay.MaxRefusal {
			return resp, nil
		}
		a.cache.Refuse(token, refused)
		if sends == mostSends || sends > 1 && token.RequestedSince(first) {
			return resp, nil
		}
		if !whole || !replay.Possible(req) || !body.Shut(req.Context()) {
			if req.Context().Err() != nil {
				return a.drop(resp, tokencache.Left(req.Context()))
			}
			a.cache.ReplaceBehind(token)
			return resp, nil
		}
		next, err := a.cache.Replace(req.Context(), token, first)
		if _, ended := errors.AsType[*tokencache.WaitError](err); ended {
			return a.drop(resp, err)
		}
		if err != nil {
			return resp, nil
		}
		out, authorization := outgoing(req, a.service.origins)
		if out == nil || !replay.Renew(out, req) {
			return resp, nil
		}
		*authorization = next.Bearer
		body = replay.NewGate(out)
		a.replays.Add(1)
		var again bool
		if resp, again, err = t.send(a, out, req, attempt{next, time.Now(), true}); !again {
			return resp, err
		}
		if sends == 1 {
			first = refused
		}
		token = next
	}
}

// drop closes resp, and returns err instead.
func (a *account) drop(resp *http.Response, err error) (*http.Response, error) {
	roundtrip.Drop(resp, &a.service.hung.bodies)
	return nil, err
}

// attempt is one sending of a request.
type attempt struct {
	token    *tokencache.Token
	at       time.Time // before it is sent
	replayed bool      // the API refused another token before
}

// send sends out, the copy of req that carries the token. refused reports
// whether the answer is a 401 about that token.
func (t *Transport) send(a *account, out, req *http.Request, n attempt) (resp *http.Response, refused bool, err error) {
	resp, err = t.forward(a, out)
	if err != nil {
		return nil, false, err
	}
	carried := carries(resp.Request, out)
	resp.Request = answered(resp.Request, out, req)
	if carried && accepts(resp.StatusCode) {
		a.cache.Accept(n.token, n.at, n.replayed)
	}
	return resp, carried && resp.StatusCode == http.StatusUnauthorized, nil
}

// carries reports whether sent, the request that was answered, had the token of
// out. It did not if the base followed a redirect to another host. At the URL of
// out it did, even if the base does not show it: recorders remove the header.
func carries(sent, out *http.Request) bool {
	return isAt(sent, out) || sent.Header.Get("Authorization") == out.Header.Get("Authorization")
}

// isAt reports whether sent, the request that was answered, has the URL of out.
// It has if the base does not say.
func isAt(sent, out *http.Request) bool {
	return sent == nil || sent == out || sent.URL == nil || *sent.URL == *out.URL
}

// accepts reports whether a status shows that the API accepted the token. The
// others may come from the CDN, which does not check tokens.
func accepts(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// answered returns the request for Response.Request. It shows no token. It is
// the caller's request, or the redirected one if the base followed a redirect.
func answered(sent, out, req *http.Request) *http.Request {
	if isAt(sent, out) {
		return req
	}
	shown := *sent
	shown.Header = make(http.Header, len(sent.Header))
	for name, values := range sent.Header {
		if !isHeader(name, "Authorization") {
			shown.Header[name] = values
		}
	}
	return &shown
}

// refusesToken reports whether a 401 with this body may be about the access
// token. It is not if the body names another documented problem.
func refusesToken(body []byte) bool {
	p, _ := parseProblem(body)
	id := p.id()
	_, documented := problems.ByID(id)
	return p.Type == "" || id == problems.InvalidAccessToken || !documented
}
