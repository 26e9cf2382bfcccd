// Package endpoint has the base URL of the API: what is below it, and which
// requests may carry a token.
package endpoint

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The paths of the auth operations, below a base URL.
const (
	APIKeyPath  = "/auth/api-key"
	RefreshPath = "/auth/refresh"
)

// Endpoint is the root of the API: an origin and a path. It gives the URLs of
// auth calls, and decides which requests may carry a token.
type Endpoint struct {
	scheme  string // lower case
	host    string // lower case, no brackets
	port    string // never empty
	path    string // clean and decoded; "" for the root, else "/a/b"
	escaped string // path in its escaped form
	literal string // host and port as in the BaseURL, for a fast comparison
}

const example = "https://ws.api.video"

// Parse checks a BaseURL. Its errors do not repeat the URL, which may
// contain a password.
func Parse(raw string) (Endpoint, error) {
	u, err := url.Parse(raw)
	switch {
	case !strings.Contains(raw, "://"):
		return Endpoint{}, fmt.Errorf("Config.BaseURL has no scheme; it should be like %s", example)
	case err != nil:
		return Endpoint{}, fmt.Errorf("Config.BaseURL is not a URL; it should be like %s", example)
	case u.User != nil:
		return Endpoint{}, errors.New("Config.BaseURL has a user name; remove it, the API key is all that is needed")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return Endpoint{}, errors.New("Config.BaseURL has a query or a fragment; remove it")
	case u.Opaque != "" || u.Hostname() == "":
		return Endpoint{}, fmt.Errorf("Config.BaseURL has no host; it should be like %s", example)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return Endpoint{}, errors.New("Config.BaseURL must begin with https://; http is for loopback hosts only")
	case !validPort(u):
		return Endpoint{}, errors.New("Config.BaseURL has a port outside 1 to 65535; correct or remove it")
	}
	escaped := strings.TrimSuffix(path.Clean("/"+canonicalEscapes(u.EscapedPath())), "/")
	decoded, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(strings.ToLower(escaped), "%2f") || strings.TrimSuffix(path.Clean("/"+decoded), "/") != decoded {
		return Endpoint{}, errors.New("Config.BaseURL has dots or slashes escaped in its path; write them plainly")
	}
	return Endpoint{
		scheme: u.Scheme, host: canonicalHost(u.Hostname()), port: portOf(u),
		path: decoded, escaped: escaped, literal: u.Host,
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

var needless = regexp.MustCompile(`^[A-Za-z0-9._~-]$`) // to escape
var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// canonicalEscapes returns one spelling for each escaped path: without needless
// escapes, and with the others in upper case. Segments that are dots stay: servers
// differ in whether an escaped one counts.
func canonicalEscapes(p string) string {
	segments := strings.Split(p, "/")
	for i, segment := range segments {
		plain := escape.ReplaceAllStringFunc(segment, func(e string) string {
			if c, _ := url.PathUnescape(e); needless.MatchString(c) {
				return c
			}
			return strings.ToUpper(e)
		})
		if plain != "." && plain != ".." {
			segments[i] = plain
		}
	}
	return strings.Join(segments, "/")
}

// String returns one spelling for each endpoint.
func (e *Endpoint) String() string {
	return e.scheme + "://" + net.JoinHostPort(e.host, e.port) + e.escaped
}

// Join returns the URL of a path below e. p begins with a slash.
func (e *Endpoint) Join(p string) string {
	return e.scheme + "://" + strings.ReplaceAll(e.literal, "%", "%25") + e.escaped + p // a % is before an IPv6 zone
}

// Excludes returns the reason why a request may not carry a token, or "" if it
// may: it goes to e's origin, below e's path, and is not an auth call.
func (e *Endpoint) Excludes(req *http.Request) string {
	switch {
	case !e.authorizes(req.URL):
		return "its URL is outside the BaseURL, or is one of the auth operations"
	case req.Host != "" && !e.IsAuthority(req.Host):
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
func (e *Endpoint) authorizes(u *url.URL) bool {
	// The fast path for most requests: a base URL without a path, and a request
	// that cannot be an auth call. It needs no path.Clean.
	if u != nil && e.path == "" && u.Opaque == "" && strings.HasPrefix(u.Path, "/") && !strings.Contains(u.Path, "/auth") {
		return e.sameOrigin(u)
	}
	rest, literal, ok := e.rest(u)
	return ok && !isAuth(rest) && !isAuth(literal)
}

func isAuth(p string) bool { return p == APIKeyPath || p == RefreshPath }

// contains reports whether u has e's origin and is below e's path.
func (e *Endpoint) contains(u *url.URL) bool {
	_, _, ok := e.rest(u)
	return ok
}

// rest returns the part of u's path after e's path, if e contains u. Servers
// differ in how they read an escaped slash or dot. So rest is decoded before
// path.Clean applies the dots, and literal is decoded after that.
func (e *Endpoint) rest(u *url.URL) (rest, literal string, ok bool) {
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

// IsOther reports whether the host of u is that of one of the other base URLs, but
// not e's.
func (e *Endpoint) IsOther(u *url.URL, others ...string) bool {
	name := canonicalHost(u.Hostname())
	known := slices.ContainsFunc(others, func(other string) bool { return strings.TrimPrefix(other, "https://") == name })
	return known && !e.IsAuthority(u.Host)
}

// IsTLS reports whether requests to e are encrypted.
func (e *Endpoint) IsTLS() bool { return e.scheme == "https" }

// HasPlainHost reports whether a Host header shows e's host as it is here. net/http
// writes a name that is not ASCII in another form, and an address without its zone.
func (e *Endpoint) HasPlainHost() bool {
	return !strings.ContainsFunc(e.host, func(r rune) bool { return r == '%' || r > '~' })
}

func (e *Endpoint) sameOrigin(u *url.URL) bool {
	if u.Host == e.literal && u.Scheme == e.scheme {
		return true
	}
	return lower(u.Scheme) == e.scheme && canonicalHost(u.Hostname()) == e.host && portOf(u) == e.port
}

// IsAuthority reports whether a Host header names e.
func (e *Endpoint) IsAuthority(host string) bool {
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
