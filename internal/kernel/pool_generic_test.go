package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// poolShapes have no padding, some, and all but one step of it.
var poolShapes = []struct {
	batch, steps, cols int
	first              []int
}{
	{1, 1, 1, nil},
	{3, 11, 13, nil},
	{3, 11, 13, []int{0, 4, 10}},
	{2, 67, 17, []int{66, 0}},
	{0, 11, 13, nil},
}

// padded overwrites the steps before the first real one with NaN.
func padded(x []float32, first []int, batch, steps, cols int) []float32 {
	x = slices.Clone(x)
	for b := range batch {
		for i := range startOf(first, b) * cols {
			x[b*steps*cols+i] = nan()
		}
	}
	return x
}

func TestMeanPool(t *testing.T) {
	for _, s := range poolShapes {
		x := padded(noise(1, s.batch*s.steps*s.cols, 1), s.first, s.batch, s.steps, s.cols)
		var want []float32
		for b := range s.batch {
			for j := range s.cols {
				start := startOf(s.first, b)
				var sum float32
				for step := start; step < s.steps; step++ {
					sum = add32(sum, x[(b*s.steps+step)*s.cols+j])
				}
				want = append(want, div32(sum, float32(s.steps-start)))
			}
		}
		y := guarded(t, s.batch*s.cols)
		MeanPool(y, x, s.first, s.batch, s.steps, s.cols)
		sameBits(t, want, y, "%+v", s)
	}
	panicsWith(t, "x", 12, 13, func() { MeanPool(make([]float32, 13), make([]float32, 12), nil, 1, 1, 13) })
	panicsWith(t, "y", 12, 13, func() { MeanPool(make([]float32, 12), make([]float32, 13), nil, 1, 1, 13) })
}

// TestMeanPoolOrder: the chain ascends in time. 2^24 and then ones lose every one.
func TestMeanPoolOrder(t *testing.T) {
	x := slices.Repeat([]float32{1}, 16)
	x[0] = 1 << 24
	y := guarded(t, 1)
	MeanPool(y, x, nil, 1, 16, 1)
	sameBits(t, []float32{1 << 20}, y, "one ascending chain")
}

func TestMeanPoolBackward(t *testing.T) {
	for _, s := range poolShapes {
		dy := noise(2, s.batch*s.cols, 1)
		want := make([]float32, s.batch*s.steps*s.cols)
		for b := range s.batch {
			for step := startOf(s.first, b); step < s.steps; step++ {
				for j := range s.cols {
					want[(b*s.steps+step)*s.cols+j] = div32(dy[b*s.cols+j], float32(s.steps-startOf(s.first, b)))
				}
			}
		}
		dx := guarded(t, len(want))
		MeanPoolBackward(dx, dy, s.first, s.batch, s.steps, s.cols)
		sameBits(t, want, dx, "%+v", s)
	}
	panicsWith(t, "dx", 12, 13, func() { MeanPoolBackward(make([]float32, 12), make([]float32, 13), nil, 1, 1, 13) })
	panicsWith(t, "dy", 12, 13, func() { MeanPoolBackward(make([]float32, 13), make([]float32, 12), nil, 1, 1, 13) })
}

func TestCopyReal(t *testing.T) {
	for _, s := range poolShapes {
		x := padded(noise(3, s.batch*s.steps*s.cols, 1), s.first, s.batch, s.steps, s.cols)
		want := slices.Clone(x)
		for b := range s.batch {
			clear(want[b*s.steps*s.cols:][:startOf(s.first, b)*s.cols])
		}
		y := guarded(t, len(x))
		CopyReal(y, x, s.first, s.batch, s.steps, s.cols)
		sameBits(t, want, y, "%+v", s)
		y = guardedCopy(t, x)
		CopyReal(y, y, s.first, s.batch, s.steps, s.cols)
		sameBits(t, want, y, "in place, %+v", s)
	}
	panicsWith(t, "x", 12, 13, func() { CopyReal(make([]float32, 13), make([]float32, 12), nil, 1, 1, 13) })
	panicsWith(t, "y", 12, 13, func() { CopyReal(make([]float32, 12), make([]float32, 13), nil, 1, 1, 13) })
}

// randomFirst draws a first real step for each sequence, 0 and the last included.
func randomFirst(rng *rand.Rand, batch, steps int) []int {
	first := make([]int, batch)
	for b := range first {
		first[b] = rng.IntN(steps)
	}
	if batch > 1 {
		first[0], first[1] = 0, steps-1
	}
	return first
}
