package apivideo

import (
	"context"
	"net/http"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/replay"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

// outgoing returns a copy of req with the origin headers, and the place for the
// value of its Authorization header. It returns nil if req has that header
// already.
//
// The copy shares the caller's header values, which a base must not change. The
// added values are not shared: some bases write to them. They are allocated
// together with the request.
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

// isHeader compares the name of a header, ignoring case: a program may write to
// the map with a name that is not canonical.
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

// takeBody reads the body of a 401 to token. See [replay.TakeBody].
func (a *account) takeBody(ctx context.Context, resp *http.Response, token *tokencache.Token) (read []byte, whole bool) {
	read, whole, crash := replay.TakeBody(ctx, resp)
	if crash != nil { // its text may show the request
		secrets := a.issuer.accounts.Secrets(token.AccessToken, token.RefreshToken)
		a.cache.LogCrash(&guard.Crash{Text: secrets.Redact(crash.Text), Stack: crash.Stack})
	}
	return read, whole
}
