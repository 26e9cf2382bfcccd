package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The picture is about as wide as a README shows it, so text keeps its size.
const (
	width      = vg.Length(640)
	headHeight = vg.Length(72)
	rowHeight  = vg.Length(112)
	gap        = vg.Length(12)
)

// scaleNote says what the axes of latency leave out.
var scaleNote = fmt.Sprintf("Latency: a logarithmic scale from %v to %v, without zero. The API takes %v to answer.", leastLatency, mostLatency, apiLatency)

// paint writes the plot: a row for each library and a column for each phase.
func paint(name string, runs [][]run) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	panels := make([][]*plot.Plot, len(subjects))
	for row := range subjects {
		for col := range phases {
			panels[row] = append(panels[row], newPanel(row, col, runs[col][row]))
		}
	}
	canvas := vgsvg.New(width, headHeight+rowHeight*vg.Length(len(subjects)))
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	tiles := draw.Tiles{Rows: len(subjects), Cols: len(phases), PadX: gap, PadY: gap / 2}
	canvases := plot.Align(panels, tiles, draw.Crop(whole, gap, -gap, gap/2, -headHeight))
	for row, cs := range canvases {
		for col, c := range cs {
			panels[row][col].Draw(c)
		}
	}
	title := text.Style{Font: font.From(plot.DefaultFont, 11), YAlign: text.YTop, Handler: plot.DefaultTextHandler}
	title.Font.Weight = xfont.WeightBold
	small := text.Style{Font: font.From(plot.DefaultFont, 9), YAlign: text.YBottom, Handler: plot.DefaultTextHandler}
	whole.FillText(small, vg.Point{X: gap, Y: whole.Max.Y - headHeight + gap/2}, scaleNote)
	for col, legend := range legends() {
		over := panels[0][col].DataCanvas(canvases[0][col])
		over.Max.Y = whole.Max.Y - gap/2
		over.FillText(title, vg.Point{X: over.Min.X, Y: over.Max.Y}, phases[col].title)
		over.Max.Y -= 18
		legend.Draw(over)
	}

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Few machines have Liberation Sans. Arial has the same widths.
	portable := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	return os.WriteFile(name, portable, 0o666)
}

// legends explain the marks of all panels. There is one above each column: side
// by side, entries would overlap where the viewer's font is wider than ours.
func legends() []plot.Legend {
	both := []plot.Legend{plot.NewLegend(), plot.NewLegend()}
	for i := range both {
		both[i].Top, both[i].Left, both[i].Padding = true, true, 3
		both[i].TextStyle.Font = font.From(plot.DefaultFont, 10)
	}
	both[0].Add("median latency in each quarter second", line(nil, grey))
	both[0].Add("fastest to slowest request", area(nil, pale(grey)))
	both[1].Add("requests failed", area(nil, red))
	both[1].Add("auth service down", area(nil, pink))
	return both
}
