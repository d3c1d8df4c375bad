package kernel

import (
	"runtime"
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

// TestBorrowAgain: what was given back is lent again, also after collections, and a
// lender keeps no more than the threads can use.
func TestBorrowAgain(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	const size = 1<<19 + 1 // of a class that nothing else uses
	var lent []*[]float32
	for range 5 {
		lent = append(lent, borrow(size))
	}
	for _, buf := range lent {
		scratch.Put(buf)
	}
	runtime.GC()
	runtime.GC()
	again := map[*[]float32]bool{}
	for range 5 {
		again[borrow(size+1)] = true
	}
	kept := 0
	for _, buf := range lent {
		if again[buf] {
			kept++
		}
	}
	assert.Len(t, again, 5, "nothing is lent twice at a time")
	assert.Equal(t, 3, kept)
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
