package train

import (
	"math/rand/v2"
	"slices"
)

// Augment changes the sequences of a training batch at random, so that the model
// sees more than the data holds. It is off in evaluation.
type Augment struct {
	Jitter float64 `json:"jitter"` // deviation of the noise added to each value
	Scale  float64 `json:"scale"`  // deviation of the factor of each sequence, about 1
	Shift  float64 `json:"shift"`  // largest circular shift in time, either way, as a part of the sequence
}

// apply changes x [steps, channels] in place.
func (a Augment) apply(x []float32, steps, channels int, rng *rand.Rand) {
	if most := int(a.Shift * float64(steps)); most > 0 {
		shift(x, steps, channels, rng.IntN(2*most+1)-most)
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

// shift moves x by n steps towards the end, at most steps of them; what leaves it comes
// in at the other end.
func shift(x []float32, steps, channels, n int) {
	n = (n + steps) % steps * channels
	slices.Reverse(x[:len(x)-n])
	slices.Reverse(x[len(x)-n:])
	slices.Reverse(x)
}
