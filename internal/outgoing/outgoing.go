// Package outgoing has the copy of a request that carries the access token, and
// keeps the token out of what the caller gets back.
package outgoing

import (
	"net/http"
	"strings"
)

// Origin is a header that identifies the program. Name is canonical.
type Origin struct{ Name, Value string }

// Request is a copy of the caller's request. All that belongs to one attempt is
// allocated together.
type Request struct {
	http.Request
	slot [1]string // the value of the Authorization header
}

// New returns a copy of req with the origin headers. It returns nil if req has an
// Authorization header.
//
// The copy shares the caller's header values, which a base must not change. The
// added values are not shared: some bases write to them.
func New(req *http.Request, origins []Origin) *Request {
	var out *Request
	var more []string
	if len(origins) == 0 {
		out = &Request{Request: *req}
	} else {
		room := &struct {
			Request
			more [2]string
		}{Request: Request{Request: *req}}
		out, more = &room.Request, room.more[:]
	}
	out.Header = make(http.Header, len(req.Header)+1+len(origins))
	for name, values := range req.Header {
		if isHeader(name, "Authorization") {
			return nil
		}
		out.Header[name] = values[:len(values):len(values)]
	}
	out.Header["Authorization"] = out.slot[:]
	for i, o := range origins {
		if !hasHeader(req.Header, o.Name) {
			more[i] = o.Value
			out.Header[o.Name] = more[i : i+1 : i+1]
		}
	}
	return out
}

// Authorize adds the value of the Authorization header.
func (r *Request) Authorize(bearer string) { r.slot[0] = bearer }

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

// Carried reports whether sent, the request that was answered, had the token. It
// did not if the base followed a redirect to another host. At the URL of r it did,
// even if the base does not show it: recorders remove the header.
func (r *Request) Carried(sent *http.Request) bool {
	return r.isAt(sent) || sent.Header.Get("Authorization") == r.Header.Get("Authorization")
}

// isAt reports whether sent, the request that was answered, has the URL of r. It
// has if the base does not say.
func (r *Request) isAt(sent *http.Request) bool {
	return sent == nil || sent == &r.Request || sent.URL == nil || *sent.URL == *r.URL
}

// Answered returns the request for Response.Request. It shows no token. It is req,
// the caller's, or the redirected one if the base followed a redirect.
func (r *Request) Answered(sent, req *http.Request) *http.Request {
	if r.isAt(sent) {
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
