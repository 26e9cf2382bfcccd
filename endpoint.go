package apivideo

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// endpoint is the root of the API: an origin and a path. It gives the URLs of
// auth calls, and decides which requests may carry a token.
type endpoint struct {
	scheme  string // lower case
	host    string // lower case, no brackets
	port    string // never empty
	path    string // clean and decoded; "" for the root, else "/a/b"
	escaped string // path in its escaped form
	literal string // host and port as in the BaseURL, for a fast comparison
}

// parseEndpoint checks a BaseURL. Its errors do not repeat the URL, which may
// contain a password.
func parseEndpoint(raw string) (endpoint, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return endpoint{}, configErrorf("Config.BaseURL is not a URL; it should be like %s", ProductionURL)
	case u.User != nil:
		return endpoint{}, configErrorf("Config.BaseURL has a user name; remove it, the API key is all that is needed")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return endpoint{}, configErrorf("Config.BaseURL has a query or a fragment; remove it")
	case u.Opaque != "" || u.Hostname() == "":
		return endpoint{}, configErrorf("Config.BaseURL has no host; it should be like %s", ProductionURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return endpoint{}, configErrorf("Config.BaseURL must begin with https://; http is for loopback hosts only")
	case !validPort(u):
		return endpoint{}, configErrorf("Config.BaseURL has a port outside 1 to 65535; correct or remove it")
	}
	escaped := strings.TrimSuffix(path.Clean("/"+u.EscapedPath()), "/")
	decoded, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(strings.ToLower(escaped), "%2f") || strings.TrimSuffix(path.Clean("/"+decoded), "/") != decoded {
		return endpoint{}, configErrorf("Config.BaseURL has dots or slashes escaped in its path; write them plainly")
	}
	return endpoint{
		scheme: u.Scheme, host: canonicalHost(u.Hostname()), port: portOf(u),
		path: decoded, escaped: canonicalEscapes(escaped), literal: u.Host,
	}, nil
}

func validPort(u *url.URL) bool {
	n, err := strconv.ParseUint(portOf(u), 10, 16)
	return err == nil && n > 0
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return lower(host) == "localhost" || err == nil && addr.IsLoopback()
}

// portOf returns the URL's port without leading zeros, or the default port of
// its scheme.
func portOf(u *url.URL) string {
	switch port := strings.TrimLeft(u.Port(), "0"); {
	case port != "" || u.Port() != "":
		return port
	case lower(u.Scheme) == "https":
		return "443"
	case lower(u.Scheme) == "http":
		return "80"
	}
	return ""
}

// lower returns s with its ASCII letters in lower case. [strings.ToLower] would
// also map some other letters to ASCII.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					r += 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}

// canonicalHost returns one spelling for each host name or address.
func canonicalHost(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return lower(host)
}

// canonicalEscapes returns the path with its escapes in upper case.
func canonicalEscapes(p string) string {
	b := []byte(p)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:], strings.ToUpper(p[i:i+3]))
		}
	}
	return string(b)
}

// String returns one spelling for each endpoint.
func (e *endpoint) String() string {
	return e.scheme + "://" + net.JoinHostPort(e.host, e.port) + e.escaped
}

// join returns the URL of a path below e. p begins with a slash.
func (e *endpoint) join(p string) string {
	return e.scheme + "://" + strings.ReplaceAll(e.literal, "%", "%25") + e.escaped + p // a % is before an IPv6 zone
}

// excludes returns the reason why a request may not carry a token, or "" if it
// may: it goes to e's origin, below e's path, and is not an auth call.
func (e *endpoint) excludes(req *http.Request) string {
	switch {
	case !e.authorizes(req.URL):
		return "its URL is outside the BaseURL, or is one of the auth operations"
	case req.Host != "" && !e.isAuthority(req.Host):
		return "its Host field names another host"
	}
	redirects := 0
	for r := req.Response; r != nil; r = r.Request.Response {
		if redirects++; redirects > maxRedirects {
			return "it continues too many redirects"
		}
		if r.Request == nil || !e.contains(r.Request.URL) {
			return "it continues a redirect that came from outside the BaseURL"
		}
	}
	return ""
}

// maxRedirects is how many redirects before a request are checked. There may be
// no end of them: each response refers to a request and each request to a
// response, and a base may answer twice with the same response.
const maxRedirects = 100

// authorizes reports whether a request to u may carry a token.
func (e *endpoint) authorizes(u *url.URL) bool {
	// The fast path for most requests: a base URL without a path, and a request
	// that cannot be an auth call. It needs no path.Clean.
	if u != nil && e.path == "" && u.Opaque == "" && strings.HasPrefix(u.Path, "/") && !strings.Contains(u.Path, "/auth") {
		return e.sameOrigin(u)
	}
	rest, literal, ok := e.rest(u)
	return ok && !isAuth(rest) && !isAuth(literal)
}

func isAuth(p string) bool { return p == authenticate.path || p == refresh.path }

// contains reports whether u has e's origin and is below e's path.
func (e *endpoint) contains(u *url.URL) bool {
	_, _, ok := e.rest(u)
	return ok
}

// rest returns the part of u's path after e's path, if e contains u. Servers
// differ in how they read an escaped slash or dot. So rest is decoded before
// path.Clean applies the dots, and literal is decoded after that.
func (e *endpoint) rest(u *url.URL) (rest, literal string, ok bool) {
	if u == nil || u.Opaque != "" || !e.sameOrigin(u) {
		return "", "", false
	}
	rest, ok = below(u.Path, e.path)
	if ok && u.RawPath != "" {
		literal, ok = below(canonicalEscapes(u.EscapedPath()), e.escaped)
		literal, _ = url.PathUnescape(literal)
	}
	return rest, literal, ok
}

// isOtherEnvironment reports whether the host of u is an api.video environment,
// but not e's: the program probably mixes the two.
func (e *endpoint) isOtherEnvironment(u *url.URL) bool {
	name := canonicalHost(u.Hostname())
	known := name == strings.TrimPrefix(ProductionURL, "https://") || name == strings.TrimPrefix(SandboxURL, "https://")
	return known && !e.isAuthority(u.Host)
}

func (e *endpoint) sameOrigin(u *url.URL) bool {
	if u.Host == e.literal && u.Scheme == e.scheme {
		return true
	}
	return lower(u.Scheme) == e.scheme && canonicalHost(u.Hostname()) == e.host && portOf(u) == e.port
}

// isAuthority reports whether a Host header names e.
func (e *endpoint) isAuthority(host string) bool {
	return host == e.literal || e.sameOrigin(&url.URL{Scheme: e.scheme, Host: host})
}

// below reports whether p is base or below it. rest is p relative to base: "",
// or a path that begins with a slash.
func below(p, base string) (rest string, ok bool) {
	if p != "" {
		p = strings.TrimSuffix(path.Clean(p), "/")
	}
	rest, ok = strings.CutPrefix(p, base)
	return rest, ok && (rest == "" || rest[0] == '/')
}
