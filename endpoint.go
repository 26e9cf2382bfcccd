package apivideo

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// endpoint is the root of the API: an origin and a path. It says where auth
// calls go and which requests may carry a token.
type endpoint struct {
	scheme  string // lower case
	host    string // lower case, no brackets
	port    string // never empty
	path    string // clean and decoded; "" for the root, else "/a/b"
	escaped string // path, as it is sent
	literal string // host and port as they were given, for a quick comparison
}

// parseEndpoint checks a BaseURL. Its errors do not repeat the URL, which may
// contain a password.
func parseEndpoint(raw string) (endpoint, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return endpoint{}, errors.New("apivideo: Config.BaseURL is not a URL; it should be like " + ProductionURL)
	case u.User != nil:
		return endpoint{}, errors.New("apivideo: Config.BaseURL has a user name; remove it, the API key is all that is needed")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return endpoint{}, errors.New("apivideo: Config.BaseURL has a query or a fragment; remove it")
	case u.Opaque != "" || u.Hostname() == "":
		return endpoint{}, errors.New("apivideo: Config.BaseURL has no host; it should be like " + ProductionURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return endpoint{}, errors.New("apivideo: Config.BaseURL must begin with https://; http is for loopback hosts alone")
	case !validPort(u):
		return endpoint{}, errors.New("apivideo: Config.BaseURL has a port outside 1 to 65535; correct or remove it")
	}
	escaped := strings.TrimSuffix(path.Clean("/"+u.EscapedPath()), "/")
	decoded, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(strings.ToLower(escaped), "%2f") || strings.TrimSuffix(path.Clean("/"+decoded), "/") != decoded {
		return endpoint{}, errors.New("apivideo: Config.BaseURL has dots or slashes escaped in its path; write them plainly")
	}
	return endpoint{
		scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: portOf(u),
		path: decoded, escaped: escaped, literal: u.Host,
	}, nil
}

func validPort(u *url.URL) bool {
	n, err := strconv.ParseUint(portOf(u), 10, 16)
	return err == nil && n > 0
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// portOf is the URL's port, its scheme's default if it names none.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return ""
}

// String is the same for every spelling of one endpoint.
func (e *endpoint) String() string {
	return e.scheme + "://" + net.JoinHostPort(e.host, e.port) + e.escaped
}

// join is the URL of a path below e, which begins with a slash.
func (e *endpoint) join(p string) string {
	return e.scheme + "://" + e.literal + e.escaped + p
}

// authorizes reports whether a request to u may carry a token: u is of e's
// origin, below e's path, and neither of the auth operations.
func (e *endpoint) authorizes(u *url.URL) bool {
	if u == nil || u.Opaque != "" || !e.sameOrigin(u) {
		return false
	}
	// Most base URLs have no path, and most requests are for nothing like an
	// auth operation: that is told without cleaning the path.
	if e.path == "" && strings.HasPrefix(u.Path, "/") && !strings.Contains(u.Path, "/auth") {
		return true
	}
	rest, ok := below(u.Path, e.path)
	if !ok || rest == authenticate.path || rest == refresh.path {
		return false
	}
	// A server may take an escaped slash or dot for a literal one, or not.
	if u.RawPath != "" {
		_, ok = below(u.EscapedPath(), e.escaped)
	}
	return ok
}

func (e *endpoint) sameOrigin(u *url.URL) bool {
	if u.Host == e.literal && u.Scheme == e.scheme {
		return true
	}
	return strings.EqualFold(u.Scheme, e.scheme) && strings.EqualFold(u.Hostname(), e.host) && portOf(u) == e.port
}

// below returns what p has after base, "" or beginning with a slash, and
// whether p is base or below it.
func below(p, base string) (rest string, ok bool) {
	if p != "" {
		p = strings.TrimSuffix(path.Clean(p), "/")
	}
	rest, ok = strings.CutPrefix(p, base)
	return rest, ok && (rest == "" || rest[0] == '/')
}
