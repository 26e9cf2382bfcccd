package scorecard

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// Result is what a peer did in a situation.
type Result struct {
	Holds  bool   `json:"holds"`
	Failed int    `json:"failed"` // requests
	Calls  int    `json:"calls"`  // auth calls
	Note   string `json:"note,omitempty"`
}

// world is a peer with a service in memory. Its one program makes a request at a
// time.
type world struct {
	peer    Peer
	client  Doer
	server  *apivideotest.Server
	url     string            // of the API
	service http.RoundTripper // in the peer's protocol

	// atAuth answers auth calls, in the peer's protocol, in place of the service.
	// It returns nil, nil for those that it leaves to the service.
	atAuth func(*http.Request) (*http.Response, error)

	began   time.Time
	calls   atomic.Int64
	failed  int
	slowest time.Duration
	lastErr error
	note    string

	mu     sync.Mutex
	leaked []string // what other hosts received: the headers and the body
}

func newWorld(t *testing.T, p Peer) *world {
	w := &world{peer: p, server: apivideotest.NewUnstartedServer(), began: time.Now()}
	w.url = w.server.URL
	w.server.SetAuthLatency(100 * time.Millisecond)
	w.service = p.Speak(w.server.Transport())
	w.client = mustClient(t, p, w.setup())
	return w
}

func (w *world) setup() Setup {
	conf := w.server.Config()
	return Setup{BaseURL: conf.BaseURL, Key: conf.APIKey, Base: w, Auth: w}
}

func mustClient(t *testing.T, p Peer, s Setup) Doer {
	t.Helper()
	client, err := p.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// virtual plays a situation in virtual time.
func virtual(play func(*testing.T, *world) bool) func(*testing.T, Peer) Result {
	return func(t *testing.T, p Peer) (r Result) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, p)
			holds := play(t, w)
			r = Result{Holds: holds, Failed: w.failed, Calls: int(w.calls.Load()), Note: w.note}
			time.Sleep(5 * time.Minute) // a bubble ends when all its goroutines have
		})
		return r
	}
}

// each plays a situation once for each of the starts, and adds the results up.
func each(starts []time.Duration, play func(*world, time.Duration) bool) func(*testing.T, Peer) Result {
	return func(t *testing.T, p Peer) Result {
		sum := Result{Holds: true}
		for _, start := range starts {
			r := virtual(func(_ *testing.T, w *world) bool { return play(w, start) })(t, p)
			sum = Result{Holds: sum.Holds && r.Holds, Failed: sum.Failed + r.Failed, Calls: sum.Calls + r.Calls}
		}
		return sum
	}
}

// RoundTrip is the network.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	if "https://"+req.URL.Host != w.url {
		return w.other(req)
	}
	if req.URL.Path == "/moved" {
		return answer(req, http.StatusFound, "", http.Header{"Location": {elsewhere}}), nil
	}
	if !strings.HasPrefix(req.URL.Path, "/auth/") {
		return w.service.RoundTrip(req)
	}
	w.calls.Add(1)
	if w.atAuth != nil {
		if resp, err := w.atAuth(req); resp != nil || err != nil {
			return resp, err
		}
	}
	return w.service.RoundTrip(req)
}

const elsewhere = "https://other.example/collect"

// other is every other host.
func (w *world) other(req *http.Request) (*http.Response, error) {
	received := said(req)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaked = append(w.leaked, received)
	return answer(req, http.StatusOK, "{}", nil), nil
}

// said is what a request shows to its receiver.
func said(req *http.Request) string {
	var b strings.Builder
	req.Header.Write(&b)
	if _, secret, ok := req.BasicAuth(); ok {
		b.WriteString(secret + "\r\n")
	}
	if req.Body != nil {
		io.Copy(&b, req.Body)
		req.Body.Close()
	}
	return b.String()
}

// credential is the secret of an auth call, of which said is all: the API key,
// or what was signed in its place.
func (w *world) credential(said string) string {
	if key := w.server.Config().APIKey; strings.Contains(said, key) {
		return key
	}
	form, err := url.ParseQuery(said[strings.LastIndex(said, "\n")+1:])
	if err != nil {
		return ""
	}
	return form.Get("assertion")
}

func answer(req *http.Request, status int, body string, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// patience is the time limit of a request, unless a situation sets another one.
const patience = 30 * time.Second

// visit makes a request and reports whether it was served in time.
func (w *world) visit(path string) bool { return w.visitWithin(path, patience) }

func (w *world) visitWithin(path string, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+path, nil)
	if err != nil {
		panic(err)
	}
	return w.send(req)
}

func (w *world) send(req *http.Request) bool {
	start := time.Now()
	resp, err := w.do(req)
	w.slowest = max(w.slowest, time.Since(start))
	w.lastErr = err
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			w.lastErr = fmt.Errorf("status %d", resp.StatusCode)
		}
	}
	if w.lastErr != nil {
		w.failed++
	}
	return w.lastErr == nil
}

// do sends req. A panic ends only the request, as in a handler of net/http.
func (w *world) do(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.client.Do(req)
}

// The pauses between requests. No request falls on the moment when a token
// expires, where libraries and service might disagree.
const (
	pause      = 9700 * time.Millisecond
	shortPause = 2900 * time.Millisecond
)

// visits makes requests until so long after the start of the world, with a pause
// between them.
func (w *world) visits(until, pause, limit time.Duration) {
	for time.Since(w.began) < until {
		w.visitWithin("/videos", limit)
		time.Sleep(pause)
	}
}

// during returns an atAuth that lets f answer in a span of the world's time.
func (w *world) during(from, until time.Duration, f func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		if age := time.Since(w.began); age < from || age >= until {
			return nil, nil
		}
		return f(req)
	}
}

// unavailable is an auth service behind a CDN, while it is down.
func unavailable(req *http.Request) (*http.Response, error) {
	return answer(req, http.StatusServiceUnavailable, "<html>Service Unavailable</html>", http.Header{"Content-Type": {"text/html"}}), nil
}

// hang never answers.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}
