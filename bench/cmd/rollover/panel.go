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

// hues are the colours of the libraries. Their rows tell them apart, too.
var hues = []color.NRGBA{
	{0x08, 0x7f, 0x5b, 0xff},
	{0xd9, 0x48, 0x0f, 0xff},
	{0x1c, 0x5f, 0xc4, 0xff},
	{0x5c, 0x63, 0x70, 0xff},
}

var (
	faint  = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
	failed = color.NRGBA{0xc6, 0x1f, 0x2b, 0xff}
	outage = color.NRGBA{0xf9, 0xdf, 0xe1, 0xff}
)

// pale is a light tint of a colour. It is opaque, to look the same over the
// outage.
func pale(c color.NRGBA) color.NRGBA {
	tint := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.NRGBA{tint(c.R), tint(c.G), tint(c.B), 0xff}
}

// newPanel draws one run. All panels have the same scale of latency.
func newPanel(row, col int, r run, low, high time.Duration) *plot.Plot {
	ph := phases[col]
	p := plot.New()
	p.Title.Text = r.title
	p.Title.TextStyle.Font = font.From(plot.DefaultFont, 10)
	p.Title.TextStyle.Font.Weight = xfont.WeightBold
	p.Title.TextStyle.Color = hues[row]
	p.Title.Padding = 2
	p.BackgroundColor = nil // the picture has one
	p.X.Min, p.X.Max = 0, ph.length.Seconds()
	p.Y.Min, p.Y.Max = low.Seconds()/1.5, high.Seconds()*4
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
	p.X.Label.Text = ph.axis
	if row < len(subjects)-1 {
		p.X.Label.Text, p.X.Tick.Marker = "", plot.ConstantTicks{}
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: faint, Width: 0.75}
		a.Tick.LineStyle = a.LineStyle
		a.Label.TextStyle.Font = plot.DefaultFont
		a.Tick.Label.Font = plot.DefaultFont
		a.Padding = 0
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal = p.Y.LineStyle

	p.Add(area(box(ph.from, ph.to, p.Y.Min, p.Y.Max), outage), grid) // of no width without an outage
	outline, median, failures := curves(r.samples, ph.length)
	p.Add(area(outline, pale(hues[row])), line(median, hues[row]))
	for _, at := range failures {
		p.Add(area(box(at-slot, at+slot, p.Y.Max/2, p.Y.Max), failed))
	}
	return p
}

// curves are the outline from the fastest to the slowest request of each slot,
// the median, and the slots in which a request failed. A slot in which no
// request began has no point.
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
		at, sum := time.Duration(i)*slot, newSummary(ss)
		point := func(q float64) plotter.XY {
			return plotter.XY{X: (at + slot/2).Seconds(), Y: sum.quantile(q).Seconds()}
		}
		outline = append(outline, point(1))
		median = append(median, point(0.5))
		fastest = append(fastest, point(0))
		if sum.failed > 0 {
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

// decades marks the powers of ten.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for d := 100 * time.Nanosecond; d.Seconds() <= high; d *= 10 {
		if d.Seconds() >= low {
			ticks = append(ticks, plot.Tick{Value: d.Seconds(), Label: d.String()})
		}
	}
	return ticks
}
