package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// entry is what the record tells of a request.
type entry struct {
	Time          time.Time         `json:"time"`
	Method        string            `json:"method"`
	Path          string            `json:"path"`          // with its query
	Authorization string            `json:"authorization"` // Basic, Bearer or other; "" if there is none
	Status        int               `json:"status"`
	Milliseconds  float64           `json:"milliseconds"`
	Upload        *standin.Received `json:"upload,omitempty"`
}

const (
	maxEntries = 1000 // of the record
	maxPath    = 2000 // bytes of a path in it
)

// record has the last requests. It is safe for concurrent use.
type record struct {
	mu      sync.Mutex // guards entries
	entries []entry    // the newest last
}

func (r *record) add(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == 2*maxEntries {
		r.entries = slices.Delete(r.entries, 0, maxEntries)
	}
	r.entries = append(r.entries, e)
}

func (r *record) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = nil
}

// last returns the last requests, the newest last.
func (r *record) last() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries[max(len(r.entries)-maxEntries, 0):])
}

// entryOf describes a request without its secrets.
func entryOf(r *http.Request, known *secrets) entry {
	path := pathOf(r.URL, known)
	if query := queryOf(r.URL, known); query != "" {
		path += "?" + query
	}
	return entry{Time: time.Now(), Method: r.Method, Path: path[:min(len(path), maxPath)], Authorization: schemeOf(r)}
}

// schemeOf is the scheme of an Authorization. What follows an unknown one, or no
// space, may be a secret.
func schemeOf(r *http.Request) string {
	header := r.Header.Get("Authorization")
	scheme, _, ok := strings.Cut(header, " ")
	for _, name := range []string{"Basic", "Bearer"} {
		if ok && strings.EqualFold(scheme, name) {
			return name
		}
	}
	if header == "" {
		return ""
	}
	return "other"
}

const redacted = "REDACTED"

func pathOf(u *url.URL, known *secrets) string {
	segments := strings.Split(u.EscapedPath(), "/") // escaped, so that a line stays one
	token := false
	for i, segment := range segments {
		plain, _ := url.PathUnescape(segment)
		if segment != "" && token || known.has(plain) {
			segments[i] = redacted
		}
		token = token || plain == "upload-tokens"
	}
	return strings.Join(segments, "/")
}

// queryOf is a query with the values of harmless parameters only, and the names
// that are words.
func queryOf(u *url.URL, known *secrets) string {
	shown := url.Values{}
	for name, values := range u.Query() {
		base, key, _ := strings.Cut(name, "[")
		harmless := slices.Contains(harmlessParameters, strings.ToLower(base)) && !known.has(strings.TrimSuffix(key, "]"))
		if !harmless && (!word.MatchString(name) || known.has(name)) {
			name = redacted
		}
		for _, value := range values {
			if !harmless || known.has(value) {
				value = redacted
			}
			shown.Add(name, value)
		}
	}
	return shown.Encode()
}

// harmlessParameters are those of the API that have no secrets.
var harmlessParameters = []string{
	"currentpage", "pagesize", "sortby", "sortorder", "title", "tags", "metadata", "description", "livestreamid", "name",
	"value", "events", "videoid", "origin", "sourcestatus", "from", "to", "interval", "filterby",
}

// word is the form of a parameter's name that is no secret.
var word = regexp.MustCompile(`^[A-Za-z_]{1,20}$`)
