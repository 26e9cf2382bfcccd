package bench

import (
	"context"
	"testing"
)

// newCache returns a token cache, and a function that gets a token from it. Its
// first token takes an auth call.
func newCache(tb testing.TB, by string, s *Service) (cache any, token func() (any, error)) {
	ctx := context.Background()
	switch by {
	case Apivideo:
		src := Config().Source(s.Context(ctx))
		return src, func() (any, error) { return src.TokenContext(ctx) }
	case OAuth2:
		src := NewOAuth2Source(s)
		return src, func() (any, error) { return src.Token() }
	case CloudAuth:
		src := NewCloudAuthProvider(s, 0)
		return src, func() (any, error) { return src.Token(ctx) }
	}
	tok, err := Config().Token(s.Context(ctx))
	if err != nil {
		tb.Fatal(err)
	}
	least := &atomicCache{}
	least.current.Store(tok)
	return least, func() (any, error) { return least.Token() }
}

// BenchmarkToken is the cost of the current token for code that asks for it.
// TokenContext hands out copies, the peers hand out the token that they keep.
func BenchmarkToken(b *testing.B) {
	for _, by := range []string{Apivideo, OAuth2, CloudAuth, Limit} {
		_, token := newCache(b, by, &Service{})
		ask := func() {
			if _, err := token(); err != nil {
				b.Error(err)
			}
		}
		ask()
		onOneAndMany(b, by, func(next func() bool) {
			for next() {
				ask()
			}
		})
	}
}
