package apivideo

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/answer"
	"github.com/apivideo/api.video-go-oauth2/internal/grant"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/outgoing"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/apivideo/api.video-go-oauth2/internal/replay"
	"github.com/apivideo/api.video-go-oauth2/internal/replay/refused"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/standard"
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
	e, err := t.Source.use()
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if reason := e.service.base.Excludes(req); reason != "" {
		e.passedUntouched(req, reason)
		return t.forward(e, req)
	}
	out := outgoing.New(req, e.service.origins)
	if out == nil {
		e.passedUntouched(req, "it has an Authorization header")
		return t.forward(e, req)
	}
	token, sent, err := e.cache.Get(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	out.Authorize(token.Bearer)
	body := replay.NewGate(&out.Request)
	resp, refused, err := t.send(e, out, req, attempt{token: token, at: sent})
	if !refused {
		return resp, err
	}
	return t.retry(e, req, token, resp, body)
}

// CloseIdleConnections closes the idle connections of the base, if it has a
// method to do so. [http.Client.CloseIdleConnections] calls it.
func (t *Transport) CloseIdleConnections() {
	e, err := t.Source.use()
	if err != nil && guard.Nil(t.Base) {
		return
	}
	standard.CloseIdleConnections(t.base(e))
}

func (t *Transport) base(e *engine) http.RoundTripper {
	if guard.Nil(t.Base) {
		return &e.service.standard
	}
	return t.Base
}

// closeBody closes the body of a request that is not sent.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// forward sends req through the base.
func (t *Transport) forward(e *engine, req *http.Request) (*http.Response, error) {
	return roundtrip.Send(t.base(e), req, &e.service.hung.bodies)
}

// passedUntouched logs why a request is sent without a token, but not a second
// time. The first one to the other environment is a warning.
func (e *engine) passedUntouched(req *http.Request, reason string) {
	if e.service.standard.Entered(req.Context()) {
		return
	}
	level, u := slog.LevelDebug, req.URL
	if u == nil {
		u = &url.URL{}
	}
	if e.service.base.IsOther(u, ProductionURL, SandboxURL) && e.warned.CompareAndSwap(false, true) {
		level = slog.LevelWarn
	}
	e.journal.Log(level, tokencache.MessageUntouched, slog.String("reason", reason), slog.String("host", u.Host))
}

// mostSends is how often a request is sent: with the token, with another one if
// that is refused, and with a certain successor if that is refused too.
const mostSends = 3

// retry handles a 401 to req, which was sent with token. It sends req again with
// a new token if that may help, and returns the last response.
func (t *Transport) retry(e *engine, req *http.Request, token *tokencache.Token, resp *http.Response, body *replay.Gate) (*http.Response, error) {
	var before time.Time // of the 401 before
	for sends := 1; ; sends++ {
		at := time.Now()
		// Read the body first: the auth call may need its connection.
		said, whole := e.takeBody(req.Context(), resp, token)
		if whole && !refusesToken(said) || len(said) > refused.MaxBody {
			return resp, nil
		}
		e.cache.Refuse(token, at)
		if sends == mostSends || sends > 1 && token.RequestedSince(before) {
			return resp, nil
		}
		var err error
		again := whole && replay.Possible(req) && body.Shut(req.Context())
		if token, err = e.replacement(req.Context(), token, before, again); err != nil {
			if _, ended := err.(*tokencache.WaitError); ended {
				return e.drop(resp, err)
			}
			return resp, nil
		}
		out := outgoing.New(req, e.service.origins)
		if out == nil || !replay.Renew(&out.Request, req) {
			return resp, nil
		}
		out.Authorize(token.Bearer)
		body = replay.NewGate(&out.Request)
		e.replays.Add(1)
		if resp, again, err = t.send(e, out, req, attempt{token, time.Now(), true}); !again {
			return resp, err
		}
		before = at
	}
}

var errNotReplayable = errors.New("apivideo: the request cannot be sent again")

// replacement returns the token to send a request with again. If it cannot be sent
// again, the renewal starts behind it. See [tokencache.Cache.Replace] for since.
func (e *engine) replacement(ctx context.Context, refused *tokencache.Token, since time.Time, again bool) (*tokencache.Token, error) {
	switch {
	case again:
		return e.cache.Replace(ctx, refused, since)
	case ctx.Err() != nil:
		return nil, tokencache.Ended(ctx)
	}
	e.cache.ReplaceBehind(refused)
	return nil, errNotReplayable
}

// takeBody reads the body of a 401 to token. See [refused.TakeBody].
func (e *engine) takeBody(ctx context.Context, resp *http.Response, token *tokencache.Token) (read []byte, whole bool) {
	read, whole, crash := refused.TakeBody(ctx, resp, &e.service.hung.bodies)
	if crash != nil { // its text may show the request
		secrets := e.issuer.accounts.Secrets(token.AccessToken, token.RefreshToken)
		e.cache.LogCrash(&guard.Crash{Text: secrets.Redact(crash.Text), Stack: crash.Stack})
	}
	return read, whole
}

// drop closes resp, and returns err instead.
func (e *engine) drop(resp *http.Response, err error) (*http.Response, error) {
	roundtrip.Drop(resp, &e.service.hung.bodies)
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
func (t *Transport) send(e *engine, out *outgoing.Request, req *http.Request, n attempt) (resp *http.Response, refused bool, err error) {
	resp, err = t.forward(e, &out.Request)
	if err != nil {
		return nil, false, outgoing.Error(err, (*secretsOf)(n.token))
	}
	outgoing.Hide(resp, (*secretsOf)(n.token))
	carried := out.Carried(resp.Request)
	resp.Request = out.Answered(resp.Request, req)
	if carried && accepts(resp.StatusCode) {
		e.cache.Accept(n.token, n.at, n.replayed)
	}
	return resp, carried && resp.StatusCode == http.StatusUnauthorized, nil
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

// refusesToken reports whether a 401 with this body may be about the access
// token. It is not if the body, perhaps compressed, names another documented
// problem.
func refusesToken(body []byte) bool {
	p, _ := parseProblem(answer.Plain(body, grant.MaxSize))
	id := p.id()
	_, documented := problems.ByID(id)
	return p.Type == "" || id == problems.InvalidAccessToken || !documented
}
