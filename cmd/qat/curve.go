package main

import (
	"fmt"
	"image/color"
	"io"
	"strconv"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The colors of pictures.
var (
	blue   = color.RGBA{R: 31, G: 119, B: 180, A: 255}
	orange = color.RGBA{R: 255, G: 127, B: 14, A: 255}
	red    = color.RGBA{R: 214, G: 39, B: 40, A: 255}
)

// drawCurve writes a PNG with the loss and the score by epoch, of training and,
// where there is one, validation, and the test part's result where the weights are
// from: at the end, or at the best epoch.
func drawCurve(path string, curve []train.Epoch, best int, test train.Metrics) error {
	at := float64(best)
	if best == 0 {
		at = float64(len(curve))
	}
	left, err := panel("Loss", lossUnit(test), curve, at, test, func(m train.Metrics) float64 { return m.Loss })
	if err != nil {
		return err
	}
	name, _ := test.Score()
	title, unit := "Accuracy", "fraction"
	if test.Regression() {
		title, unit = name, "units of the targets"
	}
	right, err := panel(title, unit, curve, at, test, func(m train.Metrics) float64 { _, v := m.Score(); return v })
	if err != nil {
		return err
	}
	if !test.Regression() {
		right.Y.Max = 1
	}
	for _, p := range []*plot.Plot{left, right} {
		p.Legend.Top = true
		p.Y.Tick.Marker = upTo(p.Y.Max)
		p.Y.Min, p.Y.Max = 0, legendRoom*p.Y.Max
	}
	return savePNG(path, left, right)
}

// legendRoom makes an axis so much longer that the legend stands above the lines.
const legendRoom = 1.4

// upTo leaves out the ticks that are above the values.
type upTo float64

// Ticks is plot.Ticker's.
func (most upTo) Ticks(lo, _ float64) (ticks []plot.Tick) {
	for _, t := range (plot.DefaultTicks{}).Ticks(lo, float64(most)) {
		if t.Value > float64(most) {
			continue
		}
		if t.Label != "" {
			t.Label = strconv.FormatFloat(t.Value, 'g', 6, 64)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// lossUnit is what the loss is measured in.
func lossUnit(m train.Metrics) string {
	if m.Regression() {
		return "mean squared error, targets standardised"
	}
	return "cross entropy (nats)"
}

// savePNG draws plots side by side.
func savePNG(path string, plots ...*plot.Plot) error {
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(len(plots))*12*vg.Centimeter, 10*vg.Centimeter), vgimg.UseDPI(120), vgimg.UseBackgroundColor(color.White))
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: 8 * vg.Millimeter, PadTop: 4 * vg.Millimeter, PadBottom: 4 * vg.Millimeter, PadLeft: 4 * vg.Millimeter, PadRight: 6 * vg.Millimeter}
	for i, c := range plot.Align([][]*plot.Plot{plots}, tiles, draw.New(canvas))[0] {
		plots[i].Draw(c)
	}
	return checkpoint.WriteFileAtomic(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}

func panel(title, unit string, curve []train.Epoch, at float64, test train.Metrics, measure func(train.Metrics) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "epoch"
	p.Y.Label.Text = unit
	p.X.Min = 0
	p.Title.Padding = vg.Points(6)
	p.Legend.Padding = vg.Points(3)
	p.Add(plotter.NewGrid())
	var training, validation plotter.XYs
	for _, e := range curve {
		training = append(training, plotter.XY{X: float64(e.Epoch), Y: measure(e.Training)})
		if e.Validation != nil {
			validation = append(validation, plotter.XY{X: float64(e.Epoch), Y: measure(*e.Validation)})
		}
	}
	if err := addLine(p, "training, mean of the epoch", blue, training); err != nil {
		return nil, err
	}
	if len(validation) > 0 {
		if err := addLine(p, "validation", orange, validation); err != nil {
			return nil, err
		}
	}
	dot, err := plotter.NewScatter(plotter.XYs{{X: at, Y: measure(test)}})
	if err != nil {
		return nil, err
	}
	dot.Shape = draw.CircleGlyph{}
	dot.Radius = vg.Points(4)
	dot.Color = red
	p.Add(dot)
	p.Legend.Add(fmt.Sprintf("test, the trained model: %.3g", measure(test)), dot)
	return p, nil
}

func addLine(p *plot.Plot, name string, c color.Color, points plotter.XYs) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Width = vg.Points(1.5)
	line.Color = c
	p.Add(line)
	if len(points) == 1 { // a line of one point is not seen
		dot, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dot.Shape, dot.Color = draw.CircleGlyph{}, c
		p.Add(dot)
	}
	p.Legend.Add(name, line)
	return nil
}
