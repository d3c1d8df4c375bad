package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/packed"
)

// expected yields series up to one that the model should not be run on.
func (in *inputFlags) expected(p *packed.Model, format string, series iter.Seq2[dataset.Series, error]) iter.Seq2[dataset.Series, error] {
	return func(yield func(dataset.Series, error) bool) {
		for one, err := range series {
			if err == nil {
				err = checkMissing(p, one)
			}
			if err == nil && format != dataset.FormatRecording && !in.anyLength {
				err = checkLength(p, format, one)
			}
			if !yield(one, withIgnore(format, err)) || err != nil {
				return
			}
		}
	}
}

// checkMissing refuses a missing value where training had none. Steps are counted
// from 1, as lines and columns are.
func checkMissing(p *packed.Model, one dataset.Series) error {
	if p.Input != nil && p.Input.Missing {
		return nil
	}
	n := channelsOf(p)
	for i, v := range one.Values {
		if v != v {
			channel := fmt.Sprint(i%n + 1)
			if p.Input != nil {
				channel = p.Input.Channels[i%n]
			}
			return fmt.Errorf("%s: step %d of %d, channel %s: saw NaN or no value, want a number: in training no value was missing", one.Where, i/n+1, one.Steps, channel)
		}
	}
	return nil
}

// checkLength refuses a length that no series in training had, where all had one.
func checkLength(p *packed.Model, format string, one dataset.Series) error {
	if p.Input == nil || p.Input.Shortest != p.Input.Longest || p.Input.Longest == 0 || one.Steps == p.Input.Longest {
		return nil
	}
	mend := "give --any-length to take it all the same"
	if format == dataset.FormatWide {
		mend = "name by --ignore the columns that are no values, or " + mend
	}
	return fmt.Errorf("%s: %s, where all series in training had %d: %s", one.Where, plural(one.Steps, "step"), p.Input.Longest, mend)
}

// withIgnore adds to the error of a cell with text, in a file with a series a row, how
// it is left out.
func withIgnore(format string, err error) error {
	var fault *dataset.FormatError
	if format != dataset.FormatWide || !errors.As(err, &fault) || fault.Column == 0 || fault.Want != "a number" {
		return err
	}
	return fmt.Errorf("%w: name by --ignore the columns that are no values", err)
}
