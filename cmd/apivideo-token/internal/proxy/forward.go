package proxy

import (
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apivideo/api.video-go-oauth2"
)

// dropped are the request headers that end here. The client's credential is
// for this proxy only, and so are cookies, which a browser sends to every port
// of a host. A method or a path in a header would bypass -allow: some servers
// prefer them to those of the request. The replayer sets Expect.
var dropped = []string{
	"Authorization", "Cookie", "Connection", "Upgrade", "Expect",
	"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
}

// isDropped reports whether a request header ends here. Some servers read an
// underscore as a hyphen.
func isDropped(name string) bool {
	return slices.Contains(dropped, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")))
}

// forwarder returns a reverse proxy that sends requests through t. Package
// httputil removes the other hop-by-hop headers.
func (p *Proxy) forwarder(t http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:      t,
		ErrorLog:       log.New(io.Discard, "", 0),
		ErrorHandler:   writeFailure,
		ModifyResponse: p.clean,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // with what net/url cannot read
			maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool { return isDropped(name) })
		},
	}
}

// clean removes from a response what is not for the client.
func (p *Proxy) clean(resp *http.Response) error {
	for name := range resp.Header {
		if name == "Set-Cookie" || strings.HasPrefix(name, "Access-Control-") {
			resp.Header.Del(name)
		}
	}
	if at := resp.Header.Get("Location"); at != "" {
		resp.Header.Set("Location", p.local(at))
	}
	return nil
}

// discreet keeps the access token of a request out of the header of its
// response. It knows the token that was sent: the current one may be another by
// now. It drops trailers, which arrive too late for a check.
type discreet struct{ next http.RoundTripper }

func (t discreet) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	for name, values := range resp.Header {
		if token != "" && strings.Contains(strings.Join(values, "\n"), token) {
			resp.Header.Del(name)
		}
	}
	out := *resp // package net/http adds the trailers to resp
	out.Trailer = nil
	return &out, nil
}

// final writes an answer without the informational ones before it (1xx), whose
// headers nobody cleans. The server itself asks for the body with a 100.
type final struct {
	http.ResponseWriter
	answered func() // called before the answer is written
}

func (w final) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.answered()
		w.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap is for [http.ResponseController].
func (w final) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// local returns the target of a redirect as the client reaches it: a URL of
// the API becomes a path. Others stay as they are.
func (p *Proxy) local(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != p.target.Scheme || !strings.EqualFold(u.Host, p.target.Host) {
		return location
	}
	rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(p.target.Path, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return location
	}
	return (&url.URL{Path: "/" + strings.TrimLeft(rest, "/"), RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
}

// writeFailure answers a request if the API gave no answer. The library keeps
// secrets out of its errors, and errors of package net name only hosts.
func writeFailure(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone; to return would be a 200
	}
	if failed, ok := errors.AsType[*apivideo.Error](err); ok && failed.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(failed.RetryAfter.Seconds()))))
	}
	reason := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "apivideo: ")), " ")
	writeOwn(w, http.StatusBadGateway, "no-answer", "No answer from the API: "+reason)
}
