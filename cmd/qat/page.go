package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat/cmd/qat/internal/report"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
)

// finished is a run at its end.
type finished struct {
	*train.Trainer
	source  dataset.Source
	parts   dataset.Parts
	metrics train.Metrics // of the test part
	command string
	shipped shipped

	baselines []baseline
}

// writePage writes metrics.csv and report.html. Nothing in them depends on the
// clock: a resumed run has the bytes of an uninterrupted one.
func (f finished) writePage(dir string) error {
	layers, err := f.LayerStats()
	if err != nil {
		return err
	}
	names := make([]string, len(layers))
	for i, l := range layers {
		names[i] = l.Name
	}
	if err := writeMetricsCSV(filepath.Join(dir, metricsCSVFile), names, f.History()); err != nil {
		return err
	}
	p, err := f.Predict(f.parts.Test)
	if err != nil {
		return err
	}
	mode := f.mode()
	r := report.Report{
		Title:     fmt.Sprintf("%s: %s sequence transformer", f.source.Title(), mode),
		Subtitle:  f.subtitle(),
		Baselines: scores(f.baselines),
		Test:      f.parts.Test.Len(),
		Tiles:     f.tiles(),
		Charts:    f.curves(),
		Facts:     f.facts(),
		Notes:     f.notes(),
		Command:   f.command,
	}
	name, value := f.metrics.Score()
	r.Metric = report.Metric{Name: "test " + name, Fraction: !f.metrics.Regression(), LowerIsBetter: f.metrics.Regression()}
	r.Model = report.Score{Name: fmt.Sprintf("this model, %s", mode), Value: value}
	if f.metrics.Regression() {
		r.Predictions = f.predicted(p)
	} else if r.Confusion, err = train.NewConfusion(f.Task().Classes, p.Labels, train.Predictions(p.Outputs, len(f.Task().Classes))); err != nil {
		return err
	}
	for i, l := range layers {
		r.Layers = append(r.Layers, report.Layer{LayerStats: l, Flips: flips(f.History(), i)})
	}
	if len(layers) == 0 {
		r.NoLayers = "None: this model was trained in float mode, the baseline of the others."
	}
	return report.Write(filepath.Join(dir, reportFile), r)
}

// mode is that of the weights, in a word.
func (f finished) mode() string {
	if m := f.Config().Model; len(m.LayerModes) == 0 {
		return m.Quantize.String()
	}
	return "mixed"
}

// notes are what should be known of the data.
func (f finished) notes() []string {
	notes := f.parts.Notes
	if f.parts.Train.Facts().Uneven {
		notes = append(slices.Clone(notes), "sequences of unequal length: the model reads each by its own, the baselines compare them with zeros in front of the shorter ones")
	}
	return notes
}

// chartMost bounds the dots of a chart, so that the page stays small.
const chartMost = 2000

// predicted holds predictions against the targets, a chart for each of the first
// four.
func (f finished) predicted(p train.Prediction) (charts []report.Chart) {
	outputs := f.Task().Outputs
	names := slices.Concat(f.source.Recording.Targets, f.source.Wide.Targets)
	n := len(p.Targets) / outputs
	for k := range min(outputs, 4) {
		dots := report.Line{Name: "a sequence", Dots: true}
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := 0; i < n; i += 1 + n/chartMost {
			x, y := float64(p.Targets[i*outputs+k]), float64(p.Outputs[i*outputs+k])
			dots.Points = append(dots.Points, report.Point{X: x, Y: y})
			lo, hi = min(lo, x), max(hi, x)
		}
		title := "Predicted against actual"
		if k < len(names) {
			title = names[k] + ", predicted against actual"
		} else if outputs > 1 {
			title += fmt.Sprintf(", target %d", k+1)
		}
		charts = append(charts, report.Chart{Title: title, XLabel: "actual", Scatter: true, Lines: []report.Line{
			dots, {Name: "where both are equal", Points: []report.Point{{X: lo, Y: lo}, {X: hi, Y: hi}}},
		}})
	}
	return charts
}

func (f finished) subtitle() string {
	epochs := "epochs"
	if len(f.History()) == 1 {
		epochs = "epoch"
	}
	s := fmt.Sprintf("Trained for %s %s, seed %d", report.Count(len(f.History())), epochs, f.Config().Seed)
	if best := f.BestEpoch(); best > 0 {
		s += fmt.Sprintf("; the weights are those of epoch %s, the best on the validation part", report.Count(best))
	}
	return s
}

// flips is the flip rates of weight i by epoch.
func flips(history []train.Epoch, i int) []float64 {
	var all []float64
	for _, e := range history {
		if i < len(e.FlipRates) {
			all = append(all, e.FlipRates[i])
		}
	}
	return all
}

func (f finished) curves() []report.Chart {
	history := f.History()
	line := func(name string, value func(train.Epoch) (float64, bool)) report.Line {
		l := report.Line{Name: name}
		for _, e := range history {
			if y, ok := value(e); ok {
				l.Points = append(l.Points, report.Point{X: float64(e.Epoch), Y: y})
			}
		}
		return l
	}
	// The model is that of the best epoch on the validation part, where there is one.
	last := len(history)
	if best := f.BestEpoch(); best > 0 {
		last = best
	}
	lines := func(measured func(train.Metrics) float64) []report.Line {
		return []report.Line{
			line("training", func(e train.Epoch) (float64, bool) { return measured(e.Training), true }),
			line("validation", func(e train.Epoch) (float64, bool) {
				if e.Validation == nil {
					return 0, false
				}
				return measured(*e.Validation), true
			}),
			{Name: "test", Dots: true, Points: []report.Point{{X: float64(last), Y: measured(f.metrics)}}},
		}
	}
	score := report.Chart{Title: "Accuracy", XLabel: "epoch", Fraction: true}
	if f.metrics.Regression() {
		score = report.Chart{Title: "RMSE", Unit: "units of the targets", XLabel: "epoch"}
	}
	score.Lines = lines(func(m train.Metrics) float64 { _, v := m.Score(); return v })
	return []report.Chart{
		{Title: "Loss", Unit: lossUnit(f.metrics), XLabel: "epoch", Lines: lines(func(m train.Metrics) float64 { return m.Loss })},
		score,
		{Title: "Learning rate", XLabel: "epoch", Lines: []report.Line{
			line("at the epoch's end", func(e train.Epoch) (float64, bool) { return e.LearnRate, true }),
		}},
	}
}

func (f finished) tiles() []report.Fact {
	size := f.Size()
	measures := []report.Fact{{Name: "test loss", Value: fmt.Sprintf("%.3f", f.metrics.Loss), Note: lossUnit(f.metrics)}}
	if m := f.metrics; m.Regression() {
		measures = []report.Fact{
			{Name: "test R²", Value: fmt.Sprintf("%.3f", m.R2), Note: "1 is perfect, 0 the mean of the targets"},
			{Name: "test MAE", Value: fmt.Sprintf("%.4g", m.MAE), Note: "units of the targets"},
		}
	}
	return append(measures, []report.Fact{
		{Name: "packed size", Value: report.Bytes(size.PackedBytes), Note: fmt.Sprintf("%.1f times smaller than float32", float64(size.FloatBytes)/float64(size.PackedBytes))},
		{Name: "parameters", Value: report.Count(size.Parameters), Note: "head included"},
		{Name: "training steps", Value: report.Count(f.Step()), Note: fmt.Sprintf("of %d sequences", f.Config().BatchSize)},
	}...)
}

// columns are what the columns of a file are for, and how a recording is cut.
func (f finished) columns() (facts []report.Fact) {
	o, w := f.source.Recording, f.source.Wide
	for _, c := range []struct{ name, value string }{
		{"label", o.Label + w.Label}, {"target", strings.Join(slices.Concat(o.Targets, w.Targets), ", ")}, {"group", o.Group + w.Group},
	} {
		if c.value != "" {
			facts = append(facts, report.Fact{Name: c.name, Value: c.value, Note: "column"})
		}
	}
	for _, c := range []struct {
		name  string
		value int
	}{{"window", o.Window}, {"stride", o.Stride}, {"horizon", o.Horizon}} {
		if c.value > 0 {
			facts = append(facts, report.Fact{Name: c.name, Value: report.Count(c.value), Note: "steps"})
		}
	}
	return facts
}

func countFact(name string, n int) report.Fact {
	return report.Fact{Name: name, Value: report.Count(n)}
}

func fact(name string, v any) report.Fact {
	return report.Fact{Name: name, Value: fmt.Sprint(v)}
}

func (f finished) facts() []report.Facts {
	c, size := f.Config(), f.Size()
	m, n, v := c.Model, countFact, fact
	data := []report.Fact{v("name", f.source.Title())}
	for _, file := range f.source.Files {
		data = append(data, v("file", file))
	}
	for _, file := range f.source.Test {
		data = append(data, v("test file", file))
	}
	if len(f.source.Test) == 0 {
		data = append(data, v("split", cmp.Or(string(f.parts.Split), f.source.Split)))
		if f.source.TestFraction > 0 {
			data = append(data, v("test fraction", f.source.TestFraction), v("split seed", f.source.Seed))
		}
	}
	data = append(append(data, f.columns()...), n("training sequences", f.parts.Train.Len()))
	if f.parts.Validation != nil {
		data = append(data, n("validation sequences", f.parts.Validation.Len()))
	}
	data = append(data, n("test sequences", f.parts.Test.Len()),
		n("steps that the model reads", m.WindowSize), n("values of a step", m.EmbedDim))
	if f.metrics.Regression() {
		data = append(data, n("targets", f.Task().Outputs))
	} else {
		data = append(data, n("classes", len(f.Task().Classes)))
	}
	if p := f.parts.Preprocess; p != nil {
		data = append(data, v("channels", channelText(f.source)))
		if p.Frame > 1 || p.Hop > 1 {
			data = append(data, n("time steps of a frame", p.Frame), n("from frame to frame", p.Hop))
		}
		if p.Center {
			data = append(data, v("frames", "centred, their means beside them"))
		}
		if p.Inputs != nil {
			data = append(data, v("inputs", "standardised"))
		}
	}
	return []report.Facts{
		{Title: "Data", Facts: data},
		{Title: "Model", Facts: modelFacts(c.Model)},
		{Title: "Size", Facts: []report.Fact{
			n("parameters", size.Parameters),
			{Name: "as float32", Value: report.Count(size.FloatBytes), Note: "bytes"},
			{Name: "packed", Value: report.Count(size.PackedBytes), Note: "bytes"},
			{Name: "ratio", Value: fmt.Sprintf("%.2f", float64(size.FloatBytes)/float64(size.PackedBytes))},
			{Name: modelFile, Value: report.Count(int(f.shipped.Bytes)), Note: "bytes, with its header"},
			{Name: "bits a quantized weight", Value: fmt.Sprintf("%.4g", f.shipped.BitsAWeight), Note: "scales included"},
			{Name: "parity", Value: f.shipped.parityText()},
		}},
		{Title: "Recipe", Facts: []report.Fact{
			n("epochs", c.Epochs), n("batch size", c.BatchSize), v("learning rate", c.LearnRate), v("schedule", c.Schedule), v("warm-up", c.Warmup), v("quantization warm-up", c.QuantizeWarmup),
			v("weight decay", c.WeightDecay), v("clip norm", c.ClipNorm),
			v("jitter", c.Augment.Jitter), v("scaling", c.Augment.Scale), v("shift", c.Augment.Shift), v("patience", c.Patience), v("seed", c.Seed),
		}},
	}
}

func modelFacts(m spec.Model) []report.Fact {
	n, v := countFact, fact
	facts := []report.Fact{v("weights", m.Quantize)}
	for _, l := range m.LayerModes {
		facts = append(facts, v(l.Pattern, l.Mode))
	}
	if m.Granularity != quant.PerTensor {
		facts = append(facts, v("scales", fmt.Sprintf("one a %v", m.Granularity)))
	}
	return append(facts, v("activations", m.Activations), v("numerics", m.Numerics),
		v("straight-through", m.STE), n("hidden size", m.HiddenSize), n("heads", m.NumHeads), n("blocks", m.NumLayers),
		v("positions", m.Positions), v("pooling", m.Pooling), v("dropout", m.Dropout))
}
