package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/bench"
)

// load is a steady one, the same for every peer.
type load struct {
	workers  int
	interval time.Duration // between the requests of one worker
	api      time.Duration // to answer a request
}

// sample is one request.
type sample struct {
	at     time.Duration // since the start of the phase
	took   time.Duration
	failed bool
}

// run is what one peer went through in one phase.
type run struct {
	title     string
	samples   []sample
	authCalls int64 // after the first, which got the token to start with
}

// measure drives all peers at once through a phase.
func measure(ph phase, l load) ([]run, error) {
	var down atomic.Bool
	services := make([]*bench.Service, len(subjects))
	tripper := make([]http.RoundTripper, len(subjects))
	for i, s := range subjects {
		services[i] = &bench.Service{Lifetime: ph.lifetime, Latency: authLatency, Down: down.Load}
		var err error
		if tripper[i], err = peer(s.by, bench.Options{
			Service: services[i], Base: api{l.api},
			ExpireEarly: ph.lifetime / 4, // as early as this library
		}); err != nil {
			return nil, err
		}
	}
	if err := warm(tripper); err != nil {
		return nil, err
	}
	time.AfterFunc(ph.from, func() { down.Store(ph.to > ph.from) })
	time.AfterFunc(ph.to, func() { down.Store(false) })
	start := time.Now()
	runs := make([]run, len(subjects))
	var wg sync.WaitGroup
	for i, s := range subjects {
		wg.Go(func() {
			samples := drive(tripper[i], start, ph.length, l)
			runs[i] = run{s.title, samples, max(services[i].Calls()-1, 0)}
		})
	}
	wg.Wait()
	return runs, nil
}

// peer returns the RoundTripper of this name.
func peer(by string, o bench.Options) (http.RoundTripper, error) {
	for _, p := range bench.Peers() {
		if p.Name == by {
			return p.New(o)
		}
	}
	panic("no peer " + by)
}

// warm makes the first request of each, all at once: their tokens are of one
// age then.
func warm(tripper []http.RoundTripper) error {
	errs := make(chan error, len(tripper))
	for _, rt := range tripper {
		go func() {
			_, err := rt.RoundTrip(newRequest())
			errs <- err
		}()
	}
	for range tripper {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// drive makes requests for as long as length. A request that is held up
// holds up no other: each has a goroutine of its own, so that every one
// starts when it is due.
func drive(rt http.RoundTripper, start time.Time, length time.Duration, l load) []sample {
	each := int(length / l.interval)
	samples := make([]sample, l.workers*each)
	var wg sync.WaitGroup
	for w := range l.workers {
		wg.Go(func() {
			due := start.Add(l.interval * time.Duration(w) / time.Duration(l.workers))
			for i := range each {
				time.Sleep(time.Until(due))
				due = due.Add(l.interval)
				wg.Go(func() { samples[w*each+i] = request(rt, start) })
			}
		})
	}
	wg.Wait()
	return samples
}

// request makes one request.
func request(rt http.RoundTripper, start time.Time) sample {
	req := newRequest()
	began := time.Now()
	resp, err := rt.RoundTrip(req)
	took := time.Since(began)
	if err == nil {
		resp.Body.Close()
	}
	return sample{at: began.Sub(start), took: took, failed: err != nil}
}

func newRequest() *http.Request {
	req, err := http.NewRequest("GET", apivideo.ProductionURL+"/videos", nil)
	if err != nil {
		panic(err) // of the URL, which is a constant
	}
	return req
}

// api answers every request, after a while and without a network.
type api struct{ latency time.Duration }

func (a api) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.latency > 0 {
		time.Sleep(a.latency)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
