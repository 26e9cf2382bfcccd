package apivideo_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/leaktest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain fails if the tests leave a goroutine behind. In a bubble,
// testing/synctest checks that too.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	fuzzing := flag.Lookup("test.fuzz").Value.String() != "" // which leaves one for signals
	if code == 0 && !fuzzing && !settles(before) {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:")
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	if leaked := leaktest.Goroutines(); code == 0 && leaked != "" {
		fmt.Fprintln(os.Stderr, "goroutines wait for ever:", leaked)
		code = 1
	}
	os.Exit(code)
}

// settles waits for the number of goroutines to come down to n.
func settles(n int) bool {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for range 6000 { // on a busy machine they take a while
		if runtime.NumGoroutine() <= n {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// realSized is an auth service in memory with tokens as long as real ones.
func realSized(ctx context.Context) context.Context {
	n := 0
	return through(ctx, func(*http.Request) (*http.Response, error) {
		n++
		access := fmt.Sprintf("%s%0200d", strings.Repeat("made-up.", 100), n)
		return grantOf(access, strings.Repeat("f", 700), 3600), nil
	})
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Promise: An idle Source has a timer and no goroutine.
func TestSourceIdleIsSmallWithoutGoroutine(t *testing.T) {
	const n = 2000
	ctx := realSized(t.Context())
	conf := &apivideo.Config{APIKey: "made-up-key"}
	goroutines := runtime.NumGoroutine()
	before := heap()
	sources := make([]*apivideo.Source, n)
	for i := range sources {
		sources[i] = conf.Source(ctx)
		tok, err := sources[i].Token()
		require.NoError(t, err)
		require.Len(t, tok.AccessToken, 1000)
	}
	assert.True(t, settles(goroutines), "%d goroutines more", runtime.NumGoroutine()-goroutines)
	assert.Empty(t, leaktest.Goroutines())
	each := (heap() - before) / n
	assert.Less(t, each, int64(4<<10))
	t.Logf("%d bytes each", each)
	runtime.KeepAlive(sources)
}

func BenchmarkTokenContext(b *testing.B) {
	ctx := realSized(b.Context())
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(ctx)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := src.TokenContext(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(realSized(b.Context()))
	resp := &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}
	tr := &apivideo.Transport{Source: src, Base: tripper(func(*http.Request) (*http.Response, error) { return resp, nil })}
	req, _ := http.NewRequest("GET", apivideo.ProductionURL+"/videos", nil)
	for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "X-Request-Id"} {
		req.Header.Set(name, "value")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.RoundTrip(req); err != nil {
			b.Fatal(err)
		}
	}
}
