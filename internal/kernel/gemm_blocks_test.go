package kernel

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chain is what Gemm promises of every output in the chosen variant: one chain
// over k, from +0 or from what is there.
func (c gemmCase) chain(a, b Matrix, start []float32) []float32 {
	out := make([]float32, c.rows*c.cols)
	if c.accumulate {
		copy(out, start)
	}
	aDown, aStep, bAcross, bStep := a.Stride, 1, 1, b.Stride
	if c.transA {
		aDown, aStep = 1, a.Stride
	}
	if c.transB {
		bAcross, bStep = b.Stride, 1
	}
	for i := range out {
		from, to := i/c.cols*aDown, i%c.cols*bAcross
		for p := range c.k {
			out[i] = step(out[i], a.Data[from+p*aStep], b.Data[to+p*bStep])
		}
	}
	return out
}

// layouts are the eight products of one shape.
func layouts(rows, cols, k int) (cases []gemmCase) {
	for bits := range 8 {
		cases = append(cases, gemmCase{rows, cols, k, bits&1 != 0, bits&2 != 0, bits&4 != 0})
	}
	return cases
}

// checkChain compares Gemm with the chain to the bit.
func checkChain(t *testing.T, c gemmCase) {
	t.Helper()
	a, b := c.operands(t, func(seed uint64, n int) []float32 { return noise(seed, n, 1) })
	beforeA, beforeB := slices.Clone(a.Data), slices.Clone(b.Data)
	start := noise(3, c.rows*c.cols, 1)
	out := view(t, start, c.rows, c.cols, c.cols+11)
	Gemm(out, a, b, c.transA, c.transB, c.accumulate)
	sameBits(t, c.chain(a, b, start), out.values(), "%v", c)
	sameBits(t, beforeA, a.Data, "%v: a", c)
	sameBits(t, beforeB, b.Data, "%v: b", c)
}

// TestGemmIsChain has every remainder of a tile and of a block in every direction.
func TestGemmIsChain(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		shapes := [][3]int{
			{131, 211, 97}, {64, 192, 64}, {37, 41, blockSteps - 1}, {37, 41, blockSteps}, {37, 41, blockSteps + 1}, {11, 17, 4*blockSteps + 7},
			{blockRows + 11, 67, 13}, {2*blockRows + 1, 33, 11}, {29, blockCols + 1, 13}, {3, 2*blockCols + 35, 11}, {61, blockCols + 41, blockSteps + 3},
		}
		for n := 1; n < longest; n++ {
			shapes = append(shapes, [3]int{n, 13, 11}, [3]int{11, n, 13}, [3]int{13, 11, n}, [3]int{n, n, n})
		}
		for _, s := range shapes {
			for _, c := range layouts(s[0], s[1], s[2]) {
				checkChain(t, c)
			}
		}
	})
}

// TestGemmPowerOfTwo has strides at which rows share cache sets, which some
// operands are copied for.
func TestGemmPowerOfTwo(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, stride := range []int{256, 1024, 4096} {
			for _, c := range layouts(67, 71, 73) {
				a, b := Dense(noise(1, 73*stride, 1), c.rows, c.k), Dense(noise(2, 73*stride, 1), c.k, c.cols)
				if c.transA {
					a.Rows, a.Cols = c.k, c.rows
				}
				if c.transB {
					b.Rows, b.Cols = c.cols, c.k
				}
				a.Stride, b.Stride = stride, stride
				start := noise(3, c.rows*stride, 1)
				out := Matrix{Data: guardedCopy(t, start[:(c.rows-1)*stride+c.cols]), Rows: c.rows, Cols: c.cols, Stride: stride}
				Gemm(out, a, b, c.transA, c.transB, c.accumulate)
				before := Matrix{Data: start, Rows: c.rows, Cols: c.cols, Stride: stride}.values()
				sameBits(t, c.chain(a, b, before), out.values(), "%v, stride %d", c, stride)
				for i, v := range out.Data {
					require.True(t, i%stride < c.cols || v == start[i], "%v, stride %d: element %d between the rows was written", c, stride, i)
				}
			}
		}
	})
}

// TestGemmAlignment: bits do not depend on where the operands lie.
func TestGemmAlignment(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range layouts(29, 37, 31) {
			start := noise(3, c.rows*c.cols, 1)
			x, y := c.dense()
			want := c.chain(x, y, start)
			for offset := range 16 {
				shift := func(data []float32, by int) []float32 {
					buf := guarded(t, len(data)+by)
					copy(buf[by:], data)
					return buf[by:]
				}
				a, b := x, y
				a.Data, b.Data = shift(x.Data, offset), shift(y.Data, (offset*7+3)%16)
				out := Dense(shift(start, (offset*5+1)%16), c.rows, c.cols)
				Gemm(out, a, b, c.transA, c.transB, c.accumulate)
				sameBits(t, want, out.Data, "%v, offset %d", c, offset)
			}
		}
	})
}

// TestGemmAlone: a row, a column and a block have the bits that they have in the
// whole, whichever rows and columns are beside them.
func TestGemmAlone(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range layouts(41, 83, blockSteps+67) {
			if c.accumulate {
				continue
			}
			a, b := c.dense()
			whole := Dense(make([]float32, c.rows*c.cols), c.rows, c.cols)
			Gemm(whole, a, b, c.transA, c.transB, false)
			block := func(i0, i1, j0, j1 int) {
				part := func(m Matrix, trans bool, lo, hi int) Matrix {
					if trans {
						return m.Columns(lo, hi)
					}
					return Matrix{Data: m.Data[lo*m.Stride:], Rows: hi - lo, Cols: m.Cols, Stride: m.Stride}
				}
				out := view(t, make([]float32, (i1-i0)*(j1-j0)), i1-i0, j1-j0, j1-j0+5)
				Gemm(out, part(a, c.transA, i0, i1), part(b, !c.transB, j0, j1), c.transA, c.transB, false)
				want := part(whole, false, i0, i1).Columns(j0, j1).values()
				sameBits(t, want, out.values(), "%v: rows %d to %d, columns %d to %d", c, i0, i1, j0, j1)
			}
			for i := range c.rows {
				block(i, i+1, 0, c.cols)
			}
			for j := range c.cols {
				block(0, c.rows, j, j+1)
			}
			block(5, 36, 7, 79)
			block(40, 41, 82, 83)
		}
	})
}

// TestGemmThreads: the number of threads, and so where the work is cut, is nothing
// to the bits.
func TestGemmThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	eachVariant(t, func(t *testing.T) {
		for _, c := range layouts(101, 131, 67) {
			a, b := c.dense()
			start := noise(3, c.rows*c.cols, 1)
			want := c.chain(a, b, start)
			for _, procs := range []int{1, 2, 3, 4, 5, 7, 13, 64, 1000} {
				runtime.GOMAXPROCS(procs)
				out := guardedCopy(t, start)
				Gemm(Dense(out, c.rows, c.cols), a, b, c.transA, c.transB, c.accumulate)
				sameBits(t, want, out, "%v, procs %d", c, procs)
			}
		}
	})
}

// TestGemmSpread: what is not finite stays in its row and its column, also where
// the buffers of a product held NaN before.
func TestGemmSpread(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range layouts(29, 37, 31) {
			a, b := c.dense()
			aRow, aStep, bCol := a.Stride, 1, 1
			if c.transA {
				aRow, aStep = 1, a.Stride
			}
			if c.transB {
				bCol = b.Stride
			}
			a.Data[17*aRow+5*aStep], b.Data[23*bCol] = nan(), float32(math.Inf(1))
			dirty := borrow(1 << 16)
			for i := range *dirty {
				(*dirty)[i] = nan()
			}
			scratch.Put(dirty)
			out := make([]float32, c.rows*c.cols)
			Gemm(Dense(out, c.rows, c.cols), a, b, c.transA, c.transB, c.accumulate)
			for i, v := range out {
				finite := v-v == 0
				require.Equal(t, i/c.cols != 17 && i%c.cols != 23, finite, "%v: row %d, column %d: %v", c, i/c.cols, i%c.cols, v)
			}
		}
	})
}

// maxGemmAllocations: the work itself, and what the threads need.
const maxGemmAllocations = 8

func TestGemmAllocations(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range layouts(101, 131, 67) {
			a, b := c.dense()
			out := Dense(make([]float32, c.rows*c.cols), c.rows, c.cols)
			n := testing.AllocsPerRun(11, func() { Gemm(out, a, b, c.transA, c.transB, c.accumulate) })
			assert.LessOrEqual(t, n, float64(maxGemmAllocations), "%v", c)
		}
	})
}
