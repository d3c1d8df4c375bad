package preprocess

import (
	"fmt"
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
		return fmt.Errorf("preprocess: %d means and %d deviations, want %d of each", len(s.Mean), len(s.Std), n)
	}
	for c := range n {
		if m, d := s.Mean[c], s.Std[c]; math.IsNaN(m) || math.IsInf(m, 0) || !(d > 0) || math.IsInf(d, 0) {
			return fmt.Errorf("preprocess: channel %d has mean %v and deviation %v, want finite numbers, the second above 0", c, m, d)
		}
	}
	return nil
}

// Identity is the scaler that leaves n channels as they are.
func Identity(n int) Scaler {
	s := Scaler{Mean: make([]float64, n), Std: make([]float64, n)}
	for c := range s.Std {
		s.Std[c] = 1
	}
	return s
}
