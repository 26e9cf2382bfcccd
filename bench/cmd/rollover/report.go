package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchunit"
)

// report prints a table for each phase. Failed requests count with the time
// that they took to fail.
func report(w io.Writer, runs [][]run) {
	for i, ph := range phases {
		fmt.Fprintf(w, "\n%s\n\n", ph.title)
		fmt.Fprintln(w, "| | p50 | p99 | p99.9 | slowest | p99.9 ÷ bare | failed | requests | auth calls |")
		fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
		bare := newSummary(runs[i][len(runs[i])-1].samples)
		for _, r := range runs[i] {
			s := newSummary(r.samples)
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.2f | %d | %d | %d |\n", r.title,
				short(s.quantile(0.5)), short(s.quantile(0.99)), short(s.quantile(0.999)), short(s.quantile(1)),
				float64(s.quantile(0.999))/float64(bare.quantile(0.999)), s.failed, len(r.samples), r.authCalls)
		}
	}
}

// summary is what some requests took, sorted.
type summary struct {
	took   []time.Duration
	failed int
}

func newSummary(samples []sample) summary {
	var s summary
	for _, one := range samples {
		s.took = append(s.took, one.took)
		if one.failed {
			s.failed++
		}
	}
	slices.Sort(s.took)
	return s
}

// quantile is the time that a share q of the requests took at most.
func (s summary) quantile(q float64) time.Duration {
	return s.took[max(int(math.Ceil(q*float64(len(s.took))))-1, 0)]
}

// short has four digits.
func short(d time.Duration) string { return benchunit.Scale(d.Seconds(), benchunit.Decimal) + "s" }
