package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/qat-go/qat/preprocess"
)

// ScalerFit takes the mean and the deviation of each channel from values that
// come a few at a time. Missing values do not count.
//
// It runs in float64 in the order of the values, so the same data in the same
// order gives the same bits.
// Source: Welford 1962, doi:10.1080/00401706.1962.10490022.
type ScalerFit struct {
	count, missing []int64
	mean, m2       []float64
}

// NewScalerFit begins a fit of n channels.
func NewScalerFit(n int) *ScalerFit {
	return &ScalerFit{count: make([]int64, n), missing: make([]int64, n), mean: make([]float64, n), m2: make([]float64, n)}
}

// Add takes values in.
//
// Shapes: values [steps, E], row-major. A last step that is not whole is an
// error of the caller.
func (f *ScalerFit) Add(values []float32) {
	if len(f.count) == 0 {
		return
	}
	c := 0
	for _, v := range values {
		if v != v {
			f.missing[c]++
		} else {
			f.count[c]++
			x := float64(v)
			before := x - f.mean[c]
			f.mean[c] += before / float64(f.count[c])
			f.m2[c] += float64(before * (x - f.mean[c])) // the conversion forbids fusing
		}
		if c++; c == len(f.count) {
			c = 0
		}
	}
}

// Scaler is what was found: the mean and the deviation of the whole (not of a
// sample of it). The deviation of a constant channel is 1; one without any value
// has mean 0 besides.
func (f *ScalerFit) Scaler() preprocess.Scaler {
	s := preprocess.Identity(len(f.count))
	for c, n := range f.count {
		s.Mean[c] = f.mean[c]
		if n > 0 && f.m2[c] > 0 {
			s.Std[c] = math.Sqrt(f.m2[c] / float64(n))
		}
	}
	return s
}

// FitTargets finds the scaler of the targets of seq.
//
// Errors: the first of seq; no series, or one without targets.
func FitTargets(seq iter.Seq2[Series, error]) (preprocess.Scaler, error) {
	var fit *ScalerFit
	for one, err := range seq {
		if err != nil {
			return preprocess.Scaler{}, err
		}
		if fit == nil {
			fit = NewScalerFit(len(one.Targets))
		}
		if n := len(one.Targets); n == 0 || n != len(fit.count) {
			return preprocess.Scaler{}, fmt.Errorf("dataset: %s: %s, want as many as the first, and 1 or more", one.Where, plural(n, "target"))
		}
		fit.Add(one.Targets)
	}
	if fit == nil {
		return preprocess.Scaler{}, errors.New("dataset: targets of no series")
	}
	return fit.Scaler(), nil
}
