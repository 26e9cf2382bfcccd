package main

import (
	"bytes"
	"os"
	"path/filepath"
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

// A moment of the load, with no renewal in it: the table and the plot are made
// of what it measured.
func TestWhatIsMeasuredIsReportedAndDrawn(t *testing.T) {
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
	assert.Contains(t, string(svg), "x/oauth2")
	assert.NotContains(t, string(svg), "NaN")
}
