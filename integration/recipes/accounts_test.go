package recipes_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/leaktest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// accounts has one Source for each customer that has an API key. A Source with
// its token takes less than 4 KiB and no goroutine. It makes no call while it
// is idle, so thousands of them are fine. accounts is safe for concurrent use.
type accounts struct {
	ctx  context.Context
	conf apivideo.Config                                        // common to all
	key  func(ctx context.Context, name string) (string, error) // of a customer

	mu      sync.Mutex
	sources map[string]*apivideo.Source
}

// source returns the Source of a customer.
func (a *accounts) source(name string) *apivideo.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	src, ok := a.sources[name]
	if !ok {
		conf := a.conf
		conf.APIKeyFunc = func(ctx context.Context) (string, error) { return a.key(ctx, name) }
		src = conf.Source(a.ctx)
		a.sources[name] = src
	}
	return src
}

// client returns an http.Client for a customer's requests.
func (a *accounts) client(name string) *http.Client { return a.source(name).Client(a.ctx) }

// drop forgets a customer. When nobody uses its Source any more, the memory is
// freed.
func (a *accounts) drop(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sources, name)
}

func Example_accounts() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	keys := map[string]string{"one": srv.Config().APIKey, "two": srv.AddKey()}
	conf := srv.Config()
	conf.APIKey = ""
	a := &accounts{
		ctx: context.Background(), conf: *conf, sources: map[string]*apivideo.Source{},
		key: func(_ context.Context, name string) (string, error) { return keys[name], nil },
	}
	for range 10 {
		for name := range keys {
			resp, err := a.client(name).Get(srv.URL + "/videos")
			if err != nil {
				fmt.Println(err)
				return
			}
			resp.Body.Close()
		}
	}
	fmt.Println("auth calls:", srv.Counters().AuthCalls)
	a.drop("two")
	fmt.Println("accounts:", len(a.sources))
	// Output:
	// auth calls: 2
	// accounts: 1
}

// The cost of a Source without a token, for a customer that makes no calls.
func TestAccountsAreSmall(t *testing.T) {
	const n = 1000
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	a := &accounts{
		ctx: t.Context(), sources: map[string]*apivideo.Source{},
		key: func(context.Context, string) (string, error) { return "made-up-key", nil },
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	for i := range n {
		a.source(fmt.Sprint("customer-", i))
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	require.Len(t, a.sources, n)
	assert.Less(t, each, int64(4<<10))
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	assert.Empty(t, leaktest.Goroutines())
}
