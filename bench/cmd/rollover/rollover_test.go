package main

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	var samples []sample
	for i := range 1000 {
		samples = append(samples, sample{took: time.Duration(1000 - i), failed: i < 3})
	}
	s := newSummary(samples)
	assert.EqualValues(t, []time.Duration{1, 500, 990, 999, 1000},
		[]time.Duration{s.quantile(0), s.quantile(0.5), s.quantile(0.99), s.quantile(0.999), s.quantile(1)})
	assert.Equal(t, 3, s.failed)
}

// A second of the load, without a renewal.
func TestRolloverReportsAndDraws(t *testing.T) {
	var runs [][]run
	for _, ph := range phases {
		brief := phase{title: ph.title, lifetime: time.Hour, length: time.Second}
		got, err := measure(brief, load{workers: 2, interval: 50 * time.Millisecond})
		require.NoError(t, err)
		for i, r := range got {
			assert.Equal(t, subjects[i].title, r.title)
			assert.Len(t, r.samples, 40)
			for _, s := range r.samples {
				assert.False(t, s.failed)
				assert.Positive(t, s.took)
			}
		}
		runs = append(runs, got)
	}
	var table bytes.Buffer
	report(&table, runs)
	assert.Contains(t, table.String(), "| x/oauth2 |")
	name := filepath.Join(t.TempDir(), "plot.svg")
	require.NoError(t, paint(name, runs))
	svg, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.NotContains(t, string(svg), "NaN")
	assertTextFits(t, string(svg))
}

var textElement = regexp.MustCompile(`(?s)<text x="([\d.]+)" y="(-[\d.]+)".*?font-size:(\d+)px.*?>(.*?)</text>`)

// assertTextFits checks that no text leaves the picture or meets the next one in
// its line, in a font much wider than Arial.
func assertTextFits(t *testing.T, svg string) {
	ends := map[string]float64{} // of the last text, by line
	texts := textElement.FindAllStringSubmatch(svg, -1)
	slices.SortFunc(texts, func(a, b []string) int { return cmp.Compare(number(t, a[1]), number(t, b[1])) })
	assert.Len(t, texts, strings.Count(svg, "<text"))
	for _, m := range texts {
		start := number(t, m[1])
		assert.LessOrEqual(t, ends[m[2]], start, "what stands before %q", m[4])
		ends[m[2]] = start + 0.68*number(t, m[3])*float64(len(m[4]))
		assert.LessOrEqual(t, ends[m[2]], float64(width), "%q", m[4])
	}
}

func number(t *testing.T, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return f
}
