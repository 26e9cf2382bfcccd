// Package bench sets this library beside its peers: what a request costs, what
// an idle source costs, and what a program feels when its token is renewed.
//
// The benchmarks are compared with package oauth2, with cloud.google.com/go/auth,
// with the least that a request can cost, and with a client that authorizes
// nothing. All who need tokens get them by the same call, [apivideo.Config.Token],
// of one [Service] in memory: what differs is who keeps them, and how.
//
//	go run ./cmd/ratios    # the benchmarks, as a table of ratios
//	go run ./cmd/rollover  # latency across renewals and an outage, as a plot
package bench

import (
	"context"
	"net/http"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/apivideo/api.video-go-oauth2"
	"golang.org/x/oauth2"
)

// The names of the peers, as benchmarks have them after "by=".
const (
	Apivideo  = "apivideo"
	OAuth2    = "oauth2"
	CloudAuth = "cloudauth"
	Limit     = "limit" // what can be had at the least
	Bare      = "bare"  // no authorization at all
)

// Options say what a peer's RoundTripper is to be made of.
type Options struct {
	Service *Service          // where tokens come from
	Base    http.RoundTripper // what sends the requests
	BaseURL string            // of the API, apivideo.ProductionURL when empty

	// ExpireEarly is how long before expiry CloudAuth renews, 225 seconds
	// when 0. The others cannot be told.
	ExpireEarly time.Duration
}

// Peer is a way to authorize requests.
type Peer struct {
	Name string
	// New returns a RoundTripper that has no token yet.
	New func(Options) (http.RoundTripper, error)
}

// Peers are all the ways to authorize requests, this library's first.
func Peers() []Peer {
	return []Peer{
		{Apivideo, newApivideo},
		{OAuth2, newOAuth2},
		{CloudAuth, newCloudAuth},
		{Limit, newFixedHeader},
		{Bare, func(o Options) (http.RoundTripper, error) { return o.Base, nil }},
	}
}

func newApivideo(o Options) (http.RoundTripper, error) {
	conf := Config()
	conf.BaseURL = o.BaseURL
	return &apivideo.Transport{Source: conf.Source(o.Service.Context(context.Background())), Base: o.Base}, nil
}

func newOAuth2(o Options) (http.RoundTripper, error) {
	return &oauth2.Transport{Source: NewOAuth2Source(o.Service), Base: o.Base}, nil
}

// newCloudAuth leaves telemetry out, which costs CloudAuth more than the rest
// and which the others do not have.
func newCloudAuth(o Options) (http.RoundTripper, error) {
	client, err := httptransport.NewClient(&httptransport.Options{
		Credentials:      auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: NewCloudAuthProvider(o.Service, o.ExpireEarly)}),
		BaseRoundTripper: o.Base,
		DisableTelemetry: true,
	})
	if err != nil {
		return nil, err
	}
	return client.Transport, nil
}

func newFixedHeader(o Options) (http.RoundTripper, error) {
	tok, err := Config().Token(o.Service.Context(context.Background()))
	if err != nil {
		return nil, err
	}
	return &fixedHeader{"Bearer " + tok.AccessToken, o.Base}, nil
}

// Config is that of the one account there is.
func Config() *apivideo.Config { return &apivideo.Config{APIKey: "made-up-key"} }

// NewOAuth2Source returns the token cache of package oauth2.
func NewOAuth2Source(s *Service) oauth2.TokenSource {
	ctx := s.Context(context.Background())
	return oauth2.ReuseTokenSource(nil, tokenFunc(func() (*oauth2.Token, error) { return Config().Token(ctx) }))
}

// tokenFunc is an oauth2.TokenSource without a cache.
type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

// NewCloudAuthProvider returns the token cache of cloud.google.com/go/auth. It
// renews expireEarly before expiry, 225 seconds when 0.
func NewCloudAuthProvider(s *Service, expireEarly time.Duration) auth.TokenProvider {
	return auth.NewCachedTokenProvider(provider{s}, &auth.CachedTokenProviderOptions{ExpireEarly: expireEarly})
}

// provider is an auth.TokenProvider without a cache.
type provider struct{ service *Service }

func (p provider) Token(ctx context.Context) (*auth.Token, error) {
	tok, err := Config().Token(p.service.Context(ctx))
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: tok.AccessToken, Type: tok.TokenType, Expiry: tok.Expiry}, nil
}
