package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

const (
	lifetime    = 4 * time.Second // of the tokens; the service's live an hour
	authLatency = 300 * time.Millisecond
)

// demo drives an ordinary http.Client against the stand-in, and measures.
type demo struct {
	*screen
	ctx    context.Context
	srv    *apivideotest.Server
	client *http.Client

	mu       sync.Mutex
	requests int
	failed   int
}

// demonstrate plays the scenes against servers on loopback.
func demonstrate(ctx context.Context, s *screen) error {
	srv := apivideotest.NewServer()
	defer srv.Close()
	stranger := httptest.NewServer(http.HandlerFunc(countTokens))
	defer stranger.Close()
	return play(ctx, s, srv, stranger.URL)
}

// countTokens answers with the number of tokens that came with the request.
func countTokens(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, len(r.Header.Values("Authorization")))
}

// play plays the scenes one after another. There is another host at stranger.
func play(ctx context.Context, s *screen, srv *apivideotest.Server, stranger string) error {
	srv.SetLifetime(lifetime)
	srv.SetAuthLatency(authLatency)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"data":[]}`) })
	srv.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger, http.StatusFound)
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src := srv.Config().Source(ctx)
	d := &demo{screen: s, ctx: ctx, srv: srv, client: src.Client(ctx)}
	defer d.client.CloseIdleConnections()

	fmt.Fprintln(s, s.paint("1", "apivideo: an ordinary http.Client, authorized")+
		" (a stand-in for the service, in this process)")
	s.line("Tokens live %v here, and an auth call takes %v.", lifetime, authLatency)
	for _, scene := range []func(){d.coldStart, d.renewal, d.revocation, func() { d.endedRefreshToken(src) }, d.redirect} {
		if scene(); ctx.Err() != nil {
			return errors.New("interrupted")
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
	c := d.srv.Counters()
	d.result(c.AuthCalls == 1, "requests served: %d, exchanges of the API key: %d, slowest request: %v",
		c.Authorized, c.Authenticated, rounded(maxOf(slowest)))
}

// renewal sends a request every 10 ms until a token has been renewed twice.
func (d *demo) renewal() {
	d.heading("2. Renewal: steady traffic while the token is replaced")
	fmt.Fprint(d, "   ")
	before := d.srv.Counters()
	var slowest time.Duration
	seen := before
	for start := time.Now(); time.Since(start) < 12*time.Second && d.ctx.Err() == nil; {
		for range 10 {
			slowest = max(slowest, d.get("/videos"))
			time.Sleep(10 * time.Millisecond)
		}
		now := d.srv.Counters()
		if now.Refreshed > seen.Refreshed {
			fmt.Fprint(d, d.paint("36", "◆"))
		} else {
			fmt.Fprint(d, "·")
		}
		if seen = now; now.Refreshed-before.Refreshed == 2 {
			break
		}
	}
	fmt.Fprintln(d)
	d.line("each · is 10 requests, each ◆ 10 requests during which a new token arrived")
	d.result(slowest < authLatency, "requests: %d, renewals: %d of %v each, slowest request: %v",
		seen.Authorized-before.Authorized, seen.Refreshed-before.Refreshed, authLatency, rounded(slowest))
}

func (d *demo) revocation() {
	d.heading("3. Revocation: the API refuses the token long before its expiry")
	before := d.srv.Counters()
	d.srv.RevokeAccessTokens()
	took := d.get("/videos")
	c := d.srv.Counters()
	d.result(c.Authorized > before.Authorized, "401s: %d, renewals: %d, and the request was sent again: served in %v",
		c.Unauthorized-before.Unauthorized, c.Refreshed-before.Refreshed, rounded(took))
}

func (d *demo) endedRefreshToken(src *apivideo.Source) {
	d.heading("4. The refresh token is ended by another program with the same key")
	before := d.srv.Counters()
	d.srv.EndRefreshToken()
	start := time.Now()
	_, err := src.Renew(d.ctx)
	took := time.Since(start)
	c := d.srv.Counters()
	d.get("/videos")
	d.result(err == nil, "refreshes refused: %d, exchanges of the API key instead: %d, new token after %v",
		c.Refused-before.Refused, c.Authenticated-before.Authenticated, rounded(took))
}

func (d *demo) redirect() {
	d.heading("5. A redirect to another host")
	resp, err := d.client.Get(d.srv.URL + "/elsewhere")
	d.count(err == nil)
	if err != nil {
		d.result(false, "%v", err)
		return
	}
	defer resp.Body.Close()
	tokens, err := io.ReadAll(resp.Body)
	d.result(err == nil && string(tokens) == "0", "followed to %s, which received this many tokens: %s", resp.Request.URL.Host, tokens)
}

func (d *demo) summary() error {
	c := d.srv.Counters()
	d.heading("Summary")
	d.line("requests made by the program  %5d", d.requests)
	d.line("  of which failed             %5d", d.failed)
	d.line("401s healed on the way        %5d", c.Unauthorized)
	d.line("auth calls                    %5d   (%d with the API key, %d refreshes, %d refused)",
		c.AuthCalls, c.Authenticated, c.Refreshed, c.Refused)
	fmt.Fprintf(d, "\nSet APIVIDEO_API_KEY to a sandbox key to list your own videos.\n")
	if d.failed > 0 {
		return fmt.Errorf("%d of %d requests failed", d.failed, d.requests)
	}
	return nil
}

// get makes a request and returns how long it took.
func (d *demo) get(path string) time.Duration {
	start := time.Now()
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.srv.URL+path, nil)
	if err != nil {
		d.count(false)
		return 0
	}
	resp, err := d.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	d.count(err == nil && resp.StatusCode == http.StatusOK)
	return time.Since(start)
}

func (d *demo) count(ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if !ok {
		d.failed++
	}
}

func maxOf(ds []time.Duration) (longest time.Duration) {
	for _, d := range ds {
		longest = max(longest, d)
	}
	return longest
}

// rounded is short to read: 312ms, 1.2ms.
func rounded(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
