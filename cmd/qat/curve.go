package main

import (
	"fmt"
	"image/color"
	"io"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// drawCurve writes a PNG with loss and accuracy by epoch, and the test part's
// result at the end.
func drawCurve(path string, curve []train.Epoch, test train.Metrics) error {
	loss, accuracy := make(plotter.XYs, len(curve)), make(plotter.XYs, len(curve))
	for i, m := range curve {
		loss[i] = plotter.XY{X: float64(m.Epoch), Y: m.Loss}
		accuracy[i] = plotter.XY{X: float64(m.Epoch), Y: m.Accuracy}
	}
	end := float64(len(curve))
	left, err := panel("Loss", "cross entropy (nats)", loss, plotter.XY{X: end, Y: test.Loss}, fmt.Sprintf("test, at the end: %.3f", test.Loss))
	if err != nil {
		return err
	}
	right, err := panel("Accuracy", "fraction", accuracy, plotter.XY{X: end, Y: test.Accuracy}, fmt.Sprintf("test, at the end: %.3f", test.Accuracy))
	if err != nil {
		return err
	}
	left.Y.Min, right.Y.Min, right.Y.Max = 0, 0, 1
	left.Legend.Top = true

	canvas := vgimg.NewWith(vgimg.UseWH(24*vg.Centimeter, 10*vg.Centimeter), vgimg.UseDPI(120), vgimg.UseBackgroundColor(color.White))
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 8 * vg.Millimeter, PadTop: 4 * vg.Millimeter, PadBottom: 4 * vg.Millimeter, PadLeft: 4 * vg.Millimeter, PadRight: 6 * vg.Millimeter}
	for i, c := range plot.Align([][]*plot.Plot{{left, right}}, tiles, draw.New(canvas))[0] {
		[]*plot.Plot{left, right}[i].Draw(c)
	}
	return checkpoint.WriteFileAtomic(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}

func panel(title, unit string, points plotter.XYs, end plotter.XY, endLabel string) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "epoch"
	p.Y.Label.Text = unit
	p.X.Min = 0
	p.Title.Padding = vg.Points(6)
	p.Legend.Padding = vg.Points(3)
	p.Add(plotter.NewGrid())
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.Width = vg.Points(1.5)
	line.Color = color.RGBA{R: 31, G: 119, B: 180, A: 255}
	dot, err := plotter.NewScatter(plotter.XYs{end})
	if err != nil {
		return nil, err
	}
	dot.Shape = draw.CircleGlyph{}
	dot.Radius = vg.Points(4)
	dot.Color = color.RGBA{R: 214, G: 39, B: 40, A: 255}
	p.Add(line, dot)
	p.Legend.Add("training, mean of the epoch", line)
	p.Legend.Add(endLabel, dot)
	return p, nil
}
