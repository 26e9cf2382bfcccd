package apivideo_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// world is the environment of most tests: a server in memory that plays the
// service, and a Config for it. As a RoundTripper it stands between the two.
type world struct {
	srv   *apivideotest.Server
	store *memstore.Store // of conf, in a fleet
	conf  *apivideo.Config
	ctx   context.Context // its HTTP client reaches srv through the world

	mu        sync.Mutex // guards what follows
	auth, api tripper    // answer auth calls and API calls instead of srv, unless nil
	calls     []time.Time
	began     chan struct{} // has an element after an auth call has begun
}

// bubble runs a test in virtual time. The server has one handler, /videos.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.HandleFunc("/videos", listVideos)
		w := &world{srv: srv, conf: srv.Config(), began: make(chan struct{}, 1)}
		w.ctx = through(t.Context(), w.RoundTrip)
		f(t, w)
	})
}

// fleet runs a test whose Sources share a Store.
func fleet(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		w.store = memstore.New()
		w.conf.Store = w.store
		f(t, w)
	})
}

// inBubble is f for t.Run, inFleet too.
func inBubble(f func(t *testing.T, w *world)) func(*testing.T) {
	return func(t *testing.T) { bubble(t, f) }
}

func inFleet(f func(t *testing.T, w *world)) func(*testing.T) {
	return func(t *testing.T) { fleet(t, f) }
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	next := w.api
	if strings.HasPrefix(r.URL.Path, "/auth/") {
		next = w.auth
		w.calls = append(w.calls, time.Now())
		select {
		case w.began <- struct{}{}:
		default:
		}
	}
	w.mu.Unlock()
	if next == nil {
		next = w.srv.Transport().RoundTrip
	}
	return next(r)
}

func (w *world) setAuth(f tripper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.auth = f
}

func (w *world) setAPI(f tripper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.api = f
}

// fail makes every auth call fail from now on.
func (w *world) fail(fault apivideotest.Fault) {
	w.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return fault })
}

// whyNot is why a file cannot be read, as the system says it.
func whyNot(name string) string {
	_, err := os.ReadFile(name)
	return errors.Unwrap(err).Error()
}

func (w *world) source() *apivideo.Source { return w.conf.Source(w.ctx) }
func (w *world) client() *http.Client     { return w.conf.Client(w.ctx) }

// log returns what the Sources made from now on log.
func (w *world) log() *bytes.Buffer {
	var b bytes.Buffer
	w.conf.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &b
}

// authCalls is how many auth calls were begun.
func (w *world) authCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

// untilAuthCalls waits until n auth calls were begun.
func (w *world) untilAuthCalls(n int) {
	for w.authCalls() < n {
		<-w.began
	}
	synctest.Wait()
}

// between are the times between the auth calls.
func (w *world) between() (d []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, at := range w.calls[1:] {
		d = append(d, at.Sub(w.calls[i]))
	}
	return d
}

// get calls the API, wants this status, and returns how long it took.
func (w *world) get(t *testing.T, client *http.Client, want int) time.Duration {
	t.Helper()
	return w.send(t, client, "GET", nil, want)
}

// stream is get with a body that cannot be replayed.
func (w *world) stream(t *testing.T, client *http.Client, want int) time.Duration {
	t.Helper()
	return w.send(t, client, "POST", io.MultiReader(strings.NewReader("streamed")), want)
}

func (w *world) send(t *testing.T, client *http.Client, method string, body io.Reader, want int) time.Duration {
	t.Helper()
	req, err := http.NewRequest(method, w.srv.URL+"/videos", body)
	require.NoError(t, err)
	start := time.Now()
	resp, err := client.Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, want, resp.StatusCode)
	return time.Since(start)
}

// warm returns a Source and the token that it has.
func (w *world) warm(t *testing.T) (*apivideo.Source, *oauth2.Token) {
	t.Helper()
	src := w.source()
	tok, _ := mustToken(t, src)
	return src, tok
}

func (w *world) warmClient(t *testing.T) *http.Client {
	t.Helper()
	client := w.client()
	w.get(t, client, 200)
	return client
}

// atOnce gets a token, which must take no time.
func atOnce(t *testing.T, src *apivideo.Source) *oauth2.Token {
	t.Helper()
	tok, took := mustToken(t, src)
	require.Zero(t, took)
	return tok
}

// serves checks that src still returns this token.
func serves(t *testing.T, src *apivideo.Source, want *oauth2.Token) {
	t.Helper()
	assert.Equal(t, want.AccessToken, atOnce(t, src).AccessToken)
}

func listVideos(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, `{"data":[]}`)
}

// tripper is a RoundTripper made of a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through returns a context whose auth calls go to f.
func through(ctx context.Context, f tripper) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: f})
}

// answer makes a response.
func answer(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {contentType}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// reply answers every request in this way.
func reply(status int, contentType, body string) tripper {
	return func(*http.Request) (*http.Response, error) { return answer(status, contentType, body), nil }
}

// breakOff answers every request with an error.
func breakOff(err error) tripper {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// grant answers every request with these tokens, which live for an hour.
func grant(access, refresh string) tripper {
	return func(*http.Request) (*http.Response, error) { return grantOf(access, refresh, 3600), nil }
}

// grantOf is the answer of the service for these tokens.
func grantOf(access, refresh string, lifetime int) *http.Response {
	body, _ := json.Marshal(map[string]any{
		"token_type": "Bearer", "access_token": access, "refresh_token": refresh, "expires_in": lifetime,
	})
	return answer(200, "application/json", string(body))
}

// sourceThrough returns a Source whose auth calls go to f.
func sourceThrough(t *testing.T, conf apivideo.Config, f tripper) *apivideo.Source {
	conf.APIKey = cmp.Or(conf.APIKey, "made-up-key")
	return conf.Source(through(t.Context(), f))
}

// tokenThrough makes one auth call, which goes to f.
func tokenThrough(t *testing.T, conf apivideo.Config, f tripper) (*oauth2.Token, error) {
	conf.APIKey = cmp.Or(conf.APIKey, "made-up-key")
	return conf.Token(through(t.Context(), f))
}

// mustToken gets a token and reports how long that took.
func mustToken(t *testing.T, src *apivideo.Source) (*oauth2.Token, time.Duration) {
	t.Helper()
	start := time.Now()
	tok, err := src.Token()
	require.NoError(t, err)
	return tok, time.Since(start)
}

// mustRenew renews and reports how long that took.
func mustRenew(t *testing.T, src *apivideo.Source) (*oauth2.Token, time.Duration) {
	t.Helper()
	start := time.Now()
	tok, err := src.Renew(context.Background())
	require.NoError(t, err)
	return tok, time.Since(start)
}

// ended returns a context that has ended. A Source made with it renews nothing
// by itself.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// background runs f in a goroutine. wait waits for its end.
func background(f func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	return wg.Wait
}

// asError returns the apivideo.Error in err.
func asError(t *testing.T, err error) *apivideo.Error {
	t.Helper()
	e, ok := errors.AsType[*apivideo.Error](err)
	require.True(t, ok, "%v is no *apivideo.Error", err)
	return e
}

// bytesUsed returns how many bytes f allocates.
func bytesUsed(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
