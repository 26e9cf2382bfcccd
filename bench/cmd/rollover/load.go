package main

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aclements/go-moremath/stats"
	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/bench"
)

const (
	authLatency = 500 * time.Millisecond // of every auth call
	apiLatency  = 5 * time.Millisecond   // of every answer of the API
	interval    = time.Millisecond       // between the requests of one library
)

// sample is one request.
type sample struct {
	at, took time.Duration // since the start of the phase; to the answer
	failed   bool
}

// run is one peer in one phase.
type run struct {
	title     string
	samples   []sample
	authCalls int64 // without the first, which gets the token to start with
}

// latencies are those of all requests, in seconds, and how many failed.
func latencies(samples []sample) (took stats.Sample, failed int) {
	for _, s := range samples {
		took.Xs = append(took.Xs, s.took.Seconds())
		if s.failed {
			failed++
		}
	}
	return *took.Sort(), failed
}

// measure drives all peers at once through a phase.
func measure(ph phase) ([]run, error) {
	var down atomic.Bool
	var wg sync.WaitGroup
	services := make([]bench.Service, len(subjects))
	trippers := make([]http.RoundTripper, len(subjects))
	errs := make([]error, len(subjects))
	for i, s := range subjects {
		services[i].Lifetime, services[i].Latency, services[i].Down = ph.lifetime, authLatency, down.Load
		o := bench.Options{Service: &services[i], Base: api{}, ExpireEarly: ph.lifetime / 4} // as early as this library
		wg.Go(func() {
			if trippers[i], errs[i] = bench.NewTransport(s.by, o); errs[i] == nil {
				_, errs[i] = trippers[i].RoundTrip(newRequest()) // now, so that all tokens have one age
			}
		})
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
			samples := drive(trippers[i], start, ph.length)
			runs[i] = run{s.title, samples, max(services[i].Calls()-1, 0)}
		})
	}
	wg.Wait()
	return runs, nil
}

// drive makes requests for as long as length. Each has its own goroutine, so
// that all start when they are due, however long others take.
func drive(rt http.RoundTripper, start time.Time, length time.Duration) []sample {
	samples := make([]sample, length/interval)
	var wg sync.WaitGroup
	for i := range samples {
		time.Sleep(time.Until(start.Add(interval * time.Duration(i))))
		wg.Go(func() {
			req, began := newRequest(), time.Now()
			resp, err := rt.RoundTrip(req)
			samples[i] = sample{at: began.Sub(start), took: time.Since(began), failed: err != nil}
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	return samples
}

func newRequest() *http.Request {
	req, _ := http.NewRequest("GET", apivideo.ProductionURL+"/videos", nil) // of constants
	return req
}

// api answers every request, without a network.
type api struct{}

func (api) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(apiLatency)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
