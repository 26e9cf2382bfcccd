package bench

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// fixedHeader does the least that the contract of http.RoundTripper allows to
// one who adds a header: the request and its header map are the caller's, so
// both are copied, but not the values in the map. It never renews its token.
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

// AtomicCache does the least that a shared token with an expiry takes: it loads
// a pointer and looks at the clock.
type AtomicCache struct {
	current atomic.Pointer[expiring]
}

type expiring struct {
	token  string
	expiry time.Time
}

// Set replaces the token.
func (c *AtomicCache) Set(token string, expiry time.Time) {
	c.current.Store(&expiring{token, expiry})
}

// Token returns the token unless it has expired.
func (c *AtomicCache) Token() (string, error) {
	if e := c.current.Load(); e != nil && time.Now().Before(e.expiry) {
		return e.token, nil
	}
	return "", errors.New("expired")
}
