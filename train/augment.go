package train

import (
	"math/rand/v2"
)

// Augment changes the sequences of a training batch at random, so that the model
// sees more than the data holds. It is off in evaluation.
type Augment struct {
	Jitter float64 `json:"jitter"` // deviation of the noise added to each value
	Scale  float64 `json:"scale"`  // deviation of the factor of each sequence, about 1
	Shift  int     `json:"shift"`  // largest shift in time, either way, in steps; 0 comes in
}

// apply changes x [steps, channels] in place.
func (a Augment) apply(x []float32, steps, channels int, rng *rand.Rand) {
	if a.Shift > 0 {
		shift(x, steps, channels, rng.IntN(2*a.Shift+1)-a.Shift)
	}
	if a.Scale > 0 {
		f := float32(1 + a.Scale*rng.NormFloat64())
		for i := range x {
			x[i] *= f
		}
	}
	if a.Jitter > 0 {
		for i := range x {
			x[i] += float32(a.Jitter * rng.NormFloat64())
		}
	}
}

// shift moves x by n steps towards the end (n > 0) or the start.
func shift(x []float32, steps, channels, n int) {
	n = min(max(n, -steps), steps)
	if n >= 0 {
		copy(x[n*channels:], x[:(steps-n)*channels])
		clear(x[:n*channels])
		return
	}
	copy(x, x[-n*channels:])
	clear(x[(steps+n)*channels:])
}
