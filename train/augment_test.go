package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/preprocess"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		shift(x, 3, c.n)
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
		a.apply(x, steps, preprocess.Identity(channels), rand.New(rand.NewPCG(seed, 0)))
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

// TestAugmentRecorded augments what was recorded, in the units of its channels, and
// frames it then: frames that overlap agree, and what is missing stays missing.
func TestAugmentRecorded(t *testing.T) {
	const steps = 41
	p := &preprocess.Pipeline{
		Channels: []string{"a", "b"}, Frame: 3, Hop: 1, Window: steps - 2, Missing: true,
		Scale: preprocess.Scaler{Mean: []float64{100, -5}, Std: []float64{10, 0.1}},
	}
	var recorded []float32
	for i := range steps {
		recorded = append(recorded, 100+float32(i), -5)
	}
	recorded[7*2+1] = float32(math.NaN())
	set := &dataset.Set{
		Steps: p.Window, Channels: p.Features(), Classes: []string{"x", "y"}, Labels: []int{1},
		Values: make([]float32, p.Window*p.Features()), Recorded: [][]float32{recorded}, Pipeline: p,
	}
	_, err := p.ApplyPadded(set.Values, recorded, steps)
	require.NoError(t, err)
	augmented := func(a Augment) []float32 {
		c := toyConfig()
		c.Augment = a
		tr := trainerOf(t, c, set)
		b, err := tr.newBatch(1)
		require.NoError(t, err)
		require.NoError(t, b.add(set.Example(0)))
		return b.p.x.Float32s()
	}
	assert.Equal(t, set.Values, augmented(Augment{}))
	before := slices.Clone(recorded[:14])
	x := augmented(Augment{Jitter: 0.5, Scale: 0.2, Shift: 0.1})
	assert.Equal(t, before, recorded[:14], "the data itself stays as it is")
	assert.NotEqual(t, set.Values, x)
	for i := range p.Window - 1 {
		row, next := x[i*6:(i+1)*6], x[(i+1)*6:(i+2)*6]
		require.Equal(t, row[2:], next[:4], "frames %d and %d share two steps", i, i+1)
	}
	jittered := augmented(Augment{Jitter: 0.5})
	var squares [2]float64
	for i := range steps - 2 {
		for c := range 2 {
			d := float64(jittered[i*6+c] - set.Values[i*6+c])
			squares[c] += d * d / (steps - 2)
		}
	}
	// Of 39 normals with a deviation of 0.5 of a channel's own; 5 deviations of the variance.
	for _, s := range squares {
		assert.InDelta(t, 0.25, s, 5*0.25*math.Sqrt(2.0/39))
	}
	assert.Equal(t, jittered[6*6+1+2], jittered[5*6+1+2], "a missing value is the one before it, noise and all")
}
