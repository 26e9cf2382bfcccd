package main

import (
	"net/http"
	"net/url"
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
	Authorization string            `json:"authorization"` // the scheme
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
func entryOf(r *http.Request, service *standin.Service) entry {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if service.Secret(scheme) {
		scheme = redacted
	}
	segments := strings.Split(r.URL.EscapedPath(), "/") // escaped, so that a line stays one
	for i, segment := range segments {
		plain, _ := url.PathUnescape(segment)
		if service.Secret(plain) || i > 0 && segments[i-1] == "upload-tokens" {
			segments[i] = redacted
		}
	}
	path, query := strings.Join(segments, "/"), r.URL.Query()
	for name, values := range query {
		for i, value := range values {
			if service.Secret(value) || slices.Contains(secretParameters, name) {
				values[i] = redacted
			}
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return entry{Time: time.Now(), Method: r.Method, Path: path[:min(len(path), maxPath)], Authorization: scheme[:min(len(scheme), maxPath)]}
}

const redacted = "REDACTED"

// secretParameters have secrets that the service need not know.
var secretParameters = []string{"token", "streamKey", "apiKey", "access_token", "refresh_token"}
