package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBorrow(t *testing.T) {
	for _, n := range []int{0, 1, 67, 11, 1009, 13} {
		buf := borrow(n)
		assert.Len(t, *buf, n, "a borrowed buffer has the length asked for")
		for i := range *buf {
			(*buf)[i] = nan() // the next borrower may not rely on zeros
		}
		scratch.Put(buf)
	}
}

// TestScratchIsNotRead: results do not depend on what a buffer held before.
func TestScratchIsNotRead(t *testing.T) {
	const rows, cols = 37, 13
	a := Attention{Batch: 2, Steps: 11, Heads: 1, HeadSize: cols, Keep: 11}
	x, qkv := noise(1, rows*cols, 1), noise(2, a.Batch*a.Steps*3*cols, 1)
	run := func() []float32 {
		sums, out := make([]float32, cols), make([]float32, a.Batch*a.Steps*cols)
		weights, dqkv := make([]float32, a.Weights()), make([]float32, len(qkv))
		ColumnSums(sums, x, rows, cols, cols)
		a.Forward(out, weights, qkv, nil)
		a.Backward(dqkv, out, weights, qkv, nil)
		return append(append(sums, out...), dqkv...)
	}
	want := run()
	dirty := borrow(1 << 14)
	for i := range *dirty {
		(*dirty)[i] = nan()
	}
	scratch.Put(dirty)
	sameBits(t, want, run(), "after a dirty buffer")
}
