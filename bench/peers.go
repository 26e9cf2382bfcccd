// Package bench compares this library with its peers: the cost of a request, the
// cost of an idle source, and the effect of a renewal on requests.
//
// The peers are package oauth2, cloud.google.com/go/auth, the least that a
// request can cost, and a client without authorization. All get their tokens by
// the same call, [apivideo.Config.Token], from a [Service] in memory. They differ
// in how they keep them.
//
//	go test -run '^$' -bench . -count 6 . >bench.txt
//	go tool benchstat -col /by bench.txt  # the benchmarks, side by side
//	go run ./cmd/rollover                 # latency across renewals and an outage, as a plot
package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/apivideo/api.video-go-oauth2"
	"golang.org/x/oauth2"
)

// The names of the peers. Benchmarks have them after "by=", for benchstat.
const (
	Apivideo  = "apivideo"
	OAuth2    = "oauth2"
	CloudAuth = "cloudauth"
	Limit     = "limit" // the least that the contract allows
	Bare      = "bare"  // no authorization
)

// Peers are all names, this library's first.
var Peers = []string{Apivideo, OAuth2, CloudAuth, Limit, Bare}

// Options describe a RoundTripper.
type Options struct {
	Service *Service          // issues the tokens
	Base    http.RoundTripper // sends the requests
	BaseURL string            // of the API; apivideo.ProductionURL when empty

	// ExpireEarly is how long before expiry CloudAuth renews; 225 seconds
	// when 0. The other peers have no such option.
	ExpireEarly time.Duration
}

// NewTransport returns a RoundTripper of a peer. It has no token yet, except
// that of Limit, which never renews.
func NewTransport(peer string, o Options) (http.RoundTripper, error) {
	ctx := o.Service.Context(context.Background())
	switch peer {
	case Apivideo:
		conf := Config()
		conf.BaseURL = o.BaseURL
		return &apivideo.Transport{Source: conf.Source(ctx), Base: o.Base}, nil
	case OAuth2:
		return &oauth2.Transport{Source: NewOAuth2Source(o.Service), Base: o.Base}, nil
	case CloudAuth:
		client, err := httptransport.NewClient(&httptransport.Options{
			Credentials:      auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: NewCloudAuthProvider(o.Service, o.ExpireEarly)}),
			BaseRoundTripper: o.Base,
			DisableTelemetry: true, // it costs more than the rest, and the others have none
		})
		if err != nil {
			return nil, err
		}
		return client.Transport, nil
	case Limit:
		tok, err := Config().Token(ctx)
		if err != nil {
			return nil, err
		}
		return &fixedHeader{"Bearer " + tok.AccessToken, o.Base}, nil
	case Bare:
		return o.Base, nil
	}
	return nil, fmt.Errorf("bench: there is no peer %q", peer)
}

// Config is that of the one account.
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
// renews expireEarly before expiry; 225 seconds when 0.
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

// fixedHeader is the least that the contract of http.RoundTripper allows for an
// additional header. The request and its header map belong to the caller, so it
// copies both, but not the values in the map. It never renews its token.
type fixedHeader struct {
	authorization string
	base          http.RoundTripper
}

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
