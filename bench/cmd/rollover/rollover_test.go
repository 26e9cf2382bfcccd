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

// A second of the load, without a renewal.
func TestRolloverReportsAndDraws(t *testing.T) {
	var runs [][]run
	for range phases {
		got, err := measure(phase{lifetime: time.Hour, length: time.Second})
		require.NoError(t, err)
		for i, r := range got {
			assert.Equal(t, subjects[i].title, r.title)
			assert.Len(t, r.samples, 1000)
			took, failed := latencies(r.samples)
			assert.GreaterOrEqual(t, took.Quantile(0), apiLatency.Seconds())
			assert.Zero(t, failed)
			r.samples[0].failed = true
		}
		runs = append(runs, got)
	}
	var table bytes.Buffer
	report(&table, runs)
	assert.Regexp(t, `\| x/oauth2 \| [\d.]+ms .* \| 1 \| 1000 \| 0 \|`, table.String())
	name := filepath.Join(t.TempDir(), "plot.svg")
	require.NoError(t, paint(name, runs))
	svg, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.NotContains(t, string(svg), "NaN")
	assertTextFits(t, string(svg))
	const note = "Latency: a logarithmic scale from 3ms to 20s, without zero. The API takes 5ms to answer."
	assert.Contains(t, string(svg), note)
	published, err := os.ReadFile("../../rollover.svg")
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(published), note), "the published picture has no such note")
}

var textElement = regexp.MustCompile(`(?s)<text x="([\d.]+)" y="(-[\d.]+)".*?font-size:(\d+)px.*?>(.*?)</text>`)

// assertTextFits checks that no text leaves the picture or overlaps the next
// text in its line. The check assumes a font that is much wider than Arial.
func assertTextFits(t *testing.T, svg string) {
	ends := map[string]float64{} // of the last text, by line
	number := func(s string) float64 { f, _ := strconv.ParseFloat(s, 64); return f }
	texts := textElement.FindAllStringSubmatch(svg, -1)
	slices.SortFunc(texts, func(a, b []string) int { return cmp.Compare(number(a[1]), number(b[1])) })
	assert.Len(t, texts, strings.Count(svg, "<text"))
	for _, m := range texts {
		start := number(m[1])
		assert.LessOrEqual(t, ends[m[2]], start, "what stands before %q", m[4])
		ends[m[2]] = start + 0.68*number(m[3])*float64(len(m[4]))
		assert.LessOrEqual(t, ends[m[2]], float64(width), "%q", m[4])
	}
}
