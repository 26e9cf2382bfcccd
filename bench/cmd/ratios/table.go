package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/bench"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// rows are the lines of the table: a benchmark, and what is told of it.
var rows = []struct{ title, benchmark, unit string }{
	{"request without a network, 1 goroutine", "RoundTrip/goroutines=1", "sec/op"},
	{"the same, 128 goroutines", "RoundTrip/goroutines=128", "sec/op"},
	{"its allocations", "RoundTrip/goroutines=1", "allocs/op"},
	{"its bytes", "RoundTrip/goroutines=1", "B/op"},
	{"a copy of the token, 1 goroutine", "Token/goroutines=1", "sec/op"},
	{"the same, 128 goroutines", "Token/goroutines=128", "sec/op"},
	{"its allocations", "Token/goroutines=1", "allocs/op"},
	{"request over loopback, HTTP/1.1 and TLS", "Loopback/proto=HTTP1.1", "sec/op"},
	{"the same, HTTP/2", "Loopback/proto=HTTP2.0", "sec/op"},
	{"a 401, a new token, the request again", "Replay", "sec/op"},
	{"cold start", "Store/op=alone", "sec/op"},
	{"the same, sealing the token for a `Store`", "Store/op=seal", "sec/op"},
	{"the same, opening a token from a `Store`", "Store/op=open", "sec/op"},
	{"idle source with its tokens", "IdleSources", "B/source"},
	{"goroutines of all idle sources", "IdleSources", "goroutines"},
}

// others are those that this library is divided by, and their headings.
var others = []struct{ by, title string }{
	{bench.OAuth2, "x/oauth2"},
	{bench.CloudAuth, "cloud auth"},
	{bench.Limit, "limit"},
	{bench.Bare, "bare"},
}

// measure is one quantity of one benchmark of one peer.
type measure struct{ benchmark, by, unit string }

// tabulate reads the output of go test and writes the table.
func tabulate(w io.Writer, results io.Reader) error {
	samples, err := collect(results)
	if err != nil {
		return err
	}
	fmt.Fprint(w, "| |")
	for _, o := range others[:3] {
		fmt.Fprintf(w, " ÷ %s |", o.title)
	}
	fmt.Fprint(w, " apivideo |")
	for _, o := range others {
		fmt.Fprintf(w, " %s |", o.title)
	}
	fmt.Fprint(w, "\n|---|"+strings.Repeat("---:|", 2*len(others))+"\n")
	for _, r := range rows {
		if _, ok := samples[measure{r.benchmark, bench.Apivideo, r.unit}]; ok {
			fmt.Fprint(w, "| "+r.title+" |"+cells(samples, r.benchmark, r.unit)+"\n")
		}
	}
	return nil
}

// collect sorts the measured values.
func collect(results io.Reader) (map[measure][]float64, error) {
	samples := map[measure][]float64{}
	r := benchfmt.NewReader(results, "results")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			benchmark, by := split(rec.Name)
			for _, v := range rec.Values {
				m := measure{benchmark, by, v.Unit}
				samples[m] = append(samples[m], v.Value)
			}
		}
	}
	return samples, r.Err()
}

// split takes the peer out of a benchmark's name, and leaves the number of
// processors away.
func split(name benchfmt.Name) (benchmark, by string) {
	base, parts := name.Parts()
	benchmark = string(base)
	for _, part := range parts {
		if value, ok := strings.CutPrefix(string(part), "/by="); ok {
			by = value
		} else if part[0] == '/' {
			benchmark += string(part)
		}
	}
	return benchmark, by
}

// cells are the ratios of a row, and what they were made of.
func cells(samples map[measure][]float64, benchmark, unit string) string {
	var ratios, values strings.Builder
	ours := median(samples[measure{benchmark, bench.Apivideo, unit}])
	fmt.Fprintf(&values, " %s |", format(ours, unit))
	for i, o := range others {
		ratio, value := "", ""
		if v, ok := samples[measure{benchmark, o.by, unit}]; ok {
			theirs := median(v)
			value = format(theirs, unit)
			if theirs.Center > 0 {
				ratio = fmt.Sprintf("**%.2f**", ours.Center/theirs.Center)
			}
		}
		if i < 3 {
			fmt.Fprintf(&ratios, " %s |", ratio)
		}
		fmt.Fprintf(&values, " %s |", value)
	}
	return ratios.String() + values.String()
}

func median(values []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
}

// format writes a median, and for a time how far it is to be trusted.
func format(s benchmath.Summary, unit string) string {
	switch unit {
	case "sec/op":
		return duration(s.Center) + " ±" + strings.ReplaceAll(s.PctRangeString(), "%", " %")
	case "B/op", "B/source":
		return fmt.Sprintf("%.0f B", s.Center)
	}
	return fmt.Sprintf("%.0f", s.Center)
}

// duration has three digits, unlike that of package time.
func duration(seconds float64) string {
	for _, u := range []struct {
		name string
		per  float64
	}{{"s", 1}, {"ms", 1e3}, {"µs", 1e6}} {
		if v := seconds * u.per; v >= 1 {
			return fmt.Sprintf("%.3g %s", v, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", seconds*1e9)
}
