package bench

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"golang.org/x/oauth2"
)

// Results go here, so that no call is optimized away.
type tokenSink struct {
	token *oauth2.Token
	cloud *auth.Token
	text  string
	err   error
	_     [64]byte // goroutines' sinks share no cache line
}

// BenchmarkToken is what the current token costs those who ask for it. Apivideo
// hands out a copy, the others the one they have.
func BenchmarkToken(b *testing.B) {
	ctx := context.Background()
	src := Config().Source((&Service{}).Context(ctx))
	reuse := NewOAuth2Source(&Service{})
	cached := NewCloudAuthProvider(&Service{}, 0)
	limit := &AtomicCache{}
	limit.Set(numbered("access", 1, AccessTokenLength), time.Now().Add(time.Hour))

	benchmarkToken(b, Apivideo, func(s *tokenSink) { s.token, s.err = src.TokenContext(ctx) })
	benchmarkToken(b, OAuth2, func(s *tokenSink) { s.token, s.err = reuse.Token() })
	benchmarkToken(b, CloudAuth, func(s *tokenSink) { s.cloud, s.err = cached.Token(ctx) })
	benchmarkToken(b, Limit, func(s *tokenSink) { s.text, s.err = limit.Token() })
}

func benchmarkToken(b *testing.B, by string, token func(*tokenSink)) {
	token(new(tokenSink)) // the first one
	atEither(b, by, func(b *testing.B, run func(func(func() bool))) {
		b.ReportAllocs()
		run(func(next func() bool) {
			sink := new(tokenSink)
			for next() {
				if token(sink); sink.err != nil {
					b.Error(sink.err)
				}
			}
		})
	})
}
