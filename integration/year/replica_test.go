package year_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/apivideo/api.video-go-oauth2"
	"golang.org/x/oauth2"
)

// replica is one of the programs of a fleet, through all its restarts.
type replica struct {
	*world
	number  int
	ahead   time.Duration // of its clock
	random  *rand.Rand
	started int
	process atomic.Pointer[process]
}

// process is a replica from one start to the next.
type process struct {
	witness *witness
	source  *apivideo.Source
	api     *apivideo.Transport
	end     context.CancelFunc
}

// start begins a process. Some of those before end, and some are only dropped.
func (r *replica) start() {
	r.started++
	w := &witness{ledger: r.ledger, name: fmt.Sprintf("replica %d, start %d", r.number, r.started), views: make(map[string]*view)}
	ctx, cancel := context.WithCancel(context.WithValue(r.ctx, oauth2.HTTPClient, &http.Client{Transport: authCalls{w, r.server.Transport()}}))
	conf := *r.config
	c := &clock{store: r.shared, seal: r.seal, witness: w, ahead: r.ahead}
	r.stores = append(r.stores, weak.Make(c))
	conf.Store = c
	p := &process{witness: w, source: conf.Source(ctx), end: cancel}
	p.api = &apivideo.Transport{Source: p.source, Base: apiCalls{w, r.server.Transport()}}
	if before := r.process.Swap(p); before != nil && r.started%2 == 0 {
		before.witness.note(func() { before.witness.ended = true })
		before.end()
	}
}

// run makes requests until the end: some within a minute, and after a pause,
// which is short or long by the hours that the replica keeps, some again.
func (r *replica) run() {
	for r.sleep(r.pause()) {
		for range 1 + r.random.IntN(5) {
			r.burst()
			if !r.sleep(time.Duration(r.random.Int64N(int64(20 * time.Second)))) {
				return
			}
		}
	}
}

// burst makes one request, or a few that overlap if they must wait.
func (r *replica) burst() {
	p := r.process.Load()
	var requests sync.WaitGroup
	for i := range max(1, r.random.IntN(8)-3) {
		limit := r.limit()
		requests.Go(func() {
			time.Sleep(time.Duration(i/2) * 20 * time.Millisecond)
			p.request(r.ctx, r.videos, limit)
		})
	}
	if r.random.IntN(20) == 0 { // and one that is tried again if it fails, and again
		pause := []time.Duration{50 * time.Millisecond, time.Second}[r.random.IntN(2)]
		for range 50 {
			if p.request(r.ctx, r.videos, 0) {
				break
			}
			time.Sleep(pause)
		}
	}
	requests.Wait()
}

// limit is how long a request may take, 0 if that does not matter.
func (r *replica) limit() time.Duration {
	if r.random.IntN(8) == 0 {
		return 2 * time.Second
	}
	return 0
}

// pause is how long it is until the next request. The pace of a replica
// changes from week to week.
func (r *replica) pause() time.Duration {
	week := int(time.Since(r.began) / (7 * 24 * time.Hour))
	slower := []float64{0.2, 1, 4, 20, 100}[(r.number+week)%5]
	return time.Duration(r.random.ExpFloat64() * slower * float64(r.pace))
}

// attemptKey is that of the attempt in the context of a request.
type attemptKey struct{}

// request makes one, has the witness check it, and reports whether there was
// an answer.
func (p *process) request(ctx context.Context, address *url.URL, limit time.Duration) bool {
	a := p.witness.begins(limit)
	ctx = context.WithValue(ctx, attemptKey{}, a)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	req := &http.Request{Method: http.MethodGet, URL: address, Header: make(http.Header)}
	resp, err := p.api.RoundTrip(req.WithContext(ctx))
	if err != nil {
		p.witness.ends(a, 0, err)
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	p.witness.ends(a, resp.StatusCode, err)
	return true
}

// apiCalls shows the requests to the API to the witness.
type apiCalls struct {
	witness *witness
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c apiCalls) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	c.witness.sent(req.Context().Value(attemptKey{}).(*attempt), token, resp.StatusCode)
	return resp, nil
}

// authCalls shows the auth calls to the witness.
type authCalls struct {
	witness *witness
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c authCalls) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := c.base.RoundTrip(req)
	if err != nil {
		c.witness.called(req.URL.Path, began, 0, "")
		return nil, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusOK && json.Unmarshal(body, &answer) != nil {
		c.witness.wrong("an answer that is no JSON")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	c.witness.called(req.URL.Path, began, resp.StatusCode, answer.AccessToken)
	return resp, err
}
