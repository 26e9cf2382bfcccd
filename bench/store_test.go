package bench

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkStore is a cold start: a new Source and its first token. Alone, it
// exchanges the API key; sealing, it does so and stores the token; opening, it
// adopts what is stored and makes no auth call. The Store is a map, so that
// sealing costs what "seal" takes longer than "alone".
func BenchmarkStore(b *testing.B) {
	ctx := (&Service{}).Context(context.Background())
	filled := newMapStore()
	coldStart(b, ctx, filled)

	b.Run("op=alone/by="+Apivideo, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			coldStart(b, ctx, nil)
		}
	})
	b.Run("op=seal/by="+Apivideo, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			coldStart(b, ctx, newMapStore())
		}
	})
	b.Run("op=open/by="+Apivideo, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			coldStart(b, ctx, filled)
		}
	})
}

func coldStart(b testing.TB, ctx context.Context, store *mapStore) string {
	conf := Config()
	if store != nil {
		conf.Store = store
	}
	tok, err := conf.Source(ctx).Token()
	if err != nil {
		b.Fatal(err)
	}
	return tok.AccessToken
}

func TestAColdStartAdoptsWhatIsStored(t *testing.T) {
	service := &Service{}
	ctx := service.Context(t.Context())
	store := newMapStore()
	first := coldStart(t, ctx, store)
	require.Equal(t, first, coldStart(t, ctx, store))
	require.EqualValues(t, 1, service.Calls())
	require.NotContains(t, string(store.only()), first, "it is sealed")
}

// mapStore is an apivideo.Store that costs next to nothing.
type mapStore struct {
	mu     sync.Mutex
	values map[string][]byte
}

func newMapStore() *mapStore { return &mapStore{values: map[string][]byte{}} }

func (s *mapStore) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key], nil
}

func (s *mapStore) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := fn(ctx, s.values[key])
	if err == nil && value != nil {
		s.values[key] = value
	}
	return err
}

func (s *mapStore) only() []byte {
	for _, value := range s.values {
		return value
	}
	return nil
}
