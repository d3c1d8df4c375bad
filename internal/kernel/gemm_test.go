package kernel

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gemmBound bounds the error of a float32 dot product of k terms, in any order,
// with or without fused steps: k half-ulps of the sum of magnitudes, and one
// more for the addition to c.
func gemmBound(k int, magnitude float64) float64 { return float64(k+1) * 0x1p-24 * magnitude }

// view is a matrix inside a larger, guarded one: stride columns apart, starting
// at column 3, with canaries between the rows.
func view(t *testing.T, data []float32, rows, cols, stride int) Matrix {
	t.Helper()
	require.GreaterOrEqual(t, stride, cols+3)
	buf := guarded(t, rows*stride+3)
	for i := range rows {
		copy(buf[i*stride+3:], data[i*cols:(i+1)*cols])
	}
	outside := slices.Clone(buf)
	t.Cleanup(func() {
		for i, v := range buf {
			if row, col := i/stride, i%stride-3; (col < 0 || col >= cols || row >= rows) && math.Float32bits(v) != math.Float32bits(outside[i]) {
				t.Errorf("element %d between the rows of a %dx%d matrix was written", i, rows, cols)
				return
			}
		}
	})
	return Matrix{Data: buf, Rows: rows, Cols: stride, Stride: stride}.Columns(3, 3+cols)
}

func (m Matrix) at(i, j int) float64 { return float64(m.Data[i*m.Stride+j]) }

func (m Matrix) values() []float32 {
	var v []float32
	for i := range m.Rows {
		v = append(v, m.Data[i*m.Stride:][:m.Cols]...)
	}
	return v
}

// product returns a*b and the sums of the magnitudes of its terms, in float64.
func product(a, b Matrix, transA, transB bool, rows, cols, k int) (sum, magnitude []float64) {
	for i := range rows {
		for j := range cols {
			var s, m float64
			for p := range k {
				var x, y float64
				if transA {
					x = a.at(p, i)
				} else {
					x = a.at(i, p)
				}
				if transB {
					y = b.at(j, p)
				} else {
					y = b.at(p, j)
				}
				s += x * y
				m += math.Abs(x * y)
			}
			sum, magnitude = append(sum, s), append(magnitude, m)
		}
	}
	return sum, magnitude
}

type gemmCase struct {
	rows, cols, k              int
	transA, transB, accumulate bool
}

func (c gemmCase) String() string {
	letter := map[bool]string{false: "n", true: "t"}
	return fmt.Sprintf("%s%s/%dx%dx%d/accumulate=%v", letter[c.transA], letter[c.transB], c.rows, c.cols, c.k, c.accumulate)
}

func gemmCases() (cases []gemmCase) {
	shapes := [][3]int{{1, 1, 1}, {1, 67, 11}, {11, 1, 13}, {13, 17, 1}, {11, 13, 17}, {17, 11, 67}, {67, 71, 73}, {131, 211, 97}, {64, 192, 64}, {65, 193, 63}}
	for _, s := range shapes {
		for bits := range 8 {
			cases = append(cases, gemmCase{s[0], s[1], s[2], bits&1 != 0, bits&2 != 0, bits&4 != 0})
		}
	}
	return cases
}

// operands returns strided a and b of c's shapes made from data(seed, n).
func (c gemmCase) operands(t *testing.T, data func(seed uint64, n int) []float32) (a, b Matrix) {
	t.Helper()
	ar, ac, br, bc := c.rows, c.k, c.k, c.cols
	if c.transA {
		ar, ac = ac, ar
	}
	if c.transB {
		br, bc = bc, br
	}
	return view(t, data(1, ar*ac), ar, ac, ac+5), view(t, data(2, br*bc), br, bc, bc+7)
}

func TestGemm(t *testing.T) { eachVariant(t, testGemm) }

func testGemm(t *testing.T) {
	for _, c := range gemmCases() {
		t.Run(c.String(), func(t *testing.T) {
			a, b := c.operands(t, func(seed uint64, n int) []float32 { return noise(seed, n, 1) })
			beforeA, beforeB := slices.Clone(a.Data), slices.Clone(b.Data)
			start := slices.Repeat([]float32{nan()}, c.rows*c.cols) // overwritten, not scaled by 0
			if c.accumulate {
				start = noise(3, c.rows*c.cols, 1)
			}
			sum, magnitude := product(a, b, c.transA, c.transB, c.rows, c.cols, c.k)
			var first []float32
			withProcs(func(procs int) {
				out := view(t, start, c.rows, c.cols, c.cols+11)
				Gemm(out, a, b, c.transA, c.transB, c.accumulate)
				got := out.values()
				for i, v := range got {
					want, size := sum[i], magnitude[i]
					if c.accumulate {
						want, size = want+float64(start[i]), size+math.Abs(float64(start[i]))
					}
					if diff := math.Abs(float64(v) - want); !(diff <= gemmBound(c.k, size)) {
						require.FailNow(t, "too far", "element %d: got %v, want %v within %v", i, v, want, gemmBound(c.k, size))
					}
				}
				if first == nil {
					first = got
				}
				sameBits(t, first, got, "procs %d", procs)
			})
			sameBits(t, beforeA, a.Data, "a")
			sameBits(t, beforeB, b.Data, "b")
		})
	}
}

// TestGemmCodes: with codes the product is exact.
func TestGemmCodes(t *testing.T) { eachVariant(t, testGemmCodes) }

func testGemmCodes(t *testing.T) {
	for _, c := range gemmCases() {
		a, b := c.operands(t, func(seed uint64, n int) []float32 { return integers(seed, n, 127) })
		start := integers(3, c.rows*c.cols, 1000)
		out := view(t, start, c.rows, c.cols, c.cols+11)
		Gemm(out, a, b, c.transA, c.transB, c.accumulate)
		sum, _ := product(a, b, c.transA, c.transB, c.rows, c.cols, c.k)
		want := make([]float32, len(sum))
		for i, v := range sum {
			if c.accumulate {
				v += float64(start[i])
			}
			want[i] = float32(v)
		}
		sameBits(t, want, out.values(), "%v", c)
	}
}

// TestGemmCodesLimit has the largest products that are exact in any order, one for
// each largest code; see quant.MaxExactIn.
func TestGemmCodesLimit(t *testing.T) { eachVariant(t, testGemmCodesLimit) }

func testGemmCodesLimit(t *testing.T) {
	for code, in := range map[float32]int{1: 132104, 7: 18872, 127: 1040} {
		x, w := slices.Repeat([]float32{127}, in), slices.Repeat([]float32{code}, in*2)
		for i := range in {
			w[2*i+1] = -code
		}
		w[2*in-2] = code - 1 // an odd sum next to the limit
		out := guarded(t, 2)
		Gemm(Dense(out, 1, 2), Dense(x, 1, in), Dense(w, in, 2), false, false, false)
		full := float64(in) * 127 * float64(code)
		require.LessOrEqual(t, full, float64(1<<24))
		sameBits(t, []float32{float32(full - 127), float32(-full)}, out, "code %v, in %d", code, in)
	}
}

func TestGemmEmpty(t *testing.T) { eachVariant(t, testGemmEmpty) }

func testGemmEmpty(t *testing.T) {
	for _, c := range [][3]int{{0, 13, 11}, {11, 0, 13}, {0, 0, 0}} {
		assert.NotPanics(t, func() {
			Gemm(Dense(nil, c[0], c[1]), Dense(make([]float32, c[0]*c[2]), c[0], c[2]), Dense(make([]float32, c[2]*c[1]), c[2], c[1]), false, false, false)
		}, "%v", c)
	}
	// No terms: the sum is 0, or what was there.
	y := guarded(t, 11*13)
	Gemm(Dense(y, 11, 13), Dense(nil, 11, 0), Dense(nil, 0, 13), false, false, false)
	sameBits(t, make([]float32, 11*13), y, "k = 0")
	start := noise(1, 11*13, 1)
	y = guardedCopy(t, start)
	Gemm(Dense(y, 11, 13), Dense(nil, 11, 0), Dense(nil, 0, 13), false, false, true)
	sameBits(t, start, y, "k = 0, accumulated")
}

func TestGemmShort(t *testing.T) {
	c, a, b := make([]float32, 11*13), make([]float32, 11*17), make([]float32, 17*13)
	run := func(c, a, b []float32) func() {
		return func() { Gemm(Dense(c, 11, 13), Dense(a, 11, 17), Dense(b, 17, 13), false, false, false) }
	}
	assert.NotPanics(t, run(c, a, b))
	panicsWith(t, "c", 11*13-1, 11*13, run(c[:11*13-1:11*13-1], a, b))
	panicsWith(t, "a", 11*17-1, 11*17, run(c, a[:11*17-1:11*17-1], b))
	panicsWith(t, "b", 17*13-1, 17*13, run(c, a, b[:17*13-1:17*13-1]))
	product := func(c, a, b Matrix, transA bool) string {
		return panicOf(func() { Gemm(c, a, b, transA, false, false) })
	}
	assert.Equal(t, "kernel: a product of 11x17 and 16x13 is not 11x13", product(Dense(c, 11, 13), Dense(a, 11, 17), Dense(b, 16, 13), false))
	assert.Equal(t, "kernel: a product of 11x17 and 17x13 is not 10x13", product(Dense(c, 10, 13), Dense(a, 11, 17), Dense(b, 17, 13), false))
	assert.Equal(t, "kernel: a product of 11x17 and 17x13 is not 11x12", product(Dense(c, 11, 12), Dense(a, 11, 17), Dense(b, 17, 13), false))
	assert.Equal(t, "kernel: a product of 17x11 and 17x13 is not 11x13", product(Dense(c, 11, 13), Dense(a, 11, 17), Dense(b, 17, 13), true))
}

func TestMatrixEveryLast(t *testing.T) {
	const batch, steps, cols, stride = 3, 11, 5, 7
	data := noise(1, batch*steps*stride, 1)
	m := Matrix{Data: data, Rows: batch * steps, Cols: stride, Stride: stride}.Columns(1, 1+cols)
	last := m.EveryLast(steps)
	require.Equal(t, batch, last.Rows)
	require.Equal(t, cols, last.Cols)
	for b := range batch {
		for j := range cols {
			assert.Equal(t, m.at(b*steps+steps-1, j), last.at(b, j), "sequence %d, column %d", b, j)
		}
	}
	assert.Equal(t, m, m.EveryLast(1), "the last of one is all")
	assert.Zero(t, Dense(nil, 0, cols).EveryLast(steps).Rows, "no rows")

	// A product of such rows is the product of the rows.
	w, bias := noise(2, cols*13, 1), make([]float32, 13)
	got, want := guarded(t, batch*13), make([]float32, batch*steps*13)
	Gemm(Dense(got, batch, 13), last, Dense(w, cols, 13), false, false, false)
	Chain(want, m.values(), w, bias, batch*steps)
	wide64 := wide(Dense(want, batch*steps, 13).EveryLast(steps).values())
	within(t, wide64, got, gemmBound(cols, cols), "product of last rows")
}

func codes8(seed uint64, n, limit int) []int8 {
	x := make([]int8, n)
	for i, v := range integers(seed, n, limit) {
		x[i] = int8(v)
	}
	return x
}

func TestChain(t *testing.T) { eachVariant(t, testChain) }

func testChain(t *testing.T) {
	for _, s := range []struct{ rows, in, out int }{{0, 11, 13}, {1, 1, 1}, {11, 13, 17}, {3, 67, 5}, {13, 1009, 11}, {211, 61, 37}, {5, 0, 3}} {
		x, w, bias := noise(1, s.rows*s.in, 1), noise(2, s.in*s.out, 1), noise(3, s.out, 1)
		var want []float32
		for i := range s.rows {
			for j := range s.out {
				var sum float32
				for k := range s.in {
					sum = add32(sum, mul32(x[i*s.in+k], w[k*s.out+j]))
				}
				want = append(want, add32(sum, bias[j]))
			}
		}
		withProcs(func(procs int) {
			y := guarded(t, s.rows*s.out)
			Chain(y, x, w, bias, s.rows)
			sameBits(t, want, y, "%+v, procs %d", s, procs)
		})
	}
}

// TestChainOrder: from the first input on, the bias last, nothing fused.
func TestChainOrder(t *testing.T) { eachVariant(t, testChainOrder) }

func testChainOrder(t *testing.T) {
	y := guarded(t, 1)
	Chain(y, []float32{1 << 24, 1, 1, 1}, []float32{1, 1, 1, 1}, []float32{4}, 1)
	sameBits(t, []float32{1<<24 + 4}, y, "ones are lost one by one, the bias is not")
	// 4097^2 = 2^24 + 2^13 + 1 is rounded to even before -2^24 - 2^13 meets it.
	Chain(y, []float32{-(1<<24 + 1<<13), 4097}, []float32{1, 4097}, []float32{0}, 1)
	sameBits(t, []float32{0}, y, "a fused product would leave 1")
}

func TestChainShort(t *testing.T) {
	x, w, y := make([]float32, 11*13), make([]float32, 13*17), make([]float32, 11*17)
	panicsWith(t, "x", 11*13-1, 11*13, func() { Chain(y, x[1:], w, make([]float32, 17), 11) })
	panicsWith(t, "y", 11*17-1, 11*17, func() { Chain(y[1:], x, w, make([]float32, 17), 11) })
}

// TestGemm_allocations: a product that is split allocates nothing once it is warm, but
// for helpers; one thread has none.
func TestGemm_allocations(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	a, b, c := Dense(noise(1, 61*67, 1), 61, 67), Dense(noise(2, 67*71, 1), 67, 71), Dense(make([]float32, 61*71), 61, 71)
	eachVariant(t, func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(10, func() { Gemm(c, a, b, false, false, false) }))
	})
}

// Operands of one row or column, whose stride is 1, in every layout.
func TestGemm_lines(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 1, 7}, {1, 5, 7}, {5, 1, 7}, {5, 7, 1}, {1, 1, 1}, {1, 97, 131}, {97, 1, 131}} {
			for bits := range 4 {
				c := gemmCase{rows: s[0], cols: s[1], k: s[2], transA: bits&1 != 0, transB: bits&2 != 0}
				a, b := c.dense()
				got := Dense(guarded(t, c.rows*c.cols), c.rows, c.cols)
				Gemm(got, a, b, c.transA, c.transB, false)
				sum, magnitude := product(a, b, c.transA, c.transB, c.rows, c.cols, c.k)
				for i, v := range got.Data {
					require.InDelta(t, sum[i], v, gemmBound(c.k, magnitude[i]), "%v: element %d", c, i)
				}
			}
		}
	})
}
