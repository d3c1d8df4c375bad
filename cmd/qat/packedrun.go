package main

import (
	"fmt"
	"iter"
	"slices"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
)

// predictBatch is how many series are predicted together.
const predictBatch = 128

// predictEach runs a model on series and calls do with the rows of outputs of each:
// one, or one a step with AllTimesteps pooling.
//
// Errors: those of the series, do and infer, the latter with the place of the series.
func predictEach(m *infer.Model, series iter.Seq2[dataset.Series, error], do func(one dataset.Series, out []float32) error) error {
	var batch []dataset.Series
	var x, out []float32
	var lengths []int
	flush := func() (err error) {
		if out, err = m.PredictBatch(out, x, lengths); err != nil {
			return placed(m, batch, err)
		}
		rest := out
		for _, one := range batch {
			n := m.Width()
			if m.Spec().Pooling == spec.AllTimesteps {
				n *= m.Steps(one.Steps)
			}
			if err := do(one, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		batch, x, lengths = batch[:0], x[:0], lengths[:0]
		return nil
	}
	for one, err := range series {
		if err != nil {
			return err
		}
		batch, x, lengths = append(batch, one), append(x, one.Values...), append(lengths, one.Steps)
		if len(batch) == predictBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// placed is the error of the first series of a batch that has one, with its place.
func placed(m *infer.Model, batch []dataset.Series, err error) error {
	for _, one := range batch {
		if _, alone := m.Predict(nil, one.Values); alone != nil {
			return fmt.Errorf("%s: %w", one.Where, alone)
		}
	}
	return err
}

// embeddedSeries are the test part of data that is in the binary.
func embeddedSeries(name string, p *packed.Model) (iter.Seq2[dataset.Series, error], error) {
	parts, err := dataset.Source{Name: name, Split: dataset.SplitGiven}.Load()
	if err != nil {
		return nil, err
	}
	f := parts.Test.Facts()
	if want := channelsOf(p); f.Channels != want {
		return nil, fmt.Errorf("%s: %s a step, the model reads %d", name, plural(f.Channels, "value"), want)
	}
	return func(yield func(dataset.Series, error) bool) {
		n := 0
		for e, err := range parts.Test.Epoch(0, 0) {
			one := dataset.Series{Values: slices.Clone(e.Values), Steps: f.Steps, Label: f.Classes[e.Label], Where: fmt.Sprintf("%s[%d]", name, n)}
			if n++; !yield(one, err) || err != nil {
				return
			}
		}
	}, nil
}
