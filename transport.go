package apivideo

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/foreign"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

// Transport is an [http.RoundTripper] that authorizes requests to the API with
// the token of a [Source]. Put it under any client or SDK that takes an
// http.RoundTripper; for a plain http.Client, [Config.Client] does so.
//
// A request passes untouched unless it is for the origin of Config.BaseURL and
// below its path. So does one that has an Authorization header, even an empty
// one, is for the auth operations themselves, names another host in its Host
// field, or continues a redirect that came from outside the BaseURL. A Debug
// log line says why.
//
// When the API refuses the token with a 401, the Transport gets a new token and
// sends the request again, if its body can be replayed: it has none, or GetBody
// is set. If the new token was on its way before the 401, and is refused too,
// the request is sent a third time, with a token that was asked for after. If
// no new token can be obtained, the caller gets the original 401.
//
// A Transport is safe for concurrent use as long as nobody writes to its
// fields.
type Transport struct {
	// Source provides the token. Required; without one, every request fails.
	Source *Source

	// Base sends the requests. If nil, http.DefaultTransport does, as it was
	// when the Source was made.
	Base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. The request's context bounds the
// wait for a token. A mistake in the Source's [Config] fails every request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, err := t.Source.use()
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if reason := a.service.base.excludes(req); reason != "" {
		a.passedUntouched(req, reason)
		return t.base(a).RoundTrip(req)
	}
	out, authorization := outgoing(req, a.service.origins)
	if out == nil {
		a.passedUntouched(req, "it has an Authorization header")
		return t.base(a).RoundTrip(req)
	}
	token, err := a.cache.Get(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	*authorization = token.Bearer
	body := gateOf(out)
	resp, refused, err := t.send(a, out, req, token)
	if !refused {
		return resp, err
	}
	return t.heal(a, req, token, resp, body)
}

// CloseIdleConnections closes those of the base, if it knows how to. It lets
// http.Client.CloseIdleConnections reach it.
func (t *Transport) CloseIdleConnections() {
	a, err := t.Source.use()
	if err != nil && foreign.Nil(t.Base) {
		return
	}
	if base, ok := t.base(a).(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

func (t *Transport) base(a *account) http.RoundTripper {
	if foreign.Nil(t.Base) {
		return a.service.defaultBase
	}
	return t.Base
}

// passedUntouched logs why a request goes out without a token.
func (a *account) passedUntouched(req *http.Request, reason string) {
	level, host := slog.LevelDebug, ""
	if req.URL != nil {
		host = req.URL.Host
	}
	if a.service.base.isOtherEnvironment(host) && a.warned.CompareAndSwap(false, true) {
		level = slog.LevelWarn
	}
	a.journal.Log(level, tokencache.MessageUntouched, slog.String("reason", reason), slog.String("host", host))
}

// heal answers a 401 to req, sent with token: with the answer to a further
// attempt if a new token may help, else with the 401.
func (t *Transport) heal(a *account, req *http.Request, token *tokencache.Token, resp *http.Response, body *gate) (*http.Response, error) {
	var first tokencache.Mark // when the first 401 came
	for {
		// The body comes first: its connection may be the only one that the
		// auth call can use.
		said, whole := a.takeBody(req.Context(), resp)
		if whole && !refusesToken(said) || len(said) > maxRefusal {
			return resp, nil
		}
		mark := a.cache.Refuse(token)
		if !whole || !replayable(req) || !body.shut(req.Context()) {
			a.cache.ReplaceBehind(token)
			return resp, nil
		}
		next, err := a.cache.Replace(req.Context(), token, first)
		if _, ended := errors.AsType[*tokencache.WaitError](err); ended {
			foreign.Go(func() (struct{}, error) { return struct{}{}, resp.Body.Close() }) // it may block
			return nil, err
		}
		if err != nil {
			return resp, nil
		}
		out, authorization := outgoing(req, a.service.origins)
		if out == nil || !renewBody(out, req) {
			return resp, nil
		}
		*authorization = next.Bearer
		body = gateOf(out)
		a.replays.Add(1)
		var refused bool
		if resp, refused, err = t.send(a, out, req, next); !refused {
			return resp, err
		}
		if first == 0 {
			first = mark
		} else {
			return resp, nil
		}
		if next.AskedSince(first) {
			return resp, nil
		}
		token = next
	}
}

// send sends out, the copy of req that carries the token. refused reports
// whether the answer is a 401 about that token.
func (t *Transport) send(a *account, out, req *http.Request, token *tokencache.Token) (resp *http.Response, refused bool, err error) {
	resp, err = t.base(a).RoundTrip(out)
	if err != nil {
		return nil, false, err
	}
	if resp == nil {
		return nil, false, nil
	}
	carried := carries(resp.Request, out)
	resp.Request = answered(resp.Request, out, req)
	if carried && accepts(resp.StatusCode) {
		token.Accept()
	}
	return resp, carried && resp.StatusCode == http.StatusUnauthorized, nil
}

// carries reports whether the request that was answered had the token of out. It
// has not if the base followed a redirect to another host without it.
func carries(sent, out *http.Request) bool {
	return sent == nil || sent == out || sent.Header.Get("Authorization") == out.Header.Get("Authorization")
}

// accepts reports whether an answer shows that the API took the token. Some
// may be the CDN's.
func accepts(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

// answered is the request that a response shows: the caller's, which has no
// token. If the base followed a redirect, it is one with the URL that was
// really answered.
func answered(sent, out, req *http.Request) *http.Request {
	if sent == nil || sent == out || sent.URL == nil || *sent.URL == *out.URL {
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

// outgoing returns a copy of req with the origin headers, and where to write the value of its
// Authorization header, or nil if req has such a header of its own.
//
// The copy has the caller's header values, which a base must leave alone as
// they are, but no value in common with another copy: bases have been seen to
// write to them. The room for the added ones is allocated with the request.
func outgoing(req *http.Request, origins []originHeader) (out *http.Request, authorization *string) {
	var slots []string
	if len(origins) == 0 {
		room := &struct {
			http.Request
			slots [1]string
		}{Request: *req}
		out, slots = &room.Request, room.slots[:]
	} else {
		room := &struct {
			http.Request
			slots [3]string
		}{Request: *req}
		out, slots = &room.Request, room.slots[:]
	}
	out.Header = make(http.Header, len(req.Header)+1+len(origins))
	for name, values := range req.Header {
		if isHeader(name, "Authorization") {
			return nil, nil
		}
		out.Header[name] = values[:len(values):len(values)]
	}
	out.Header["Authorization"] = slots[0:1:1]
	for i, o := range origins {
		if !hasHeader(req.Header, o.name) {
			slots[i+1] = o.value
			out.Header[o.name] = slots[i+1 : i+2 : i+2]
		}
	}
	return out, &slots[0]
}

// isHeader compares the name of a header, which a program may have put into
// the map in another case than the canonical one.
func isHeader(name, canonical string) bool {
	return len(name) == len(canonical) && strings.EqualFold(name, canonical)
}

func hasHeader(h http.Header, canonical string) bool {
	for name := range h {
		if isHeader(name, canonical) {
			return true
		}
	}
	return false
}

// closeBody closes the body of a request that is not sent.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// hasBody reports whether the request has a body with bytes in it.
func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// replayable reports whether the request can be sent again.
func replayable(req *http.Request) bool { return !hasBody(req) || req.GetBody != nil }

// renewBody gives out the body of req once more. It reports false if there is
// none to be given.
func renewBody(out, req *http.Request) bool {
	if !hasBody(req) {
		return true
	}
	body, err := req.GetBody()
	out.Body = body
	return err == nil && body != nil
}

// refusesToken reports whether the body of a 401 is about the access token, or
// may be: it is not if it names another problem that the service documents.
func refusesToken(body []byte) bool {
	p, _ := parseProblem(body)
	id := p.id()
	_, documented := problems.ByID(id)
	return p.Type == "" || id == problems.InvalidAccessToken || !documented
}
