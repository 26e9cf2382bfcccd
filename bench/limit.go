package bench

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// fixedHeader is the least that the contract of http.RoundTripper allows for an
// additional header. The request and its header map belong to the caller, so it
// copies both, but not the values in the map. It never renews its token.
type fixedHeader struct {
	authorization string
	base          http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *fixedHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	out := new(http.Request)
	*out = *req
	out.Header = make(http.Header, len(req.Header)+1)
	for name, values := range req.Header {
		out.Header[name] = values
	}
	out.Header["Authorization"] = []string{t.authorization}
	return t.base.RoundTrip(out)
}

// atomicCache is the least that a shared token with an expiry costs: it loads a
// pointer and reads the clock.
type atomicCache struct{ current atomic.Pointer[oauth2.Token] }

// Token returns the token unless it has expired.
func (c *atomicCache) Token() (*oauth2.Token, error) {
	if tok := c.current.Load(); tok != nil && time.Now().Before(tok.Expiry) {
		return tok, nil
	}
	return nil, errors.New("expired")
}
