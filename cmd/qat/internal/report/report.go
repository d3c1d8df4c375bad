// Package report writes the page about a training run: one HTML file that needs
// nothing else, neither a network nor a script.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/train"
)

// Report is what the page shows. Any text in it may come from a stranger's data.
// Parts that are empty, and numbers that are not finite, are left out.
type Report struct {
	Title    string // as "ternary transformer on digits"
	Subtitle string // a line below it

	Metric    Metric
	Model     Score
	Baselines []Score
	Test      int // sequences in the test part

	Tiles       []Fact
	Charts      []Chart
	Predictions []Chart // of the test part

	Confusion train.Confusion
	Layers    []Layer
	// NoLayers is said where Layers is empty.
	NoLayers string

	Facts   []Facts
	Notes   []string // what was decided about the data
	Command string   // as typed, quoted for a shell
}

// Metric is what the headline compares.
type Metric struct {
	Name          string // as "test accuracy"
	Fraction      bool   // an accuracy: 0 to 1, shown in percent
	LowerIsBetter bool   // as of an error
}

// Score is the metric of one method.
type Score struct {
	Name  string
	Value float64
	// Skipped says why there is no value.
	Skipped string
}

// Fact is a name, a value and perhaps a remark.
type Fact struct{ Name, Value, Note string }

// Facts is a titled list.
type Facts struct {
	Title string
	Facts []Fact
}

// Chart is some lines over a common axis.
type Chart struct {
	Title    string
	XLabel   string
	Unit     string // of the values, as "nats"
	Fraction bool   // values are 0 to 1, shown in percent
	// Scatter says that the points are a cloud and not a course: none is left out, no
	// last value is told, and the axis of values need not begin at 0.
	Scatter bool
	Lines   []Line
}

// Line is a line, or with Dots its points alone.
type Line struct {
	Name   string
	Points []Point
	Dots   bool
}

// Point is a place on a chart.
type Point struct{ X, Y float64 }

// Layer is a quantized weight.
type Layer struct {
	train.LayerStats
	// Flips is the share of its codes that changed in each epoch; it may be empty.
	Flips []float64
}

var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed page.css
	pageStyle string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// Render writes the page. Its bytes are a function of r alone.
func Render(w io.Writer, r Report) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, newPage(r)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Write replaces the file at path by the page, atomically.
func Write(path string, r Report) error {
	return checkpoint.WriteFileAtomic(path, func(w io.Writer) error { return Render(w, r) })
}
