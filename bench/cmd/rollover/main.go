// Rollover shows how renewals and an outage of the auth service change the time
// that requests take. It drives this library and its peers side by side under a
// steady load, prints their latencies, and draws them.
//
//	go run ./cmd/rollover
//
// Run it in the module's folder, on an idle machine. It takes a minute and a
// half. The lifetimes of tokens and the outage are scaled: an hour is 36
// seconds. The time of an auth call is not scaled. The API has no network and
// takes 5 milliseconds.
package main

import (
	"fmt"
	"image/color"
	"io"
	"log"
	"os"
	"time"

	"github.com/apivideo/api.video-go-oauth2/bench"
	"golang.org/x/perf/benchunit"
)

// phase is a part of the experiment, with its own tokens.
type phase struct {
	title, axis string
	lifetime    time.Duration // of the tokens
	length      time.Duration
	from, to    time.Duration // the outage; both 0: none
}

// phases are those of the plot, from left to right.
//
// In the first, package oauth2 renews every 6 seconds, always 10 seconds early,
// and the others every 12. In the second, every library would renew during the
// outage: an outage without a renewal changes nothing.
//
// Two things do not scale. Package oauth2 stays 10 seconds early, so it meets the
// outage sooner. This library leaves the last tenth of a token unused; of an
// hour it would be the last 10 seconds.
var phases = []phase{
	{title: "Renewals", axis: "seconds", lifetime: 16 * time.Second, length: 42 * time.Second},
	{
		title: "Auth service down for 10 minutes", axis: "seconds; 36 stand for an hour",
		lifetime: 36 * time.Second, length: 42 * time.Second, from: 24 * time.Second, to: 30 * time.Second,
	},
}

// subjects are the peers under load, from top to bottom.
var subjects = []struct {
	by, title string
	hue       color.NRGBA
}{
	{bench.Apivideo, "apivideo", color.NRGBA{0x08, 0x7f, 0x5b, 0xff}},
	{bench.OAuth2, "x/oauth2", color.NRGBA{0xd9, 0x48, 0x0f, 0xff}},
	{bench.CloudAuth, "cloud.google.com/go/auth", color.NRGBA{0x1c, 0x5f, 0xc4, 0xff}},
	{bench.Bare, "bare client, no authorization", grey},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("rollover: ")
	runs := make([][]run, len(phases))
	for i, ph := range phases {
		log.Printf("%s: %v", ph.title, ph.length)
		var err error
		if runs[i], err = measure(ph); err != nil {
			log.Fatal(err)
		}
	}
	report(os.Stdout, runs)
	if err := paint("rollover.svg", runs); err != nil {
		log.Fatal(err)
	}
}

// report prints a table for each phase. Failed requests count with the time
// that they took to fail.
func report(w io.Writer, runs [][]run) {
	for i, ph := range phases {
		fmt.Fprintf(w, "\n%s\n\n", ph.title)
		fmt.Fprintln(w, "| | p50 | p99 | p99.9 | slowest | p99.9 ÷ bare | failed | requests | auth calls |")
		fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
		bare, _ := latencies(runs[i][len(runs[i])-1].samples)
		for _, r := range runs[i] {
			took, failed := latencies(r.samples)
			fmt.Fprintf(w, "| %s |", r.title)
			for _, q := range []float64{0.5, 0.99, 0.999, 1} {
				fmt.Fprintf(w, " %ss |", benchunit.Scale(took.Quantile(q), benchunit.Decimal))
			}
			fmt.Fprintf(w, " %.2f | %d | %d | %d |\n", took.Quantile(0.999)/bare.Quantile(0.999), failed, len(r.samples), r.authCalls)
		}
	}
}
