package proxy

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/mask"
)

// maxTokens is how many access tokens are remembered. A new one comes about once
// an hour, and lives an hour.
const maxTokens = 4

// discreet sends requests and keeps secrets out of their responses: the API key
// and the access tokens, also those of earlier requests. It drops trailers, which
// arrive too late for a check.
type discreet struct {
	next http.RoundTripper
	key  func() string // nil: no key

	mu     sync.Mutex // guards what follows
	secret string     // the key that is in set
	tokens []string   // the latest, which are in set
	set    mask.Set
}

func (t *discreet) RoundTrip(req *http.Request) (*http.Response, error) {
	set := t.secrets(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	if reason := unreadable(resp); reason != "" {
		resp.Body.Close()
		return nil, errors.New(reason)
	}
	for name, values := range resp.Header {
		if set.HasFold(name) || set.Has(strings.Join(values, "\n")) {
			delete(resp.Header, name)
		}
	}
	out := *resp // package net/http adds the trailers to resp
	out.Trailer = nil
	out.Body = set.Reader(resp.Body, isText(resp))
	return &out, nil
}

// isText reports whether a response may be text or JSON.
func isText(resp *http.Response) bool {
	kind, _, _ := strings.Cut(strings.ToLower(resp.Header.Get("Content-Type")), ";")
	family, _, _ := strings.Cut(kind, "/")
	return !slices.Contains([]string{"video", "audio", "image", "font"}, family) && kind != "application/octet-stream" || kind == "image/svg+xml"
}

// unreadable returns why nobody can search a response, "" if it can be searched.
func unreadable(resp *http.Response) string {
	switch encoding := strings.Join(resp.Header["Content-Encoding"], ","); {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return "it switched to another protocol"
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return "the answer is compressed, though nobody asked for that"
	case resp.StatusCode == http.StatusPartialContent && isText(resp):
		return "it is a part of a text; ask for the whole, without Range"
	}
	return ""
}

// secrets returns the key and the latest tokens. If token is not empty, it is the
// latest.
func (t *discreet) secrets(token string) mask.Set {
	key := ""
	if t.key != nil {
		key = t.key()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	isNew := token != "" && !slices.Contains(t.tokens, token)
	if isNew {
		t.tokens = append(t.tokens[max(0, len(t.tokens)+1-maxTokens):], token)
	}
	if isNew || key != t.secret {
		t.secret = key
		t.set = mask.New(append([]string{key}, t.tokens...)...)
	}
	return t.set
}

// ownToken is what a token of the proxy looks like.
var ownToken = regexp.MustCompile(`[0-9a-f]{80}`)

// Redact returns text with asterisks instead of secrets: those of the account and
// of the proxy.
func (p *Proxy) Redact(text string) string {
	text = p.discreet.secrets("").Text(text)
	text = strings.ReplaceAll(text, p.credentials.Load().secret, "***")
	return ownToken.ReplaceAllString(text, "***")
}
