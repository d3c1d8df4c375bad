package main

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/qat-go/qat/cmd/qat/internal/report"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/train"
)

// finished is a run at its end.
type finished struct {
	*train.Trainer
	source  dataset.Source
	parts   dataset.Parts
	metrics train.Metrics // of the test part
	command string
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
	logits, err := f.Logits(f.parts.Test)
	if err != nil {
		return err
	}
	confusion, err := train.NewConfusion(f.parts.Test.Classes, f.parts.Test.Labels, train.Predictions(logits, len(f.parts.Test.Classes)))
	if err != nil {
		return err
	}
	mode := f.Config().Model.Quantize
	r := report.Report{
		Title:     fmt.Sprintf("%s: %v sequence transformer", f.source.Title(), mode),
		Subtitle:  f.subtitle(),
		Metric:    report.Metric{Name: "test accuracy", Fraction: true},
		Model:     report.Score{Name: fmt.Sprintf("this model, %v", mode), Value: f.metrics.Accuracy},
		Baselines: baselines(f.parts.Train, f.parts.Test),
		Test:      f.parts.Test.Len(),
		Tiles:     f.tiles(),
		Charts:    f.curves(),
		Confusion: confusion,
		Facts:     f.facts(),
		Notes:     f.parts.Notes,
		Command:   f.command,
	}
	for i, l := range layers {
		r.Layers = append(r.Layers, report.Layer{LayerStats: l, Flips: flips(f.History(), i)})
	}
	if mode == quant.Float {
		r.NoLayers = "None: this model was trained in float mode, the baseline of the others."
	}
	return report.Write(filepath.Join(dir, reportFile), r)
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
	lines := func(trained func(train.Epoch) float64, measured func(train.Metrics) float64) []report.Line {
		return []report.Line{
			line("training", func(e train.Epoch) (float64, bool) { return trained(e), true }),
			line("validation", func(e train.Epoch) (float64, bool) {
				if e.Validation == nil {
					return 0, false
				}
				return measured(*e.Validation), true
			}),
			{Name: "test", Dots: true, Points: []report.Point{{X: float64(last), Y: measured(f.metrics)}}},
		}
	}
	return []report.Chart{
		{Title: "Loss", Unit: "cross entropy, nats", XLabel: "epoch", Lines: lines(
			func(e train.Epoch) float64 { return e.Loss }, func(m train.Metrics) float64 { return m.Loss })},
		{Title: "Accuracy", XLabel: "epoch", Fraction: true, Lines: lines(
			func(e train.Epoch) float64 { return e.Accuracy }, func(m train.Metrics) float64 { return m.Accuracy })},
		{Title: "Learning rate", XLabel: "epoch", Lines: []report.Line{
			line("at the epoch's end", func(e train.Epoch) (float64, bool) { return e.LearnRate, true }),
		}},
	}
}

// Above these numbers of operations, a good ten seconds, a baseline is left out.
const (
	nearestMost  = 1e10 // sequences x sequences x values
	logisticMost = 3e7  // sequences x values x classes, a few hundred times
)

// baselines are the plain methods to hold the model against.
func baselines(learn, test *dataset.Set) []report.Score {
	n := float64(learn.Len()) * float64(learn.Steps*learn.Channels)
	var all []report.Score
	for _, b := range []struct {
		name       string
		cost, most float64
		compute    func(learn, test *dataset.Set) (float64, error)
	}{
		{"logistic regression", n * float64(len(learn.Classes)), logisticMost, train.LogisticRegression},
		{"1-nearest-neighbour", n * float64(test.Len()), nearestMost, train.NearestNeighbour},
		{"majority class", 0, math.Inf(1), train.MajorityClass},
	} {
		s := report.Score{Name: b.name}
		if b.cost > b.most {
			s.Skipped = "left out, the data is large"
		} else if accuracy, err := b.compute(learn, test); err != nil {
			s.Skipped = err.Error()
		} else {
			s.Value = accuracy
		}
		all = append(all, s)
	}
	return all
}

func (f finished) tiles() []report.Fact {
	size := f.Size()
	return []report.Fact{
		{Name: "packed size", Value: report.Bytes(size.PackedBytes), Note: fmt.Sprintf("%.1f times smaller than float32", float64(size.FloatBytes)/float64(size.PackedBytes))},
		{Name: "parameters", Value: report.Count(size.Parameters), Note: "head included"},
		{Name: "test loss", Value: fmt.Sprintf("%.3f", f.metrics.Loss), Note: "cross entropy, nats"},
		{Name: "training steps", Value: report.Count(f.Step()), Note: fmt.Sprintf("of %d sequences", f.Config().BatchSize)},
	}
}

func (f finished) facts() []report.Facts {
	c, size := f.Config(), f.Size()
	m := c.Model
	n := func(name string, v int) report.Fact { return report.Fact{Name: name, Value: report.Count(v)} }
	v := func(name string, v any) report.Fact { return report.Fact{Name: name, Value: fmt.Sprint(v)} }
	data := []report.Fact{v("name", f.source.Title())}
	for _, file := range f.source.Files {
		data = append(data, v("file", file))
	}
	for _, file := range f.source.Test {
		data = append(data, v("test file", file))
	}
	if len(f.source.Test) == 0 {
		data = append(data, v("split", f.source.Split))
		if f.source.TestFraction > 0 {
			data = append(data, v("test fraction", f.source.TestFraction), v("split seed", f.source.Seed))
		}
	}
	data = append(data,
		n("training sequences", f.parts.Train.Len()))
	if f.parts.Validation != nil {
		data = append(data, n("validation sequences", f.parts.Validation.Len()))
	}
	data = append(data, n("test sequences", f.parts.Test.Len()),
		n("classes", len(f.parts.Train.Classes)), n("steps of a sequence", m.WindowSize), n("channels", m.EmbedDim))
	return []report.Facts{
		{Title: "Data", Facts: data},
		{Title: "Model", Facts: []report.Fact{
			v("weights", m.Quantize), v("activations", m.Activations), v("numerics", m.Numerics),
			v("straight-through", m.STE), n("hidden size", m.HiddenSize), n("heads", m.NumHeads), n("blocks", m.NumLayers),
			v("positions", m.Positions), v("pooling", m.Pooling), v("dropout", m.Dropout),
		}},
		{Title: "Size", Facts: []report.Fact{
			n("parameters", size.Parameters),
			{Name: "as float32", Value: report.Count(size.FloatBytes), Note: "bytes"},
			{Name: "packed", Value: report.Count(size.PackedBytes), Note: "bytes"},
			{Name: "ratio", Value: fmt.Sprintf("%.2f", float64(size.FloatBytes)/float64(size.PackedBytes))},
		}},
		{Title: "Recipe", Facts: []report.Fact{
			n("epochs", c.Epochs), n("batch size", c.BatchSize), v("learning rate", c.LearnRate), v("warm-up", c.Warmup),
			v("weight decay", c.WeightDecay), v("clip norm", c.ClipNorm),
			v("jitter", c.Augment.Jitter), v("scaling", c.Augment.Scale), v("shift", c.Augment.Shift), v("patience", c.Patience), v("seed", c.Seed),
		}},
	}
}
