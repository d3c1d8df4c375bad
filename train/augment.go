package train

import (
	"math/rand/v2"
	"slices"

	"github.com/qat-go/qat/preprocess"
)

// Augment changes the sequences of a training batch at random, as they were recorded and
// before frames are made, so that the model sees more than the data holds. It is off in
// evaluation.
type Augment struct {
	Jitter float64 `json:"jitter"` // deviation of the noise added to each value, in deviations of its channel
	Scale  float64 `json:"scale"`  // deviation of the factor of each sequence, about 1
	Shift  float64 `json:"shift"`  // largest circular shift in time, either way, as a part of the sequence
}

// apply changes x [steps, channels] in place, in the units of scale. Missing values stay
// missing.
func (a Augment) apply(x []float32, steps int, scale preprocess.Scaler, rng *rand.Rand) {
	if a.Shift > 0 {
		most := int(a.Shift * float64(steps))
		shift(x, steps, rng.IntN(2*most+1)-most)
	}
	channels := len(scale.Mean)
	if a.Scale > 0 {
		f := 1 + a.Scale*rng.NormFloat64()
		for i, v := range x {
			mean := scale.Mean[i%channels]
			x[i] = float32((float64(v)-mean)*f + mean)
		}
	}
	if a.Jitter > 0 {
		for i, v := range x {
			x[i] = float32(float64(v) + a.Jitter*scale.Std[i%channels]*rng.NormFloat64())
		}
	}
}

// shift moves x by n steps towards the end, at most steps of them; what leaves it comes
// in at the other end.
func shift(x []float32, steps, n int) {
	n = (n + steps) % steps * (len(x) / steps)
	slices.Reverse(x[:len(x)-n])
	slices.Reverse(x[len(x)-n:])
	slices.Reverse(x)
}
