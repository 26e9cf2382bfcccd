// Package proxy is a reverse proxy for the api.video API. It holds the account's
// credentials. The programs that use it need only the secret of the proxy.
//
// It answers the two auth operations itself, for clients that send the secret,
// and also takes the secret as HTTP Basic. To a client it looks like the service.
// The API key and the access tokens of the account never leave towards a client.
package proxy

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
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

	// Key returns the API key, which no answer may repeat. If nil, answers are
	// searched for access tokens only.
	Key func() string

	// Logger gets a line when the API gives no answer, and when it does again.
	// If nil, nothing is logged.
	Logger *slog.Logger
}

// Proxy is an [http.Handler]. It is safe for concurrent use.
type Proxy struct {
	source      *apivideo.Source
	credentials atomic.Pointer[credentials]
	target      *url.URL
	hosts       []string
	allow       allowList
	authorized  *httputil.ReverseProxy
	anonymous   *httputil.ReverseProxy // sends no token
	uploads     chan struct{}          // has an element for each delegated upload
	crowd       crowd
	requests    atomic.Int64
	discreet    *discreet
	trouble     trouble
}

// New returns a Proxy. Its error is about a pattern, the secret or the BaseURL.
func New(c Config) (*Proxy, error) {
	allow, err := newAllowList(c.Allow)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(cmp.Or(c.BaseURL, apivideo.ProductionURL))
	if err != nil {
		return nil, errors.New("the base URL is not a URL") // without its text, which may have a password
	}
	p := &Proxy{
		source: c.Source, target: target, hosts: c.Hosts, allow: allow,
		uploads:  make(chan struct{}, maxUploads),
		discreet: &discreet{next: c.Base, key: c.Key},
		trouble:  trouble{log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler))},
	}
	if err := p.SetSecret(c.Secret); err != nil {
		return nil, err
	}
	if c.Base == nil {
		p.discreet.next = newTransport()
	}
	p.authorized = p.forwarder(&replayer{next: &apivideo.Transport{Source: c.Source, Base: p.discreet}})
	p.anonymous = p.forwarder(p.discreet)
	return p, nil
}

// SetSecret has clients send another secret from now on. Tokens that were made
// for the old one are invalid.
func (p *Proxy) SetSecret(secret string) error {
	c, err := derive(secret)
	if err == nil {
		p.credentials.Store(&c)
	}
	return err
}

// Requests returns how many requests came, also such that were refused.
func (p *Proxy) Requests() int64 { return p.requests.Load() }

// newTransport returns http.DefaultTransport for many requests to one host.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	t.ExpectContinueTimeout = 2 * time.Second // see replayer
	return t
}

// ServeHTTP answers an auth operation or a probe, forwards a request, or refuses
// it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.serve(w, r, p.hosts) }

// ServeFor is ServeHTTP for a request that has one of these Host headers.
func (p *Proxy) ServeFor(hosts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, hosts) })
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, hosts []string) {
	p.requests.Add(1)
	// The server reads the body of a refused request too, before it answers. If
	// the body never came, or nobody read the answer, the end of this process
	// would wait for it.
	conn := http.NewResponseController(w)
	setDeadlines(conn, time.Now().Add(strangerTime))
	switch op, isAuth := authOperations[r.URL.Path]; {
	case p.refuses(w, r, hosts):
	case isAuth:
		p.serveAuth(w, r, op)
	case probes[r.URL.Path] != nil:
		p.serveProbe(w, r, probes[r.URL.Path])
	case delegated(r):
		p.serveUpload(w, r, conn)
	default:
		p.serveOwner(w, r, conn)
	}
}

// serveOwner forwards a request of a client that has the secret.
func (p *Proxy) serveOwner(w http.ResponseWriter, r *http.Request, conn *http.ResponseController) {
	if id := p.credentials.Load().check(r); id != "" {
		writeKnown(w, id)
		return
	}
	p.trust(r)
	if p.forbids(w, r) {
		return
	}
	setDeadlines(conn, time.Time{}) // an upload may take hours
	p.authorized.ServeHTTP(final{w, func() {}}, r)
}

// trust notes that r has the secret.
func (p *Proxy) trust(r *http.Request) {
	if c := connOf(r); c != nil {
		c.leave()
	}
}

// Authorized reports whether a request to a forward proxy has the secret, in the
// place for that proxy's credential. If not, it answers it.
func (p *Proxy) Authorized(w http.ResponseWriter, r *http.Request) bool {
	forProxy := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	user, password, _ := forProxy.BasicAuth()
	secret := p.credentials.Load().secret
	if same(user, secret) || same(password, secret) {
		p.trust(r)
		return true
	}
	w.Header().Set("Proxy-Authenticate", `Basic realm="apivideo-token"`)
	WriteOwn(w, http.StatusProxyAuthRequired, "proxy-authorization", "Other hosts than the API's need the user info of HTTPS_PROXY.")
	return false
}

// setDeadlines limits the time for the rest of a request and for its answer.
func setDeadlines(conn *http.ResponseController, t time.Time) {
	_ = conn.SetReadDeadline(t)
	_ = conn.SetWriteDeadline(t)
}
