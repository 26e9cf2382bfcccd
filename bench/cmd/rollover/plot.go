package main

import (
	"bytes"
	"image/color"
	"os"
	"time"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The picture is about as wide as a README, so that its text is read at the
// size that it was set in.
const (
	width      = 640 * vg.Length(1)
	rowHeight  = 112 * vg.Length(1)
	headHeight = 66 * vg.Length(1)
	gap        = 10 * vg.Length(1)
)

// hues are the colours of the peers. They are told apart by their places, too.
var hues = []color.NRGBA{
	{0x08, 0x7f, 0x5b, 0xff},
	{0xd9, 0x48, 0x0f, 0xff},
	{0x1c, 0x5f, 0xc4, 0xff},
	{0x5c, 0x63, 0x70, 0xff},
}

var (
	white = color.White
	ink   = color.NRGBA{0x1f, 0x23, 0x28, 0xff}
	faint = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
	red   = color.NRGBA{0xc6, 0x1f, 0x2b, 0xff}
)

// paint writes the plot: a row for each peer and a column for each phase.
func paint(name string, runs [][]run) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	panels := make([][]*plot.Plot, len(subjects))
	low, high := extent(runs)
	for row := range subjects {
		for col := range phases {
			panels[row] = append(panels[row], newPanel(row, col, runs[col][row], low, high))
		}
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, headHeight+rowHeight*vg.Length(len(subjects))))
	whole := draw.New(canvas)
	whole.SetColor(white)
	whole.Fill(whole.Rectangle.Path())
	below := draw.Crop(whole, gap, -gap, 0, -headHeight)
	tiles := draw.Tiles{Rows: len(subjects), Cols: len(phases), PadX: gap, PadY: gap / 2}
	canvases := plot.Align(panels, tiles, below)
	for row, cs := range canvases {
		for col, c := range cs {
			panels[row][col].Draw(c)
		}
	}
	paintHead(whole)
	for col, ph := range phases {
		over := vg.Point{X: canvases[0][col].Center().X, Y: below.Max.Y + 18}
		whole.FillText(style(11, true, text.XCenter), over, ph.title)
	}

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Where there is no Liberation Sans, there is something of its widths.
	portable := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	return os.WriteFile(name, portable, 0o666)
}

// extent is the range of all that was measured.
func extent(runs [][]run) (low, high time.Duration) {
	low = time.Hour
	for _, phase := range runs {
		for _, r := range phase {
			for _, s := range r.samples {
				low, high = min(low, s.took), max(high, s.took)
			}
		}
	}
	return low, high
}

// paintHead writes above the panels what they show.
func paintHead(c draw.Canvas) {
	at := vg.Point{X: gap, Y: c.Max.Y - 7}
	c.FillText(style(13, true, text.XLeft), at, "How long a request takes while tokens are renewed, each auth call taking 500 ms")
	at.Y -= 20
	at.X += swatch(c, at, 0)
	at.X += label(c, at, "fastest to slowest request in each quarter of a second")
	at.X += swatch(c, at, 1)
	at.X += label(c, at, "median")
	at.X += swatch(c, at, 2)
	at.X += label(c, at, "requests failed")
	at.X += swatch(c, at, 3)
	label(c, at, "auth service down")
}

// label writes a text and returns how far the next one is.
func label(c draw.Canvas, at vg.Point, s string) vg.Length {
	plain := style(10, false, text.XLeft)
	c.FillText(plain, at, s)
	return plain.Width(s) + 14
}

func style(size vg.Length, bold bool, align text.XAlignment) text.Style {
	s := text.Style{Color: ink, Font: font.From(plot.DefaultFont, size), XAlign: align, YAlign: text.YTop, Handler: plot.DefaultTextHandler}
	if bold {
		s.Font.Weight = xfont.WeightBold
	}
	return s
}

// swatch paints what the nth text of the legend explains, and returns how far
// the text is.
func swatch(c draw.Canvas, at vg.Point, n int) vg.Length {
	const w, h = 16, 8
	box := vg.Rectangle{Min: vg.Point{X: at.X, Y: at.Y - h - 1}, Max: vg.Point{X: at.X + w, Y: at.Y - 1}}
	middle := (box.Min.Y + box.Max.Y) / 2
	switch n {
	case 0:
		c.SetColor(pale(hues[3]))
		c.Fill(box.Path())
	case 1:
		c.StrokeLine2(draw.LineStyle{Color: hues[3], Width: 1.5}, box.Min.X, middle, box.Max.X, middle)
	case 2:
		c.StrokeLine2(draw.LineStyle{Color: red, Width: 3}, box.Min.X, middle, box.Max.X, middle)
	case 3:
		c.SetColor(outageColor)
		c.Fill(box.Path())
	}
	return w + 5
}
