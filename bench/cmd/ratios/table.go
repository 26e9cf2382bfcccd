package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/bench"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// rows are the lines of the table: a benchmark, and the unit to show.
var rows = []struct{ title, benchmark, unit string }{
	{"request without a network, 1 goroutine", "RoundTrip/goroutines=1", "sec/op"},
	{"the same, 128 goroutines", "RoundTrip/goroutines=128", "sec/op"},
	{"its allocations", "RoundTrip/goroutines=1", "allocs/op"},
	{"its bytes", "RoundTrip/goroutines=1", "B/op"},
	{"POST with a body in memory, 1 goroutine", "Post/goroutines=1", "sec/op"},
	{"its allocations", "Post/goroutines=1", "allocs/op"},
	{"its bytes", "Post/goroutines=1", "B/op"},
	{"`TokenContext`, with x/oauth2 `ReuseTokenSource`, 1 goroutine", "Token/goroutines=1", "sec/op"},
	{"the same, 128 goroutines", "Token/goroutines=128", "sec/op"},
	{"its allocations, 1 goroutine", "Token/goroutines=1", "allocs/op"},
	{"its allocations, 128 goroutines", "Token/goroutines=128", "allocs/op"},
	{"request over loopback, HTTP/1.1 and TLS", "Loopback/proto=HTTP1.1", "sec/op"},
	{"the same, HTTP/2", "Loopback/proto=HTTP2.0", "sec/op"},
	{"a 401, a new token, the request again", "Replay", "sec/op"},
	{"cold start", "Store/op=none", "sec/op"},
	{"the same, sealing the token for a `Store`", "Store/op=seal", "sec/op"},
	{"the same, opening a token from a `Store`", "Store/op=open", "sec/op"},
	{"idle source with its tokens", "IdleSources", "B/source"},
}

// others are the peers, and their headings.
var others = []struct{ by, title string }{
	{bench.OAuth2, "x/oauth2"},
	{bench.CloudAuth, "cloud auth"},
	{bench.Limit, "limit"},
	{bench.Bare, "bare"}, // only to subtract: its ratio says nothing
}

// measure is one quantity of one benchmark of one peer.
type measure struct{ benchmark, by, unit string }

// tabulate reads the output of go test and writes the table.
func tabulate(w io.Writer, results io.Reader) error {
	samples, err := collect(results)
	if err != nil {
		return err
	}
	ratios, values := "| |", " apivideo |"
	for _, o := range others {
		if o.by != bench.Bare {
			ratios += " ÷ " + o.title + " |"
		}
		values += " " + o.title + " |"
	}
	fmt.Fprintf(w, "%s%s\n|---|%s\n", ratios, values, strings.Repeat("---:|", 2*len(others)))
	for _, r := range rows {
		ours, ok := samples[measure{r.benchmark, bench.Apivideo, r.unit}]
		if !ok {
			continue
		}
		ratios, values := "| "+r.title+" |", " "+format(ours, r.unit)+" |"
		for _, o := range others {
			theirs := samples[measure{r.benchmark, o.by, r.unit}]
			if o.by != bench.Bare {
				ratios += " " + ratio(ours, theirs) + " |"
			}
			values += " " + format(theirs, r.unit) + " |"
		}
		fmt.Fprintf(w, "%s%s\n", ratios, values)
	}
	return nil
}

// collect sorts the measured values. A benchmark's name ends in the peer and the
// number of processors.
func collect(results io.Reader) (map[measure][]float64, error) {
	samples := map[measure][]float64{}
	r := benchfmt.NewReader(results, "results")
	for r.Scan() {
		rec, ok := r.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		benchmark, by, _ := strings.Cut(rec.Name.String(), "/by=")
		by, _, _ = strings.Cut(by, "-")
		for _, v := range rec.Values {
			m := measure{benchmark, by, v.Unit}
			samples[m] = append(samples[m], v.Value)
		}
	}
	return samples, r.Err()
}

// ratio is the median of the ratios of each run: what disturbs one run disturbs
// both sides. It is empty where there is nothing to divide by.
func ratio(ours, theirs []float64) string {
	var each []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			each = append(each, ours[i]/theirs[i])
		}
	}
	if len(each) == 0 {
		return ""
	}
	return fmt.Sprintf("**%.2f**", median(each).Center)
}

func median(values []float64) benchmath.Summary {
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds) // it sorts
	return benchmath.AssumeNothing.Summary(sample, 0.95)
}

// format writes a median, and for a time its range.
func format(values []float64, unit string) string {
	if len(values) == 0 {
		return ""
	}
	s := median(values)
	switch unit {
	case "sec/op":
		return benchunit.Scale(s.Center, benchunit.Decimal) + "s ±" + s.PctRangeString()
	case "allocs/op":
		return fmt.Sprintf("%.3g", s.Center)
	}
	return fmt.Sprintf("%.0f B", s.Center)
}
