package scorecard

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

var costLines = []line{{
	name:  "allocations",
	story: "A program makes requests with a token.",
	holds: "the token costs 4 allocations a request or fewer, as many as a transport that only sets a header",
	fits:  ownSend,
	alone: true,
	run:   allocations,
}}

func allocations(t *testing.T, p Peer) Result {
	w := newWorld(t, p)
	setup := w.setup()
	setup.Base = still{}
	w.client = mustClient(t, p, setup)
	added := allocationsOf(t, w.client) - allocationsOf(t, p.Bare(setup))
	return Result{Holds: added <= 4, Calls: int(w.calls.Load()), Note: fmt.Sprintf("%.0f allocations", added)}
}

// allocationsOf returns the allocations of a request. Other goroutines of the
// process can only add to them.
func allocationsOf(t *testing.T, client Doer) float64 {
	least := testing.AllocsPerRun(1, func() { get(t, client) })
	for range 5 {
		least = min(least, testing.AllocsPerRun(100, func() { get(t, client) }))
	}
	return least
}

func get(t *testing.T, client Doer) {
	req, err := http.NewRequest("GET", "https://apivideotest.invalid/videos", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// still is a network that answers at once.
type still struct{}

func (still) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}
