package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// Scaler standardises channels.
//
//	y = (x - mean) / std
//
// Shapes: Mean, Std [E].
// Units: those of x; Std is above 0.
type Scaler struct {
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
}

// Apply scales x, a value of channel c, in float64, and rounds once.
func (s *Scaler) Apply(x float32, c int) float32 {
	return float32((float64(x) - s.Mean[c]) / s.Std[c])
}

// Invert gives back the value of channel c that Apply made y of, within
// rounding: a prediction in the units of the data.
func (s *Scaler) Invert(y float32, c int) float32 {
	// The conversion keeps a CPU from fusing the product with the sum.
	return float32(float64(float64(y)*s.Std[c]) + s.Mean[c])
}

// Validate reports what is wrong with the scaler of n channels.
func (s *Scaler) Validate(n int) error {
	if len(s.Mean) != n || len(s.Std) != n {
		return fmt.Errorf("dataset: %d means and %d deviations, want %d of each", len(s.Mean), len(s.Std), n)
	}
	for c := range n {
		if m, d := s.Mean[c], s.Std[c]; math.IsNaN(m) || math.IsInf(m, 0) || !(d > 0) || math.IsInf(d, 0) {
			return fmt.Errorf("dataset: channel %d has mean %v and deviation %v, want finite numbers, the second above 0", c, m, d)
		}
	}
	return nil
}

// identityScaler leaves n channels as they are.
func identityScaler(n int) Scaler {
	s := Scaler{Mean: make([]float64, n), Std: make([]float64, n)}
	for c := range s.Std {
		s.Std[c] = 1
	}
	return s
}

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
func (f *ScalerFit) Scaler() Scaler {
	s := identityScaler(len(f.count))
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
func FitTargets(seq iter.Seq2[Series, error]) (Scaler, error) {
	var fit *ScalerFit
	for one, err := range seq {
		if err != nil {
			return Scaler{}, err
		}
		if fit == nil {
			fit = NewScalerFit(len(one.Targets))
		}
		if n := len(one.Targets); n == 0 || n != len(fit.count) {
			return Scaler{}, fmt.Errorf("dataset: %s: %s, want as many as the first, and 1 or more", one.Where, plural(n, "target"))
		}
		fit.Add(one.Targets)
	}
	if fit == nil {
		return Scaler{}, errors.New("dataset: targets of no series")
	}
	return fit.Scaler(), nil
}
