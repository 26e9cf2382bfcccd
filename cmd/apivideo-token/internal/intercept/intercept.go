// Package intercept serves programs that use the default URL of their client. It
// is a forward proxy that plays the API's hosts, with certificates of an
// authority that the programs are told to trust. Connections to other hosts are
// tunnels.
package intercept

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
)

// hosts are the API's hosts.
var hosts = []string{hostOf(apivideo.ProductionURL), hostOf(apivideo.SandboxURL)}

func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// Hosts returns the API's hosts.
func Hosts() []string { return slices.Clone(hosts) }

// Interceptor is an [http.Handler] for a forward proxy.
type Interceptor struct {
	authority *authority
	proxy     *proxy.Proxy
	own       []string     // the hosts of the account
	api       http.Handler // of requests to these hosts
	server    *http.Server // for what comes through CONNECT
	conns     *queue
	others    *httputil.ReverseProxy
	ended     context.Context // ends with Shutdown
	end       context.CancelFunc
}

// New returns an Interceptor that has p serve the account's host: that of the
// base URL, or both if that is another one. Wrap is called for the handler of the
// requests that come encrypted.
func New(p *proxy.Proxy, baseURL string, wrap func(http.Handler) http.Handler) (*Interceptor, error) {
	a, err := newAuthority(hosts)
	if err != nil {
		return nil, err
	}
	i := &Interceptor{authority: a, proxy: p, own: hosts, conns: newQueue()}
	i.ended, i.end = context.WithCancel(context.Background())
	if baseURL == "" {
		baseURL = apivideo.ProductionURL
	}
	if host := hostOf(baseURL); slices.Contains(hosts, host) {
		i.own = []string{host}
	}
	var accepted []string
	for _, host := range i.own {
		accepted = append(accepted, host, host+":443")
	}
	i.api = p.ServeFor(accepted...)
	i.others = &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			proxy.WriteOwn(w, http.StatusBadGateway, "no-tunnel", "The host cannot be reached.")
		},
	}
	i.server = p.NewServer(wrap(http.HandlerFunc(i.serveAPI)))
	i.server.TLSConfig = a.config()
	go i.server.ServeTLS(i.conns, "", "") // until Shutdown
	return i, nil
}

// Trust writes files into dir, and returns the variables that have runtimes trust
// the authority.
func (i *Interceptor) Trust(dir string, getenv func(string) string) (map[string]string, error) {
	return i.authority.trust(dir, getenv)
}

// Shutdown lets the requests in flight finish, and breaks them off when ctx ends.
// Then it ends the tunnels, which may be idle.
func (i *Interceptor) Shutdown(ctx context.Context) {
	if i.server.Shutdown(ctx) != nil {
		i.server.Close()
	}
	i.end()
}

// ServeHTTP serves a CONNECT, or a request with an absolute URL. Others are for
// the proxy itself.
func (i *Interceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port := split(r.Host)
	isAPI := slices.Contains(hosts, host) && port == "443"
	switch connect := r.Method == http.MethodConnect; {
	case connect && isAPI:
		i.intercept(w)
	case connect:
		i.tunnel(w, r)
	case r.URL.Scheme != "https":
		i.proxy.ServeHTTP(w, r)
	case isAPI:
		i.serveAPI(w, r)
	case i.proxy.Authorized(w, r):
		i.others.ServeHTTP(w, r)
	}
}

// split returns a host in lower case and its port, which is 443 if there is none.
func split(s string) (host, port string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "443"
	}
	return strings.ToLower(host), port
}

// serveAPI serves a request to one of the API's hosts.
func (i *Interceptor) serveAPI(w http.ResponseWriter, r *http.Request) {
	host, _ := split(r.Host)
	switch {
	case r.TLS != nil && r.TLS.ServerName != host:
		proxy.WriteOwn(w, http.StatusMisdirectedRequest, "wrong-host", "The Host header is not the name of the connection.")
	case !slices.Contains(i.own, host):
		proxy.WriteOwn(w, http.StatusMisdirectedRequest, "other-environment",
			"This run has a key for "+strings.Join(i.own, " ")+", not for "+host+". The sandbox and production have separate keys; see -sandbox.")
	default:
		i.api.ServeHTTP(w, r)
	}
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// take takes over the connection of a CONNECT and answers that it is made.
func take(w http.ResponseWriter) (net.Conn, bool) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, false
	}
	conn.SetDeadline(time.Time{})
	if _, err := io.WriteString(conn, established); err != nil {
		conn.Close()
		return nil, false
	}
	return ahead(conn, buffered.Reader), true
}

func (i *Interceptor) intercept(w http.ResponseWriter) {
	if conn, ok := take(w); ok && !i.conns.put(conn) {
		conn.Close()
	}
}

func (i *Interceptor) tunnel(w http.ResponseWriter, r *http.Request) {
	if !i.proxy.Authorized(w, r) {
		return
	}
	server, err := dial(r.Context(), r.Host)
	if err != nil {
		proxy.WriteOwn(w, http.StatusBadGateway, "no-tunnel", "The host cannot be reached: "+err.Error())
		return
	}
	client, ok := take(w)
	if !ok {
		server.Close()
		return
	}
	defer context.AfterFunc(i.ended, func() {
		client.Close()
		server.Close()
	})()
	join(client, server)
}

// queue is a listener for connections that are there already.
type queue struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newQueue() *queue { return &queue{conns: make(chan net.Conn), closed: make(chan struct{})} }

// put reports whether the server takes conn.
func (q *queue) put(conn net.Conn) bool {
	select {
	case q.conns <- conn:
		return true
	case <-q.closed:
		return false
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

func (q *queue) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
