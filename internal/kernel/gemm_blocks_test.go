package kernel

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// problem is a product with what Gemm promises of it in the chosen variant: every
// output one chain over k, from +0 or from what is there.
type problem struct {
	rows, cols, k int
	a, b, start   []float32 // row-major
	want, added   []float32
}

func newProblem(rows, cols, k int) *problem {
	p := &problem{rows: rows, cols: cols, k: k, a: noise(1, rows*k, 1), b: noise(2, k*cols, 1), start: noise(3, rows*cols, 1)}
	p.want, p.added = make([]float32, rows*cols), slices.Clone(p.start)
	for _, out := range [][]float32{p.want, p.added} {
		for i := range rows {
			for q, x := range p.a[i*k : (i+1)*k] {
				row := out[i*cols : (i+1)*cols]
				for j, y := range p.b[q*cols : (q+1)*cols] {
					row[j] = step(row[j], x, y)
				}
			}
		}
	}
	return p
}

// place puts a dense matrix somewhere.
type place func(data []float32, rows, cols int) Matrix

// check computes the problem with operands as they are and transposed, written and
// added, and compares to the bit.
func (p *problem) check(t *testing.T, a, b, c place) {
	t.Helper()
	for _, layout := range layouts(p.rows, p.cols, p.k) {
		left, right := a.maybeTransposed(p.a, p.rows, p.k, layout.transA), b.maybeTransposed(p.b, p.k, p.cols, layout.transB)
		beforeA, beforeB := slices.Clone(left.Data), slices.Clone(right.Data)
		start, want := slices.Repeat([]float32{nan()}, p.rows*p.cols), p.want
		if layout.accumulate {
			start, want = p.start, p.added
		}
		out := c(start, p.rows, p.cols)
		Gemm(out, left, right, layout.transA, layout.transB, layout.accumulate)
		sameBits(t, want, out.values(), "%v", layout)
		sameBits(t, beforeA, left.Data, "%v: a", layout)
		sameBits(t, beforeB, right.Data, "%v: b", layout)
	}
}

func (f place) maybeTransposed(data []float32, rows, cols int, transposed bool) Matrix {
	if !transposed {
		return f(data, rows, cols)
	}
	turned := make([]float32, len(data))
	for i := range rows {
		for j := range cols {
			turned[j*rows+i] = data[i*cols+j]
		}
	}
	return f(turned, cols, rows)
}

// layouts are the eight products of one shape.
func layouts(rows, cols, k int) (cases []gemmCase) {
	for bits := range 8 {
		cases = append(cases, gemmCase{rows, cols, k, bits&1 != 0, bits&2 != 0, bits&4 != 0})
	}
	return cases
}

// apart places rows with canaries between them.
func apart(t *testing.T, gap int) place {
	return func(data []float32, rows, cols int) Matrix { return view(t, data, rows, cols, cols+gap) }
}

// TestGemmIsChain has every remainder of a tile and of a block in every direction.
func TestGemmIsChain(t *testing.T) {
	shapes := [][3]int{
		{131, 211, 97}, {64, 192, 64}, {37, 41, blockSteps - 1}, {37, 41, blockSteps}, {37, 41, blockSteps + 1}, {11, 17, 4*blockSteps + 7},
		{blockRows + 11, 67, 13}, {2*blockRows + 1, 33, 11}, {29, blockCols + 1, 13}, {3, 2*blockCols + 35, 11}, {61, blockCols + 41, blockSteps + 3},
	}
	for n := 1; n < longest; n++ {
		shapes = append(shapes, [3]int{n, 13, 11}, [3]int{11, n, 13}, [3]int{13, 11, n}, [3]int{n, n, n})
	}
	eachVariant(t, func(t *testing.T) {
		for _, s := range shapes {
			newProblem(s[0], s[1], s[2]).check(t, apart(t, 5), apart(t, 7), apart(t, 11))
		}
	})
}

// TestGemmFarApart has the strides at which operands are copied, among them those
// at which rows share the sets of a cache.
func TestGemmFarApart(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		// Wide enough for packPanels, high enough for packTiles, in every variant.
		p := newProblem(101, 3*32+5, 73)
		for _, stride := range []int{packStride - 1, packStride, packPower, 2 * packPower} {
			far := func(data []float32, rows, cols int) Matrix { return view(t, data, rows, cols, stride) }
			p.check(t, far, far, far)
		}
	})
}

// TestGemmAlignment: bits do not depend on where the operands lie.
func TestGemmAlignment(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for offset := range 16 {
			shifted := func(by int) place {
				return func(data []float32, rows, cols int) Matrix {
					buf := guarded(t, len(data)+by)
					copy(buf[by:], data)
					return Dense(buf[by:], rows, cols)
				}
			}
			newProblem(29, 37, 31).check(t, shifted(offset), shifted((offset*7+3)%16), shifted((offset*5+1)%16))
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
		p := newProblem(101, 131, 67)
		for _, procs := range []int{1, 2, 3, 4, 5, 7, 13, 64, 1000} {
			runtime.GOMAXPROCS(procs)
			p.check(t, Dense, Dense, apart(t, 3))
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
