// Package apivideotest provides a fake api.video service, to test programs that
// use the service.
//
// A [Server] has both auth operations. Each refresh token works once, as the
// service's do. All other requests need an access token, or HTTP Basic with the
// API key. Delegated uploads need an upload token instead.
//
// A test can cause what happens in production:
//
//   - Tokens expire or are revoked: [Server.SetLifetime],
//     [Server.RevokeAccessTokens], [Server.EndRefreshToken].
//   - Keys change, or the account is suspended: [Server.AddKey],
//     [Server.DeleteKey], [Server.DeleteKeyAndTokens], [Server.SetSuspended].
//   - Calls fail or are slow: [Server.Fail], [Server.FailAPI],
//     [Server.SetAuthLatency], [Server.SetAnswerLatency],
//     [Server.SetRateLimits].
//
// The server keeps what clients create in memory: videos, live streams, players
// and all else of the API can be created, found, changed and deleted, and files
// uploaded, in one piece or in parts. A test may add handlers. They take
// precedence:
//
//	srv := apivideotest.NewServer()
//	defer srv.Close()
//	srv.HandleFunc("GET /live-streams", func(w http.ResponseWriter, r *http.Request) { … })
//	client := srv.Config().Client(ctx)
//
// In a bubble of package testing/synctest, where time is virtual and network
// connections block, use [NewUnstartedServer] and [Server.Context]. This also
// works under GODEBUG=fips140=on, although crypto/rand then panics in a bubble:
// the server does not use it. Code under test that does, such as an
// apivideo.Config with a Store, must be tested without that setting.
package apivideotest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/standin"
	"golang.org/x/oauth2"
)

// DefaultLifetime is the lifetime of an access token that the service documents.
const DefaultLifetime = time.Hour

// unstartedURL is a URL where nothing can listen, in case a test forgets the
// context.
const unstartedURL = "https://apivideotest.invalid"

// Server is a fake service with one account. The account has one API key at
// first. Each access token is valid until it expires or is revoked. All methods
// are safe for concurrent use.
//
// Without a handler of the test, the server answers all operations of the API
// itself, as the command apivideo-standin does: its README lists them. There is
// nothing at first. Uploads are multipart forms. A Content-Range of "part 2/3" or
// "bytes 0-99/200" makes one a part of a file, with "*" while the total is not
// known. Parts may arrive in any order. An upload without Content-Range, or with
// another total, replaces the parts of one that broke off. Videos and files stay
// in memory for as long as the server exists.
type Server struct {
	// URL is the base URL, without a trailing slash. Start and NewServer set
	// it to the address on which the server listens. Until then it is
	// https://apivideotest.invalid, where nothing listens. Transport, Context
	// and Client reach an unstarted server by that URL, in memory.
	URL string

	mux     *http.ServeMux // the test's handlers
	service *standin.Service
	network *httptest.Server // nil until Start
	closing chan struct{}    // closed by Close; nil until Start
	closed  sync.Once

	mu            sync.Mutex    // guards what follows
	latency       time.Duration // before the server acts on an auth call
	answerLatency time.Duration // between that and the answer
	faults        []Fault
	faultOf       func(Op) Fault
	apiFaults     []Fault
}

// Counters count the calls and requests to a [Server].
type Counters struct {
	AuthCalls     int // all calls of the two auth operations, failed ones included
	Authenticated int // tokens issued for the API key
	Refreshed     int // tokens issued for a refresh token
	Refused       int // auth calls with a wrong API key or refresh token
	Authorized    int // other requests with a valid access token or API key
	Delegated     int // uploads with a valid upload token
	Unauthorized  int // other requests without one of these
	Limited       int // requests beyond the rate limits
}

// NewServer starts and returns a new Server that listens on a loopback port.
// The caller should call Close when finished.
func NewServer() *Server {
	s := NewUnstartedServer()
	s.Start()
	return s
}

// NewUnstartedServer returns a new Server that does not listen yet. It can be
// reached through [Server.Transport] and [Server.Context]; without Start it
// needs no Close.
func NewUnstartedServer() *Server {
	s := &Server{URL: unstartedURL, mux: http.NewServeMux(), service: standin.New(memory{}, nil)}
	s.AddKey()
	return s
}

// Start has a Server from NewUnstartedServer listen, and sets its URL. It must
// be called once at most, before the Server is used.
func (s *Server) Start() {
	s.closing = make(chan struct{})
	s.network = httptest.NewServer(s)
	s.URL = s.network.URL
}

// Close shuts down the server, ends the auth calls that hang, and blocks until
// all requests have completed. It may be called more than once.
func (s *Server) Close() {
	if s.network != nil {
		s.closed.Do(func() { close(s.closing) })
		s.network.Close()
	}
}

// Config returns a new Config for the server's account. Its APIKey is the one
// that was added last, deleted or not.
func (s *Server) Config() *apivideo.Config {
	return &apivideo.Config{APIKey: s.service.Key(), BaseURL: s.URL}
}

// Client returns an HTTP client for the server that adds no authorization: over
// the network if the server was started, else in memory.
func (s *Server) Client() *http.Client {
	if s.network != nil {
		return s.network.Client()
	}
	return &http.Client{Transport: s.Transport()}
}

// Context returns a copy of ctx in which the server is reached in memory: with
// an [oauth2.HTTPClient] over [Server.Transport]. Give it to Config.Source,
// Config.Client and their like.
func (s *Server) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: s.Transport()})
}

// Counters returns the counts so far.
func (s *Server) Counters() Counters { return Counters(s.service.Counters()) }
