// Package apivideo authenticates Go programs with the api.video API.
//
// A [Config] turns an account's API key into credentials: an [http.Client]
// that authorizes its requests, an [oauth2.TokenSource], or a [Transport] to
// put under any other client.
//
//	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
//	client := conf.Client(ctx)
//	resp, err := client.Get(apivideo.ProductionURL + "/videos")
//
// Behind them stands a [Source]. It exchanges the API key for an access token
// when the first request needs one, renews it in the background before it
// expires, and replaces it when the API refuses it. Any number of goroutines
// share one Source; a request waits for an auth call only when there is no
// token that could serve it, and never beyond its own context.
//
// To test a program that uses this package, see the package apivideotest.
package apivideo

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/journal"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

// The base URLs of the API. An account has separate API keys for the two.
const (
	ProductionURL = "https://ws.api.video"
	SandboxURL    = "https://sandbox.api.video"
)

// Config says which account to authenticate and how. It is plain data: every
// method works on a copy, so that a later change affects no [Source] made
// before. A mistake in it is reported by the first call that would need it,
// before anything is sent.
//
// A Config is safe for concurrent use as long as nobody writes to it. Printed
// with package fmt or marshaled as JSON it does not show its API key. Only in
// an unexported field of another struct fmt cannot call its methods: there,
// keep a *Config, of which %v prints the address.
type Config struct {
	// APIKey is the account's API key. Required, unless APIKeyFunc is set.
	APIKey string

	// APIKeyFunc returns the API key, instead of APIKey, for a key that changes
	// while the program runs; [KeyFile] reads it from a file. It is called at
	// the start of each renewal, and has 5 seconds to return. It is not called
	// for a request that has a token. If it fails, a Source goes on with the
	// last key. Calls do not overlap within a Source.
	APIKeyFunc func(context.Context) (string, error)

	// BaseURL is the root of the API, [ProductionURL] when empty. It must be
	// https, or http on a loopback host, and may have a path. Nothing outside
	// its origin and path is ever sent a credential.
	BaseURL string

	// Application names the program to the service, and SDK a client library
	// that is built on this package, in the headers AV-Origin-App and
	// AV-Origin-Sdk. The zero Product sends none.
	Application Product
	SDK         Product

	// Store shares the token with other processes. If nil, the token stays
	// in this one.
	Store Store

	// Logger receives renewals and failures, never secrets. A line may appear
	// after the request has continued. If nil, nothing is logged.
	Logger *slog.Logger
}

// Source returns a [Source] for the account. Each call returns a new one with
// a token of its own: share the Source to share the token.
//
// The values of ctx go with every auth call; [oauth2.HTTPClient] chooses the
// HTTP client. When ctx ends, the Source stops renewing ahead of expiry and
// gets its tokens only when they are asked for.
func (c *Config) Source(ctx context.Context) *Source {
	if ctx == nil {
		ctx = context.Background()
	}
	return &Source{newAccount(ctx, *c)}
}

// TokenSource returns a new [Source] within [oauth2.ReuseTokenSource], as
// [oauth2.NewClient] would wrap it.
//
// That wrapper keeps a token until 10 seconds before its expiry, whatever
// the Source learns of it, and its lock ignores the context of a request.
// Most users will use [Config.Client] instead, which has neither limit.
func (c *Config) TokenSource(ctx context.Context) oauth2.TokenSource {
	return oauth2.ReuseTokenSource(nil, c.Source(ctx))
}

// Client returns an [http.Client] that authorizes its requests with a new
// [Source]. See [Source.Client].
func (c *Config) Client(ctx context.Context) *http.Client {
	return c.Source(ctx).Client(ctx)
}

// Source keeps one account's access token ready. It implements
// [oauth2.TokenSource] and is safe for concurrent use.
//
// Callers that need a token at the same time share one auth call. A token is
// renewed in the background once three quarters of its life, or all but 15
// minutes of it, have passed, unless nobody has asked for it. Should that
// fail, it is tried again while the token serves on. After a failure without
// a usable token, callers get the same error for some seconds before the
// service is asked again.
//
// Make one with [Config.Source]. Every call on the zero Source is an error.
type Source struct {
	// All is behind a pointer, so that no copy and no fmt verb reaches it.
	account *account
}

// account is what a Source works with.
type account struct {
	service *service // nil if err is not, like the others
	cache   *tokencache.Cache
	issuer  *issuer
	journal *journal.Journal
	err     error // a mistake in the Config
	replays atomic.Uint64
	warned  atomic.Bool // of a request for another environment
}

func newAccount(ctx context.Context, conf Config) *account {
	service, err := conf.service(ctx)
	if err != nil {
		return &account{err: err}
	}
	a := &account{service: service, issuer: &issuer{keys: newKeys(&conf, service)}}
	a.journal = journal.New(context.WithoutCancel(ctx), conf.Logger, slog.String("base_url", service.base.String()))
	a.cache = tokencache.New(ctx, a.issuer, conf.Store, a.journal)
	return a
}

// Token is [Source.TokenContext] with a context that never ends.
func (s *Source) Token() (*oauth2.Token, error) {
	return s.TokenContext(context.Background())
}

// TokenContext returns a copy of the current token, obtaining one first if
// there is none that is usable: not refused, and with more than a tenth of
// its life or 10 seconds left, whichever is less. The context bounds the wait
// and nothing else; when it ends, the auth call goes on for the others.
//
// An error of the service is an [*Error], the same for all who waited.
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	a, err := s.use()
	if err != nil {
		return nil, err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return handOut(a.cache.Get(ctx))
}

// Renew obtains a new token now and returns a copy of it. The old one stays
// in use until then, and also if Renew fails. A renewal that is already under
// way is waited for instead. While a failure is remembered, Renew returns it.
func (s *Source) Renew(ctx context.Context) (*oauth2.Token, error) {
	a, err := s.use()
	if err != nil {
		return nil, err
	}
	return handOut(a.cache.Renew(cmp.Or(ctx, context.Background())))
}

// Invalidate reports that the API refused t, so that it is not used again.
// Nothing happens if t is nil or not the current token, so that a late report
// does not harm its successor. Programs that use a [Transport] need not call
// it.
func (s *Source) Invalidate(t *oauth2.Token) {
	if a, err := s.use(); err == nil && t != nil {
		a.cache.Invalidate(t.AccessToken)
	}
}

// Client returns an [http.Client] with a [Transport] over s. If ctx has a
// client under [oauth2.HTTPClient], its Transport becomes the base, and its
// CheckRedirect, Jar and Timeout are taken over. The client is valid beyond
// the end of ctx.
func (s *Source) Client(ctx context.Context) *http.Client {
	from := contextClient(ctx)
	return &http.Client{
		Transport:     &Transport{Source: s, Base: given(from.Transport)},
		CheckRedirect: from.CheckRedirect,
		Jar:           from.Jar,
		Timeout:       from.Timeout,
	}
}

// use returns the account, or why there is none to use.
func (s *Source) use() (*account, error) {
	if s == nil || s.account == nil {
		return nil, errNoSource
	}
	return s.account, s.account.err
}

// slab has copies of one token to hand out.
type slab struct {
	used   int // copies[0] is the pattern of the others
	copies [24]oauth2.Token
}

// handOut returns a copy of the token that nobody else has, since
// oauth2.ReuseTokenSource writes into what it is given. A copy alone would be
// an allocation at each call.
func handOut(t *tokencache.Token, err error) (*oauth2.Token, error) {
	if err != nil {
		return nil, err
	}
	s, _ := t.Pool.Get().(*slab)
	if s == nil {
		s = &slab{}
		pattern := oauth2.Token{
			AccessToken:  t.AccessToken,
			TokenType:    "Bearer",
			RefreshToken: t.RefreshToken,
			Expiry:       t.Expiry,
			ExpiresIn:    int64(t.Lifetime / time.Second),
		}
		s.copies[0] = *pattern.WithExtra(t.Extra)
	}
	s.used++
	tok := &s.copies[s.used]
	*tok = s.copies[0]
	if s.used < len(s.copies)-1 {
		t.Pool.Put(s)
	}
	return tok, nil
}

// contextClient returns the client that oauth2 would use under ctx.
func contextClient(ctx context.Context) *http.Client {
	if ctx != nil {
		if c, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok && c != nil {
			return c
		}
	}
	return http.DefaultClient
}
