// Package proxy is a reverse proxy for the api.video API. It holds the account's
// credentials. The programs that use it need only the secret of the proxy.
//
// It answers the two auth operations itself, for clients that send the secret,
// and also takes the secret as HTTP Basic. To a client it looks like the service.
// The access token of the account never leaves towards a client.
package proxy

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// Config says what a [Proxy] serves, and which secret its clients send.
type Config struct {
	// Source has the credentials of the account. Required.
	Source *apivideo.Source

	// BaseURL is that of the Source's Config; empty means production.
	BaseURL string

	// Secret is what clients send as their API key. Required.
	Secret string

	// Hosts are the Host headers that are accepted. A request with another one
	// comes from a web page whose host name was rebound to this machine.
	Hosts []string

	// Allow are patterns of http.ServeMux. A request that matches none gets a
	// 403. Without a pattern everything is allowed.
	Allow []string

	// Base sends the requests. If nil, a transport like http.DefaultTransport
	// does.
	Base http.RoundTripper
}

// Proxy is an [http.Handler].
type Proxy struct {
	credentials
	target     *url.URL
	hosts      []string
	allow      allowList
	authorized *httputil.ReverseProxy
	anonymous  *httputil.ReverseProxy // sends no token
}

// New returns a Proxy. Its error is about a pattern or the BaseURL.
func New(c Config) (*Proxy, error) {
	allow, err := newAllowList(c.Allow)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(cmp.Or(c.BaseURL, apivideo.ProductionURL))
	if err != nil {
		return nil, fmt.Errorf("the base URL is not a URL") // without its text, which may have a password
	}
	creds, err := derive(c.Secret)
	if err != nil {
		return nil, err
	}
	base := c.Base
	if base == nil {
		base = newTransport()
	}
	p := &Proxy{credentials: creds, target: target, hosts: c.Hosts, allow: allow}
	base = discreet{base}
	p.authorized = p.forwarder(&replayer{next: &apivideo.Transport{Source: c.Source, Base: base}})
	p.anonymous = p.forwarder(base)
	return p, nil
}

// newTransport returns http.DefaultTransport for many requests to one host.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	t.ExpectContinueTimeout = 2 * time.Second // see replayer
	return t
}

// strangerTime is how long a client may take for a request until it has shown
// the secret, and for the rest of an upload that has got its answer.
const strangerTime = 10 * time.Second

// Server returns a server for p.
func (p *Proxy) Server() *http.Server {
	return &http.Server{
		Handler:                      p,
		ReadHeaderTimeout:            strangerTime,
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true, // p refuses "OPTIONS *"
	}
}

// ServeHTTP answers an auth operation, forwards a request, or refuses it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The server reads the body of a refused request too, before it answers. If
	// the body never came, or nobody read the answer, the end of this process
	// would wait for it.
	conn := http.NewResponseController(w)
	hurry := func() { setDeadline(conn, time.Now().Add(strangerTime)) }
	hurry()
	if p.refuses(w, r) {
		return
	}
	if op, ok := authOperations[r.URL.Path]; ok {
		p.serveAuth(w, r, op)
		return
	}
	next, out := p.authorized, final{w, func() {}}
	if delegated(r) {
		next, out.answered = p.anonymous, hurry
	} else if id := p.check(r); id != "" {
		writeKnown(w, id)
		return
	}
	if !p.allow.matches(r) {
		writeOwn(w, http.StatusForbidden, "not-allowed", "No -allow pattern matches "+r.Method+" "+r.URL.Path+".")
		return
	}
	setDeadline(conn, time.Time{}) // an upload may take hours
	next.ServeHTTP(out, r)
}

// setDeadline limits the time for the rest of a request and for its answer.
func setDeadline(conn *http.ResponseController, t time.Time) {
	_ = conn.SetReadDeadline(t)
	_ = conn.SetWriteDeadline(t)
}

// refuses answers the requests that no client of the API sends.
func (p *Proxy) refuses(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !slices.Contains(p.hosts, strings.ToLower(r.Host)):
		writeOwn(w, http.StatusMisdirectedRequest, "wrong-host", "The Host header is not the proxy's own.")
	case len(r.Header["Origin"]) > 0:
		writeOwn(w, http.StatusForbidden, "web-page", "Requests from web pages are refused.")
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		writeOwn(w, http.StatusMethodNotAllowed, "method", r.Method+" is not a method of the API.")
	case !plain(r.URL):
		writeOwn(w, http.StatusBadRequest, "path", "The path has dots, empty parts or escaped slashes.")
	default:
		return false
	}
	return true
}

// plain reports whether a pattern of -allow and the service read the path in
// the same way. The service may decode or clean it.
func plain(u *url.URL) bool {
	clean := path.Clean(u.Path)
	return strings.HasPrefix(u.Path, "/") && (u.Path == clean || u.Path == clean+"/") &&
		!strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

// delegated reports whether r is an upload that an upload token authorizes.
func delegated(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/upload" && r.URL.Query().Get("token") != ""
}
