package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShift(t *testing.T) {
	base := []float32{1, 2, 3, 4, 5, 6} // 3 steps of 2
	for _, c := range []struct {
		n    int
		want []float32
	}{
		{0, []float32{1, 2, 3, 4, 5, 6}},
		{1, []float32{5, 6, 1, 2, 3, 4}},
		{-1, []float32{3, 4, 5, 6, 1, 2}},
		{3, []float32{1, 2, 3, 4, 5, 6}},
		{-3, []float32{1, 2, 3, 4, 5, 6}},
	} {
		x := append([]float32(nil), base...)
		shift(x, 3, 2, c.n)
		assert.Equal(t, c.want, x, "by %d", c.n)
	}
}

func TestAugment(t *testing.T) {
	const steps, channels = 101, 7
	apply := func(a Augment, seed uint64) []float32 {
		x := make([]float32, steps*channels)
		for i := range x {
			x[i] = float32(i + 1)
		}
		a.apply(x, steps, channels, rand.New(rand.NewPCG(seed, 0)))
		return x
	}
	plain := apply(Augment{}, 1)
	assert.Equal(t, float32(1), plain[0], "no augmentation changes nothing")
	assert.Equal(t, apply(Augment{Jitter: 0.5}, 1), apply(Augment{Jitter: 0.5}, 1), "seeded")
	assert.NotEqual(t, apply(Augment{Jitter: 0.5}, 1), apply(Augment{Jitter: 0.5}, 2))

	jittered := apply(Augment{Jitter: 0.5}, 3)
	var sum, squares float64
	for i := range plain {
		d := float64(jittered[i] - plain[i])
		sum += d
		squares += d * d
	}
	n := float64(len(plain))
	// Five deviations of the mean and of the variance of 707 normals.
	assert.InDelta(t, 0, sum/n, 5*0.5/math.Sqrt(n))
	assert.InDelta(t, 0.25, squares/n, 5*0.25*math.Sqrt(2/n))

	first := map[float32]bool{}
	for seed := range uint64(1000) {
		first[apply(Augment{Shift: 0.03}, seed)[0]] = true
	}
	assert.Len(t, first, 7, "0.03 of 101 steps is 3, either way")

	scaled := apply(Augment{Scale: 0.2}, 3)
	factor := scaled[0] / plain[0]
	assert.NotEqual(t, float32(1), factor)
	for i := range plain {
		assert.InEpsilon(t, factor, scaled[i]/plain[i], 1e-6, "one factor for the sequence")
	}
}
