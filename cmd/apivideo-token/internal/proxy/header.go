package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// dropped are the request headers that always end here. The client's credential
// is for this proxy only, and so are cookies, which a browser sends to every
// port of a host. The replayer sets Expect.
var dropped = []string{"Authorization", "Proxy-Authorization", "Cookie", "Connection", "Upgrade", "Expect"}

// needed are the request headers that clients of the API need, and families the
// beginnings of such. With -allow no other passes: it may change the method, the
// path or the host for some server.
var (
	needed   = []string{"Accept", "Range", "User-Agent", "Traceparent", "Tracestate", "Baggage", "B3", "X-Request-Id", "X-Correlation-Id"}
	families = []string{"Accept-", "Content-", "If-", "Av-Origin-", "X-B3-"}
)

// passes reports whether a request header reaches the API.
func (a allowList) passes(name string) bool {
	if slices.Contains(dropped, name) {
		return false
	}
	return a.mux == nil || slices.Contains(needed, name) ||
		slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(name, family) })
}

// clean removes from a response what is not for the client.
func (p *Proxy) clean(resp *http.Response) error {
	for name := range resp.Header {
		if name == "Set-Cookie" || strings.HasPrefix(name, "Access-Control-") {
			delete(resp.Header, name)
		}
	}
	if at := resp.Header.Get("Location"); at != "" {
		resp.Header.Set("Location", p.local(at))
	}
	p.trouble.end("the API answers again")
	return nil
}
