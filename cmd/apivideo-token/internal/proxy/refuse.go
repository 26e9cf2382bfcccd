package proxy

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// refuses answers the requests that no client of the API sends.
func (p *Proxy) refuses(w http.ResponseWriter, r *http.Request, hosts []string) bool {
	switch {
	case !slices.Contains(hosts, strings.ToLower(r.Host)):
		WriteOwn(w, http.StatusMisdirectedRequest, "wrong-host", "The Host header is not the proxy's own.")
	case len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0: // browsers send one or the other
		WriteOwn(w, http.StatusForbidden, "web-page", "Requests from web pages are refused.")
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		WriteOwn(w, http.StatusMethodNotAllowed, "method", r.Method+" is not a method of the API.")
	case !plain(r.URL):
		WriteOwn(w, http.StatusBadRequest, "path", "The path has dots, empty parts or characters that servers may read differently.")
	default:
		return false
	}
	return true
}

// plain reports whether all servers read the path in the same way: it is clean,
// encoded as usual, and has no character that some decode or cut at.
func plain(u *url.URL) bool {
	odd := strings.ContainsFunc(u.Path, func(r rune) bool {
		return unicode.IsControl(r) || !unicode.IsGraphic(r) || strings.ContainsRune(`\%;?#`, r)
	})
	clean := path.Clean(u.Path)
	return strings.HasPrefix(u.Path, "/") && (u.Path == clean || u.Path == clean+"/") &&
		u.RawPath == "" && !odd && utf8.ValidString(u.Path)
}

// forbids answers what -allow does not name, and what may mean another request
// to some server than the one that it names.
func (p *Proxy) forbids(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case p.allow.mux == nil:
		return false
	case !p.allow.matches(r):
		WriteOwn(w, http.StatusForbidden, "not-allowed", "No -allow pattern matches "+r.Method+" "+r.URL.Path+".")
	case overridesMethod(r.URL.RawQuery):
		WriteOwn(w, http.StatusBadRequest, "query", "With -allow, the query must not have a parameter for the method.")
	case strings.Contains(strings.ToLower(strings.Join(r.Header["Content-Type"], ",")), "form-urlencoded"):
		WriteOwn(w, http.StatusUnsupportedMediaType, "form", "With -allow, the body must not be a urlencoded form. Send JSON.")
	default:
		return false
	}
	return true
}

var (
	notLetters = regexp.MustCompile(`[^A-Za-z]`)
	override   = regexp.MustCompile(`(?i)^x?(http)?method(override)?$`)
)

// overridesMethod reports whether a query has a parameter, such as _method,
// that some servers prefer to the method of the request. A name that cannot be
// decoded counts as one.
func overridesMethod(query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || override.MatchString(notLetters.ReplaceAllString(name, "")) {
			return true
		}
	}
	return false
}
