package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"math"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// writeComparison saves the numbers and what they were made with.
func writeComparison(path, command string, o compareOptions, lines []comparison) error {
	return checkpoint.WriteFileAtomic(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Command string         `json:"command"`
			Config  train.Config   `json:"config"` // but for the mode and the seed
			Data    dataset.Source `json:"data"`
			Seeds   int            `json:"seeds"`
			Results []comparison   `json:"results"`
		}{command, o.config, o.source, o.seeds, lines})
	})
}

// drawComparison draws each mode's seeds with their mean, and the mean by size.
func drawComparison(path string, lines []comparison) error {
	scale, unit := 100.0, "test accuracy (%)"
	if len(lines) > 0 && lines[0].Metric != "accuracy" {
		scale, unit = 1, "test "+lines[0].Metric
	}
	byMode, bySize := plot.New(), plot.New()
	byMode.Title.Text, bySize.Title.Text = "Each seed, and the mean", "Mean and standard deviation by size"
	for _, p := range []*plot.Plot{byMode, bySize} {
		p.Y.Label.Text = unit
		p.Title.Padding, p.Legend.Padding = vg.Points(6), vg.Points(3)
		p.Add(plotter.NewGrid())
	}
	var names []string
	var seeds, means, after, sizes plotter.XYs
	var bars plotter.YErrors
	for _, l := range lines {
		x := float64(len(names))
		if l.Event == "baseline" {
			if err := addBaseline(byMode, bySize, l, scale*l.Mean); err != nil {
				return err
			}
			continue
		}
		names = append(names, l.Name)
		for _, v := range l.Values {
			seeds = append(seeds, plotter.XY{X: x, Y: scale * v})
		}
		means = append(means, plotter.XY{X: x, Y: scale * l.Mean})
		if l.AfterTraining != nil {
			after = append(after, plotter.XY{X: x, Y: scale * l.AfterTraining.Mean})
		}
		sizes = append(sizes, plotter.XY{X: float64(l.PackedBytes), Y: scale * l.Mean})
		bars = append(bars, struct{ Low, High float64 }{scale * l.Deviation, scale * l.Deviation})
	}
	if len(names) == 0 {
		return nil
	}
	byMode.NominalX(names...)
	byMode.X.Min, byMode.X.Max = -0.5, float64(len(names))-0.5
	for _, s := range []struct {
		name   string
		points plotter.XYs
		glyph  draw.GlyphDrawer
		color  color.Color
		radius vg.Length
	}{
		{"a seed", seeds, draw.CircleGlyph{}, color.NRGBA{R: 31, G: 119, B: 180, A: 140}, 2.5},
		{"their mean", means, draw.RingGlyph{}, blue, 5},
		{"float, quantized after training", after, draw.CrossGlyph{}, red, 4},
	} {
		if err := addDots(byMode, s.name, s.points, s.glyph, s.color, s.radius); err != nil {
			return err
		}
	}
	if err := addSizes(bySize, names, sizes, bars); err != nil {
		return err
	}
	for _, p := range []*plot.Plot{byMode, bySize} { // room for the names
		room := 0.1 * (p.Y.Max - p.Y.Min)
		p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
	}
	byMode.Legend.Left, byMode.Legend.Top = true, true
	byMode.Y.Tick.Marker = upTo(byMode.Y.Max)
	byMode.Y.Max += 0.6 * (byMode.Y.Max - byMode.Y.Min)
	return savePNG(path, byMode, bySize)
}

func addDots(p *plot.Plot, name string, points plotter.XYs, glyph draw.GlyphDrawer, c color.Color, radius vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.Shape, dots.Color, dots.Radius = glyph, c, radius
	p.Add(dots)
	p.Legend.Add(name, dots)
	return nil
}

// addBaseline draws a dashed line across both.
func addBaseline(byMode, bySize *plot.Plot, l comparison, y float64) error {
	if l.Name == "majority class" || l.Name == "mean of the targets" {
		return nil // far away, and it would squeeze the rest
	}
	f := plotter.NewFunction(func(float64) float64 { return y })
	f.Color, f.Dashes, f.Samples = orange, []vg.Length{vg.Points(4), vg.Points(3)}, 2
	if l.Name == "1-nearest-neighbour" {
		f.Color = color.Gray{Y: 90}
	}
	byMode.Add(f)
	bySize.Add(f)
	byMode.Y.Min, byMode.Y.Max = min(byMode.Y.Min, y), max(byMode.Y.Max, y)
	bySize.Y.Min, bySize.Y.Max = min(bySize.Y.Min, y), max(bySize.Y.Max, y)
	byMode.Legend.Add(fmt.Sprintf("%s: %.3g", l.Name, y), f)
	return nil
}

// addSizes draws means over a logarithmic axis of bytes, each with its name.
func addSizes(p *plot.Plot, names []string, sizes plotter.XYs, bars plotter.YErrors) error {
	p.X.Label.Text = "packed bytes"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	lo, hi := math.Inf(1), 0.0
	for _, s := range sizes {
		lo, hi = min(lo, s.X), max(hi, s.X)
	}
	p.X.Min, p.X.Max = lo/2, hi*2
	dots, err := plotter.NewScatter(sizes)
	if err != nil {
		return err
	}
	dots.Shape, dots.Color, dots.Radius = draw.CircleGlyph{}, blue, vg.Points(4)
	errors, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{sizes, bars})
	if err != nil {
		return err
	}
	p.Add(errors, dots)
	for i := range names { // by turns above and below, for neighbours may be near
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: sizes[i : i+1], Labels: names[i : i+1]})
		if err != nil {
			return err
		}
		label.Offset = vg.Point{X: vg.Points(6), Y: vg.Points([]float64{4, -12}[i%2])}
		p.Add(label)
	}
	return nil
}
