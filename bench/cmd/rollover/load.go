package main

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/bench"
)

// load is the same for every peer, and does not change while it lasts.
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

// run is one peer in one phase.
type run struct {
	title     string
	samples   []sample
	authCalls int64 // without the first, which gets the token to start with
}

// measure drives all peers at once through a phase.
func measure(ph phase, l load) ([]run, error) {
	var down atomic.Bool
	services := make([]*bench.Service, len(subjects))
	trippers := make([]http.RoundTripper, len(subjects))
	for i, s := range subjects {
		services[i] = &bench.Service{Lifetime: ph.lifetime, Latency: authLatency, Down: down.Load}
		var err error
		if trippers[i], err = bench.NewTransport(s.by, bench.Options{
			Service: services[i], Base: api{l.api},
			ExpireEarly: ph.lifetime / 4, // as early as this library
		}); err != nil {
			return nil, err
		}
	}
	// The first requests come at once, so that all tokens have one age.
	var wg sync.WaitGroup
	errs := make([]error, len(trippers))
	for i, rt := range trippers {
		wg.Go(func() { _, errs[i] = rt.RoundTrip(newRequest()) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	time.AfterFunc(ph.from, func() { down.Store(ph.to > ph.from) })
	time.AfterFunc(ph.to, func() { down.Store(false) })
	start := time.Now()
	runs := make([]run, len(subjects))
	for i, s := range subjects {
		wg.Go(func() {
			samples := drive(trippers[i], start, ph.length, l)
			runs[i] = run{s.title, samples, max(services[i].Calls()-1, 0)}
		})
	}
	wg.Wait()
	return runs, nil
}

// drive makes requests for as long as length. Each has its own goroutine, so
// that all start when they are due, however long others take.
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
		panic(err) // the URL is a constant
	}
	return req
}

// api answers every request after its latency, without a network.
type api struct{ latency time.Duration }

func (a api) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(a.latency)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
