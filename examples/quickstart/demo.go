package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

const (
	// The first token lives this long, so that its renewal can be watched. It
	// leaves a busy machine a second to spare. The later tokens live an hour, as
	// at api.video.
	lifetime    = 8 * time.Second
	authLatency = 300 * time.Millisecond

	renewalTime  = 30 * time.Second // limit of the scene that waits for a renewal
	marksPerLine = 70
)

var errInterrupted = errors.New("interrupted")

// demo sends requests to the fake server with an ordinary http.Client.
type demo struct {
	*screen
	ctx    context.Context
	srv    *apivideotest.Server
	src    *apivideo.Source
	client *http.Client

	mu       sync.Mutex
	requests int
	failed   int
}

// demonstrate plays the scenes against servers on loopback.
func demonstrate(ctx context.Context, s *screen) error {
	fmt.Fprintln(s, s.paint("1", "apivideo: an ordinary http.Client that needs no token code"))
	s.line("A fake server in this process plays api.video. An auth call takes %v.", authLatency)
	srv := apivideotest.NewServer()
	defer srv.Close()
	other := httptest.NewServer(http.HandlerFunc(countTokens))
	defer other.Close()
	return play(ctx, s, srv, other.URL)
}

// countTokens answers with the number of tokens in the request.
func countTokens(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, len(r.Header.Values("Authorization")))
}

// play plays the scenes one after another. other is the URL of another host. It
// returns errInterrupted when ctx ends.
func play(ctx context.Context, s *screen, srv *apivideotest.Server, other string) error {
	srv.SetLifetime(lifetime)
	srv.SetAuthLatency(authLatency)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"data":[]}`) })
	srv.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusFound)
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src := srv.Config().Source(ctx)
	d := &demo{screen: s, ctx: ctx, srv: srv, src: src, client: src.Client(ctx)}
	defer d.client.CloseIdleConnections()

	for _, scene := range []func(){d.coldStart, d.renewal, d.revocation, d.spentRefreshToken, d.redirect} {
		if scene(); ctx.Err() != nil {
			return errInterrupted
		}
	}
	return d.summary()
}

func (d *demo) coldStart() {
	d.heading("1. Cold start: 50 requests at once, and no token yet")
	var wg sync.WaitGroup
	slowest := make([]time.Duration, 50)
	for i := range slowest {
		wg.Go(func() { slowest[i] = d.get("/videos") })
	}
	wg.Wait()
	d.srv.SetLifetime(time.Hour) // of the tokens to come
	c := d.srv.Counters()
	d.result(c.AuthCalls == 1, "requests served: %d, auth calls: %d, slowest request: %v",
		c.Authorized, c.AuthCalls, rounded(slices.Max(slowest)))
}

// renewal sends a request every 10 ms until the token has been renewed.
func (d *demo) renewal() {
	d.heading("2. Renewal: steady traffic while the token is replaced")
	d.line("each · is 10 requests, ◆ if a new token arrived during them")
	before, waits := d.srv.Counters(), d.src.Stats().Waits
	var slowest time.Duration
	now := before
	for start, marks := time.Now(), 0; time.Since(start) < renewalTime && d.ctx.Err() == nil && now.Refreshed == before.Refreshed; marks++ {
		for range 10 {
			slowest = max(slowest, d.get("/videos"))
			time.Sleep(10 * time.Millisecond)
		}
		now = d.srv.Counters()
		d.mark(marks, now.Refreshed > before.Refreshed)
	}
	fmt.Fprintln(d)
	waited := d.src.Stats().Waits - waits
	d.result(now.Refreshed > before.Refreshed && waited == 0, "requests: %d, waiting for the renewal: %d, slowest request: %v",
		now.Authorized-before.Authorized, waited, rounded(slowest))
}

// mark prints the mark of ten requests. n counts those before it.
func (d *demo) mark(n int, renewed bool) {
	switch {
	case n == 0:
		fmt.Fprint(d, "   ")
	case n%marksPerLine == 0:
		fmt.Fprint(d, "\n   ")
	}
	if renewed {
		fmt.Fprint(d, d.paint("36", "◆"))
	} else {
		fmt.Fprint(d, "·")
	}
}

func (d *demo) revocation() {
	d.heading("3. Revocation: the API rejects the token long before its expiry")
	before := d.srv.Counters()
	d.srv.RevokeAccessTokens()
	took := d.get("/videos")
	c := d.srv.Counters()
	d.result(c.Authorized > before.Authorized, "401s: %d, renewals: %d; sent again, and served after %v",
		c.Unauthorized-before.Unauthorized, c.Refreshed-before.Refreshed, rounded(took))
}

func (d *demo) spentRefreshToken() {
	d.heading("4. Refresh token: another program has made it invalid")
	before := d.srv.Counters()
	d.srv.EndRefreshToken()
	start := time.Now()
	_, err := d.src.Renew(d.ctx)
	took := time.Since(start)
	c := d.srv.Counters()
	d.result(err == nil, "rejected refreshes: %d, logins with the API key: %d, took %v",
		c.Refused-before.Refused, c.Authenticated-before.Authenticated, rounded(took))
}

func (d *demo) redirect() {
	d.heading("5. Redirect: another host gets no token")
	tokens, _ := d.fetch("/elsewhere")
	d.result(tokens == "0", "tokens that the other host received: %s", tokens)
}

func (d *demo) summary() error {
	c := d.srv.Counters()
	d.heading("Summary")
	d.line("requests      %5d   (%d failed)", d.requests, d.failed)
	d.line("401s          %5d   (seen by the library, not by the program)", c.Unauthorized)
	d.line("auth calls    %5d   (%d with the API key, %d refreshes, %d rejected)",
		c.AuthCalls, c.Authenticated, c.Refreshed, c.Refused)
	fmt.Fprintf(d, "\nSet APIVIDEO_API_KEY to list your own videos. If it is a sandbox key, set\nAPIVIDEO_BASE_URL=%s too.\n", apivideo.SandboxURL)
	if d.failed > 0 {
		return fmt.Errorf("%d of %d requests failed", d.failed, d.requests)
	}
	return nil
}

// result prints the result of a scene, unless the scene was interrupted.
func (d *demo) result(ok bool, format string, args ...any) {
	if d.ctx.Err() == nil {
		d.screen.result(ok, format, args...)
	}
}

// get makes a request and returns how long it took.
func (d *demo) get(path string) time.Duration {
	_, took := d.fetch(path)
	return took
}

// fetch makes a request and counts it. It returns the body, and how long the
// request took.
func (d *demo) fetch(path string) (body string, took time.Duration) {
	start := time.Now()
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.srv.URL+path, nil)
	if err != nil {
		d.count(false)
		return "", 0
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.count(false)
		return "", time.Since(start)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	d.count(err == nil && resp.StatusCode == http.StatusOK)
	return string(data), time.Since(start)
}

func (d *demo) count(ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if !ok {
		d.failed++
	}
}

// rounded makes a duration short to read: 312ms, 1.2ms.
func rounded(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
