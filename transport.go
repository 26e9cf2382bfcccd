package apivideo

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

// maxRefusal is how much of a 401's body is read to learn its reason, in
// bytes. The service's problems have a few hundred.
const maxRefusal = 64 << 10

// Transport is an [http.RoundTripper] that authorizes requests to the API with
// the token of a [Source]. Put it under any client or SDK that takes an
// http.RoundTripper; for a plain http.Client, [Config.Client] does so.
//
// A request passes untouched unless it is for the origin of Config.BaseURL and
// below its path. So does one that has an Authorization header, even an empty
// one, or is for the auth operations themselves.
//
// When the API refuses the token with a 401, the Transport gets a new token and
// sends the request once more, provided its body can be had again: there is
// none, or the request has a GetBody. If there is no new token to be had, the
// caller gets the 401 as it came.
//
// A Transport is safe for concurrent use as long as nobody writes to its
// fields.
type Transport struct {
	// Source provides the token. Required; without one, every request fails.
	Source *Source

	// Base sends the requests. If nil, http.DefaultTransport does.
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
	if !a.service.base.authorizes(req.URL) {
		return t.base().RoundTrip(req)
	}
	out, authorization := outgoing(req, a.service.origins)
	if out == nil {
		return t.base().RoundTrip(req)
	}
	token, err := a.cache.Get(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	*authorization = token.Bearer
	resp, err := t.send(out, req, token)
	if err != nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	return t.heal(a, req, token, resp)
}

// CloseIdleConnections closes those of the base, if it knows how to. It lets
// http.Client.CloseIdleConnections reach it.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// heal answers a 401 to req, sent with token: with the answer to a second attempt
// if a new token may help, else with the 401.
func (t *Transport) heal(a *account, req *http.Request, token *tokencache.Token, refusal *http.Response) (*http.Response, error) {
	// The body comes first: its connection may be the only one that the auth
	// call can use.
	body, whole := takeBody(refusal)
	if !whole || !refusesToken(body) {
		return refusal, nil
	}
	if !rewindable(req) {
		a.cache.ReplaceBehind(token)
		return refusal, nil
	}
	next, err := a.cache.Replace(req.Context(), token)
	if _, ended := errors.AsType[*tokencache.WaitError](err); ended {
		return nil, err
	}
	if err != nil {
		return refusal, nil
	}
	out, authorization := outgoing(req, a.service.origins)
	if out.Body != nil && out.Body != http.NoBody {
		if out.Body, err = req.GetBody(); err != nil {
			return refusal, nil
		}
	}
	*authorization = next.Bearer
	return t.send(out, req, next)
}

// send sends out, the copy of req that carries the token.
func (t *Transport) send(out, req *http.Request, token *tokencache.Token) (*http.Response, error) {
	resp, err := t.base().RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if resp != nil {
		resp.Request = req // the caller's, which shows no token
		if resp.StatusCode != http.StatusUnauthorized {
			token.Accept()
		}
	}
	return resp, nil
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

// rewindable reports whether the request's body can be had again.
func rewindable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// takeBody reads the body of a 401 and closes it, leaving the response with a
// body that reads the same. A long one it leaves to the caller: whole is false.
func takeBody(resp *http.Response) (body []byte, whole bool) {
	if resp.Body == nil {
		return nil, true
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal+1))
	read := io.Reader(bytes.NewReader(body))
	if len(body) > maxRefusal {
		resp.Body = &splicedBody{io.MultiReader(read, resp.Body), resp.Body}
		return nil, false
	}
	resp.Body.Close()
	if err != nil {
		read = io.MultiReader(read, brokenReader{err})
	}
	resp.Body = io.NopCloser(read)
	return body, true
}

type splicedBody struct {
	io.Reader
	io.Closer
}

// brokenReader fails as the body did.
type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// refusesToken reports whether the body of a 401 is about the access token, or
// may be: it is not if it names another problem that the service documents.
func refusesToken(body []byte) bool {
	p, _ := parseProblem(body)
	id := p.id()
	return p.Type == "" || id == invalidAccessToken || !knownProblems[id]
}
