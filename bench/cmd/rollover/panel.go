package main

import (
	"image/color"
	"slices"
	"time"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// slot is the time that one point of a curve stands for.
const slot = 250 * time.Millisecond

// The ends of the axes of latency.
const (
	leastLatency = 3 * time.Millisecond
	mostLatency  = 20 * time.Second
)

var (
	grey  = color.NRGBA{0x5c, 0x63, 0x70, 0xff}
	faint = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
	red   = color.NRGBA{0xc6, 0x1f, 0x2b, 0xff}
	pink  = color.NRGBA{0xf9, 0xdf, 0xe1, 0xff}
)

// pale is a tint of a colour, through which the grid and the outage show.
func pale(c color.NRGBA) color.NRGBA { return color.NRGBA{c.R, c.G, c.B, 0x55} }

// newPanel draws one run. All panels have the same scale of latency.
func newPanel(row, col int, r run) *plot.Plot {
	ph, hue := phases[col], subjects[row].hue
	p := plot.New()
	p.BackgroundColor = nil // the picture has one
	p.Title.Text, p.Title.Padding = r.title, 2
	p.Title.TextStyle.Color, p.Title.TextStyle.Font = hue, font.From(plot.DefaultFont, 10)
	p.Title.TextStyle.Font.Weight = xfont.WeightBold
	p.Y.Scale, p.Y.Min, p.Y.Max = plot.LogScale{}, leastLatency.Seconds(), mostLatency.Seconds()
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0.01, Label: "10 ms"}, {Value: 0.1, Label: "100 ms"}, {Value: 1, Label: "1 s"}, {Value: 10, Label: "10 s"}}
	p.X.Min, p.X.Max = 0, ph.length.Seconds()
	if p.X.Label.Text = ph.axis; row < len(subjects)-1 {
		p.X.Label.Text, p.X.Tick.Marker = "", plot.ConstantTicks{}
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: faint, Width: 0.75}
		a.Tick.LineStyle = a.LineStyle
		a.Label.TextStyle.Font, a.Tick.Label.Font = plot.DefaultFont, plot.DefaultFont
		a.Padding = 0
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal = 0, p.Y.LineStyle

	p.Add(area(box(ph.from, ph.to, p.Y.Min, p.Y.Max), pink), grid) // of no width without an outage
	outline, median, failures := curves(r.samples, ph.length)
	p.Add(area(outline, pale(hue)), line(median, hue))
	for _, at := range failures {
		p.Add(area(box(at-slot, at+slot, p.Y.Max/2, p.Y.Max), red))
	}
	return p
}

// curves returns the outline from the fastest to the slowest request of each
// slot, and the median. It also returns the slots in which a request failed. A
// slot in which no request began has no point.
func curves(samples []sample, length time.Duration) (outline, median plotter.XYs, failures []time.Duration) {
	in := make([][]sample, length/slot+1)
	for _, s := range samples {
		i := min(int(s.at/slot), len(in)-1)
		in[i] = append(in[i], s)
	}
	var fastest plotter.XYs
	for i, ss := range in {
		if len(ss) == 0 {
			continue
		}
		at := time.Duration(i) * slot
		x := (at + slot/2).Seconds()
		took, failed := latencies(ss)
		outline = append(outline, plotter.XY{X: x, Y: took.Quantile(1)})
		median = append(median, plotter.XY{X: x, Y: took.Quantile(0.5)})
		fastest = append(fastest, plotter.XY{X: x, Y: took.Quantile(0)})
		if failed > 0 {
			failures = append(failures, at)
		}
	}
	slices.Reverse(fastest)
	return append(outline, fastest...), median, failures
}

// box is the outline of a rectangle.
func box(from, to time.Duration, low, high float64) plotter.XYs {
	x0, x1 := from.Seconds(), to.Seconds()
	return plotter.XYs{{X: x0, Y: low}, {X: x1, Y: low}, {X: x1, Y: high}, {X: x0, Y: high}}
}

// area fills an outline. Without points it is only good for a legend.
func area(outline plotter.XYs, c color.Color) *plotter.Polygon {
	return &plotter.Polygon{XYs: []plotter.XYs{outline}, Color: c}
}

// line draws a curve. Without points it is only good for a legend.
func line(points plotter.XYs, c color.Color) *plotter.Line {
	return &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: c, Width: 1.25}}
}
