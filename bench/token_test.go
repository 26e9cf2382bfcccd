package bench

import (
	"context"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/require"
)

// newCache returns a token cache, and a function that gets a token from it. Its
// first token takes an auth call.
func newCache(by string, s *Service) (cache any, token func() (any, error)) {
	ctx := context.Background()
	switch by {
	case Apivideo:
		src := Config().Source(s.Context(ctx))
		return src, func() (any, error) { return src.TokenContext(ctx) }
	case OAuth2:
		src := NewOAuth2Source(s)
		return src, func() (any, error) { return src.Token() }
	default:
		src := NewCloudAuthProvider(s, 0)
		return src, func() (any, error) { return src.Token(ctx) }
	}
}

// BenchmarkToken is the cost of the current token for code that asks for it.
// TokenContext hands out copies, the peers hand out the token that they keep.
func BenchmarkToken(b *testing.B) {
	for _, by := range []string{Apivideo, OAuth2, CloudAuth} {
		_, token := newCache(by, &Service{})
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

// BenchmarkStore is a cold start: a new Source and its first token. "none" has
// no Store and exchanges the API key. "seal" stores the token, too. "open" finds
// a stored token and makes no auth call. The Store is in memory and almost free.
func BenchmarkStore(b *testing.B) {
	ctx := (&Service{}).Context(context.Background())
	filled := memstore.New()
	coldStart(b, ctx, filled)
	for op, store := range map[string]func() apivideo.Store{
		"none": func() apivideo.Store { return nil },
		"seal": func() apivideo.Store { return memstore.New() },
		"open": func() apivideo.Store { return filled },
	} {
		b.Run("op="+op+"/by="+Apivideo, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				coldStart(b, ctx, store())
			}
		})
	}
}

func coldStart(tb testing.TB, ctx context.Context, store apivideo.Store) string {
	conf := Config()
	conf.Store = store
	tok, err := conf.Source(ctx).Token()
	if err != nil {
		tb.Fatal(err)
	}
	return tok.AccessToken
}

func TestColdStartAdoptsStoredToken(t *testing.T) {
	service, store := &Service{}, memstore.New()
	ctx := service.Context(t.Context())
	first := coldStart(t, ctx, store)
	require.Equal(t, first, coldStart(t, ctx, store))
	require.EqualValues(t, 1, service.Calls())
}
