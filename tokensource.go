// Package apivideo authenticates Go programs with the api.video API.
//
// A [Config] turns an API key into credentials: an [http.Client] that
// authorizes its requests, an [oauth2.TokenSource], or a [Transport] for any
// other HTTP client.
//
//	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
//	client := conf.Client(ctx)
//	resp, err := client.Get(apivideo.ProductionURL + "/videos")
//
// All of them use a [Source], which keeps the access token. It exchanges the
// API key for a token when the first request needs one. It renews the token in
// the background before it expires, and replaces it when the API rejects it.
//
// Any number of goroutines can share one Source. A request waits for an auth
// call only if there is no usable token, and never longer than its own context
// allows.
//
// To test a program that uses this package, see the package
// [github.com/apivideo/api.video-go-oauth2/apivideotest].
package apivideo

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/grant"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/journal"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

// The base URLs of the API. An account has separate API keys for the two.
const (
	ProductionURL = "https://ws.api.video"
	SandboxURL    = "https://sandbox.api.video"
)

// Config says which account to use, and how. It is plain data. Every method
// works on a copy: a later change does not affect a [Source] that exists. The
// first call that needs the Config reports a mistake in it, before anything is
// sent. The error matches [ErrInvalidConfig].
//
// A Config is safe for concurrent use as long as nobody writes to it.
//
// Package fmt and package encoding/json do not print its API key. Exception:
// fmt prints a Config stored by value in an unexported field of another
// struct. Store a *Config there. Do not embed a Config: the other struct gets
// its methods, and its other fields are neither printed nor encoded. Use a
// named field.
type Config struct {
	// APIKey is the account's API key. It is required unless APIKeyFunc is set.
	// The API key is in the api.video dashboard; production and sandbox have
	// separate keys.
	APIKey string

	// APIKeyFunc returns the API key. Use it instead of APIKey if the key
	// changes while the program runs. KeyFile returns one that reads a file.
	//
	// It is called at the start of each renewal, not for each request. If the
	// service rejects the key, it is called once more: the key may have changed
	// during the renewal. It has 5 seconds to return. If it fails, a Source uses
	// the last key. Calls of one Source overlap only if one takes longer than
	// that.
	APIKeyFunc func(context.Context) (string, error)

	// BaseURL is the root of the API. If empty, it is ProductionURL. It must be
	// https, or http on a loopback host, and may have a path. Credentials are
	// sent only to its origin, below its path.
	BaseURL string

	// Application identifies your program to api.video, in the header
	// AV-Origin-App. SDK identifies a client library that is built on this
	// package, in AV-Origin-Sdk. The zero Product sends no header.
	Application Product
	SDK         Product

	// Store shares the token with other processes. If nil, the token stays in
	// this process.
	Store Store

	// Logger receives renewals and failures, never secrets. A line may appear
	// after the request has continued. If nil, nothing is logged.
	Logger *slog.Logger
}

// Source returns a new [Source], which keeps its own token. To share a token,
// share the Source.
//
// ctx should live as long as the program. When it ends, the Source stops
// renewing in the background: it then gets a token only when a caller needs
// one. A nil ctx is [context.Background].
//
// Auth calls use the values of ctx. The value under [oauth2.HTTPClient], if
// any, is the HTTP client that makes them. Without one, or without a base in it,
// they use http.DefaultTransport, as it is at each call.
func (c *Config) Source(ctx context.Context) *Source {
	return &Source{newEngine(cmp.Or(ctx, context.Background()), *c)}
}

// TokenSource returns a new [Source], wrapped by [oauth2.ReuseTokenSource].
// See [Config.Source] for ctx.
//
// Most users will use [Config.Client] instead. The wrapper of package oauth2
// has two limits. It uses a token until 10 seconds before expiry, even if the
// API has rejected it. And requests block on its mutex and ignore their own
// deadline.
func (c *Config) TokenSource(ctx context.Context) oauth2.TokenSource {
	return oauth2.ReuseTokenSource(nil, c.Source(ctx))
}

// Client returns an [http.Client] that authorizes its requests with a new
// [Source]. See [Config.Source] for ctx, and [Source.Client].
func (c *Config) Client(ctx context.Context) *http.Client {
	return c.Source(ctx).Client(ctx)
}

// Source keeps one account's access token. It implements [oauth2.TokenSource]
// and is safe for concurrent use.
//
// Callers that need a token at the same time share one auth call.
//
// A token is renewed in the background up to 15 minutes before it expires, but
// not before three quarters of its life are over. If nobody has used the token,
// it is left to expire. If a renewal fails, the Source tries again while
// requests use the old token. Without a usable token, callers get the same error
// until the next attempt is due: see NextAttempt in [Stats].
//
// Make one with [Config.Source]. Every call on a nil or zero Source returns an
// error.
type Source struct {
	// A pointer, so that fmt prints no secret and a copy shares the token.
	engine *engine
}

// engine holds the parts of a Source.
type engine struct {
	service *service // nil if err is set, like the next three
	cache   *tokencache.Cache
	issuer  *issuer
	journal *journal.Journal
	err     error // a mistake in the Config
	replays atomic.Uint64
	warned  atomic.Bool // a request for the other environment was logged
}

func newEngine(ctx context.Context, conf Config) *engine {
	service, err := conf.service(ctx, &hung{bodies: guard.Bound{Patient: true}})
	if err != nil {
		return &engine{err: err}
	}
	e := &engine{service: service, issuer: newIssuer(&conf, service)}
	base := redact.New(conf.APIKey).Redact(service.base.String())
	e.journal = journal.New(context.WithoutCancel(ctx), conf.Logger, slog.String("base_url", base))
	e.cache = tokencache.New(ctx, e.issuer, conf.Store, e.journal)
	return e
}

// Token is [Source.TokenContext] with a context that never ends.
func (s *Source) Token() (*oauth2.Token, error) {
	return s.TokenContext(context.Background())
}

// TokenContext returns a copy of the current token. If there is no usable
// token, it gets one first. A token is usable until 10 seconds, or a tenth of
// its life if that is less, before it expires, unless the API rejects it.
//
// ctx limits only the wait of this caller. When it ends, the auth call
// continues for other callers. A nil ctx is [context.Background].
//
// If the auth call failed, the error is an [*Error], the same one for all
// callers that waited.
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	t, _, err := e.cache.Get(ctx)
	return copyOf(t, err)
}

// Renew gets a new token now and returns a copy of it. Requests use the old
// token until then, and also if Renew fails. If a renewal is already running,
// Renew waits for it. After a failed renewal, Renew returns the same error
// until the next attempt is due: see NextAttempt in [Stats]. A nil ctx is
// [context.Background].
func (s *Source) Renew(ctx context.Context) (*oauth2.Token, error) {
	e, err := s.use()
	if err != nil {
		return nil, err
	}
	return copyOf(e.cache.Renew(cmp.Or(ctx, context.Background())))
}

// Invalidate stops using t. Call it if the API rejected t. If t is nil or not
// the current token, nothing happens: a late call does not affect the next
// token. A [Transport] does this by itself.
func (s *Source) Invalidate(t *oauth2.Token) {
	if e, err := s.use(); err == nil && t != nil {
		e.cache.Invalidate(t.AccessToken)
	}
}

// Client returns an [http.Client] with a [Transport] that uses s. If ctx has an
// HTTP client under [oauth2.HTTPClient], its Transport becomes the base, and
// its CheckRedirect, Jar and Timeout are used too. ctx may be nil. The returned
// client works after ctx has ended.
func (s *Source) Client(ctx context.Context) *http.Client {
	from := contextClient(ctx)
	return &http.Client{
		Transport:     &Transport{Source: s, Base: given(from.Transport)},
		CheckRedirect: from.CheckRedirect,
		Jar:           from.Jar,
		Timeout:       from.Timeout,
	}
}

// use returns the account, or the error for every call of s.
func (s *Source) use() (*engine, error) {
	if s == nil || s.engine == nil {
		return nil, errNoSource
	}
	return s.engine, s.engine.err
}

// copyOf returns a new copy of the token: oauth2.ReuseTokenSource writes to the
// token that it gets.
func copyOf(t *tokencache.Token, err error) (*oauth2.Token, error) {
	if err != nil {
		return nil, err
	}
	tok := oauth2.Token{
		AccessToken:  t.AccessToken,
		TokenType:    "Bearer",
		RefreshToken: t.RefreshToken,
		Expiry:       t.Expiry,
		ExpiresIn:    int64(t.Lifetime / time.Second),
	}
	return tok.WithExtra(grant.Extra(t.Extra)), nil // it allocates another one: tok stays on the stack
}
