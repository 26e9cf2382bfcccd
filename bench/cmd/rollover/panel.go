package main

import (
	"image/color"
	"slices"
	"strconv"
	"time"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// slot is how much time one point of a panel stands for.
const slot = 250 * time.Millisecond

var outageColor = color.NRGBA{0xf9, 0xdf, 0xe1, 0xff}

// pale is a light tint of a colour, opaque, so that grid and outage do not
// change it.
func pale(c color.NRGBA) color.NRGBA {
	tint := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.NRGBA{tint(c.R), tint(c.G), tint(c.B), 0xff}
}

// newPanel draws one run. All panels have the same scale of latency.
func newPanel(row, col int, r run, low, high time.Duration) *plot.Plot {
	ph := phases[col]
	p := plot.New()
	p.X.Min, p.X.Max = 0, ph.length.Seconds()
	p.Y.Min, p.Y.Max = low.Seconds()/1.5, high.Seconds()*4
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = decades{}
	p.X.Tick.Marker = every(6, ph.length, row == len(subjects)-1)
	dress(p, row, r.title)

	if ph.to > ph.from {
		p.Add(band(outageColor, ph.from, ph.to, p.Y.Min, p.Y.Max))
	}
	p.Add(grid())
	slots := slotsOf(r.samples, ph.length)
	area, median := curves(slots)
	poly := must(plotter.NewPolygon(area))
	poly.Color, poly.LineStyle = pale(hues[row]), draw.LineStyle{Color: pale(hues[row]), Width: 0.75}
	line := must(plotter.NewLine(median))
	line.LineStyle = draw.LineStyle{Color: hues[row], Width: 1.25}
	p.Add(poly, line)
	for _, s := range slots {
		if s.failed {
			p.Add(band(red, s.at-slot/2, s.at+slot/2, p.Y.Max/2, p.Y.Max))
		}
	}
	return p
}

// dress sets title, fonts and axes. The last row names that of time.
func dress(p *plot.Plot, row int, title string) {
	small := font.From(plot.DefaultFont, 9)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Tick.Label.Font, a.Label.TextStyle.Font = small, small
		a.Tick.Label.Color, a.Label.TextStyle.Color = ink, ink
		a.LineStyle = draw.LineStyle{Color: faint, Width: 0.75}
		a.Tick.LineStyle = draw.LineStyle{Color: faint, Width: 0.75}
		a.Padding = 0
	}
	p.Title.TextStyle.Font = font.From(plot.DefaultFont, 10)
	p.Title.TextStyle.Color = hues[row]
	p.Title.TextStyle.Font.Weight = xfont.WeightBold
	p.Title.Text = title
	p.Title.Padding = 2
	if row == len(subjects)-1 {
		p.X.Label.Text = "seconds"
	}
	p.BackgroundColor = nil // the whole picture has one
}

// slotStats are the requests that began in one slot.
type slotStats struct {
	at                    time.Duration // the middle of the slot
	fastest, mid, slowest time.Duration
	failed                bool
}

// slotsOf sums samples up. A slot in which no request began is left out.
func slotsOf(samples []sample, length time.Duration) []slotStats {
	in := make([][]sample, length/slot+1)
	for _, s := range samples {
		i := min(int(s.at/slot), len(in)-1)
		in[i] = append(in[i], s)
	}
	var slots []slotStats
	for i, ss := range in {
		if len(ss) == 0 {
			continue
		}
		sum := newSummary(ss)
		slots = append(slots, slotStats{
			at:      time.Duration(i)*slot + slot/2,
			fastest: sum.quantile(0), mid: sum.quantile(0.5), slowest: sum.quantile(1),
			failed: sum.failed > 0,
		})
	}
	return slots
}

// curves are the outline from the fastest to the slowest, and the median.
func curves(slots []slotStats) (area, median plotter.XYs) {
	for _, s := range slots {
		area = append(area, xy(s.at, s.slowest))
		median = append(median, xy(s.at, s.mid))
	}
	for _, s := range slices.Backward(slots) {
		area = append(area, xy(s.at, s.fastest))
	}
	return area, median
}

func xy(at, took time.Duration) plotter.XY { return plotter.XY{X: at.Seconds(), Y: took.Seconds()} }

// band is a rectangle.
func band(c color.Color, from, to time.Duration, low, high float64) plot.Plotter {
	x0, x1 := from.Seconds(), to.Seconds()
	p := must(plotter.NewPolygon(plotter.XYs{{X: x0, Y: low}, {X: x1, Y: low}, {X: x1, Y: high}, {X: x0, Y: high}}))
	p.Color, p.LineStyle.Width = c, 0
	return p
}

func grid() plot.Plotter {
	g := plotter.NewGrid()
	g.Vertical.Width = 0
	g.Horizontal = draw.LineStyle{Color: faint, Width: vg.Length(0.5)}
	return g
}

// decades marks the powers of ten.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for d := 100 * time.Nanosecond; d.Seconds() <= high; d *= 10 {
		if d.Seconds() >= low {
			ticks = append(ticks, plot.Tick{Value: d.Seconds(), Label: short(d)})
		}
	}
	return ticks
}

// every marks each nth second.
func every(n int, length time.Duration, named bool) plot.Ticker {
	var ticks plot.ConstantTicks
	for s := 0; s <= int(length.Seconds()); s += n {
		t := plot.Tick{Value: float64(s)}
		if named {
			t.Label = strconv.Itoa(s)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// must is for what fails only if a curve has no points or one that is no number.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
