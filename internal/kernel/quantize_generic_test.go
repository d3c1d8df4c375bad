package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRoundHalfEven(t *testing.T) {
	tests := map[string]struct{ x, want float32 }{
		"tie to 0":       {0.5, 0},
		"tie up to 2":    {1.5, 2},
		"tie down to 2":  {2.5, 2},
		"tie up to 4":    {3.5, 4},
		"negative tie 0": {-0.5, 0},
		"negative 1.5":   {-1.5, -2},
		"negative 2.5":   {-2.5, -2},
		"below a tie":    {math.Nextafter32(0.5, 0), 0},
		"above a tie":    {math.Nextafter32(0.5, 1), 1},
		"126.5":          {126.5, 126},
		"-126.5":         {-126.5, -126},
		"whole":          {-127, -127},
		"negative zero":  {negZero(), 0},
		"subnormal":      {-math.SmallestNonzeroFloat32, 0},
		"near the limit": {1<<22 - 0.5, 1 << 22},
		"other end":      {-(1<<22 - 1.5), -(1<<22 - 2)},
	}
	for name, tt := range tests {
		sameBits(t, []float32{tt.want}, []float32{RoundHalfEven(tt.x)}, "%s", name)
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-(1<<22)+1, 1<<22-1).Draw(t, "x")
		if got, want := RoundHalfEven(x), float32(math.RoundToEven(float64(x))); got != want {
			t.Fatalf("RoundHalfEven(%v): got %v, want %v", x, got, want)
		}
	})
}

func TestRowScale(t *testing.T) {
	assert.Equal(t, float32(1), RowScale(127))
	assert.Equal(t, float32(1e-5)/127, RowScale(0), "a row of zeros")
	assert.Equal(t, float32(1e-5)/127, RowScale(9e-6), "below the least")
	assert.Equal(t, float32(2e-5)/127, RowScale(2e-5), "above the least")
}

// rowLiteral is QuantizeRow from its definition, by way of float64.
func rowLiteral(x []float32) (codes []float32, scale float32) {
	largest := float32(1e-5)
	for _, v := range x {
		largest = max(largest, float32(math.Abs(float64(v))))
	}
	scale = div32(largest, 127)
	codes = make([]float32, len(x))
	for i, v := range x {
		codes[i] = float32(math.RoundToEven(float64(div32(v, scale)))) + 0 // -0 becomes +0
	}
	return codes, scale
}

func TestQuantizeRow(t *testing.T) {
	for _, size := range []float32{0, 1e-42, 1e-7, 1e-5, 1, 127, 1e20, math.MaxFloat32} {
		for n := range longest {
			x := noise(uint64(n), n, size)
			before := slices.Clone(x)
			codes := guarded(t, n)
			scale, ok := QuantizeRow(codes, x)
			want, wantScale := rowLiteral(x)
			assert.True(t, ok)
			sameBits(t, []float32{wantScale}, []float32{scale}, "scale of %d elements up to %v", n, size)
			sameBits(t, want, codes, "codes of %d elements up to %v", n, size)
			sameBits(t, before, x, "the input")
		}
	}
}

// TestQuantizeRowNearTies has the float32 numbers around (k + 1/2)*scale, where a
// product with 1/scale would give another code than x/scale.
func TestQuantizeRowNearTies(t *testing.T) {
	for _, m := range append(noise(5, 101, 4), 3, 0.1, 1e-5) {
		m = float32(math.Abs(float64(m)))
		x := []float32{m}
		for k := -127; k < 127; k++ {
			v := float32((float64(k) + 0.5) * float64(div32(m, 127)))
			x = append(x, math.Nextafter32(v, -1e30), v, math.Nextafter32(v, 1e30))
		}
		codes := guarded(t, len(x))
		_, ok := QuantizeRow(codes, x)
		assert.True(t, ok)
		want, _ := rowLiteral(x)
		sameBits(t, want, codes, "largest %v", m)
	}
}

func TestQuantizeRowTies(t *testing.T) {
	x := []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -126.5, negZero(), 125.5}
	codes := guarded(t, len(x))
	scale, ok := QuantizeRow(codes, x)
	assert.True(t, ok)
	assert.Equal(t, float32(1), scale)
	sameBits(t, []float32{127, 0, 2, 2, 0, -2, -2, 126, -126, 0, 126}, codes, "ties go to even")
}

func TestQuantizeRowNotFinite(t *testing.T) {
	for _, bad := range []float32{nan(), float32(math.Inf(1)), float32(math.Inf(-1))} {
		x := noise(3, 13, 1)
		x[11] = bad
		codes := guardedCopy(t, integers(4, 13, 127))
		before := slices.Clone(codes)
		_, ok := QuantizeRow(codes, x)
		assert.False(t, ok, "%v", bad)
		sameBits(t, before, codes, "codes after %v", bad)
	}
}

func TestQuantizeRowShort(t *testing.T) {
	codes := guarded(t, 12)
	panicsWith(t, "codes", 12, 13, func() { QuantizeRow(codes, make([]float32, 13)) })
}

func TestRescale(t *testing.T) {
	const stride, rowStride = 29, 3
	for _, shape := range [][2]int{{1, 1}, {11, 13}, {13, 17}, {67, 23}, {1009, 29}, {0, 5}} {
		rows, cols := shape[0], shape[1]
		y := guardedCopy(t, integers(5, max(rows*stride, 1), 1<<20))
		scales, bias := noise(6, max(rows*rowStride, 1), 0.1), noise(7, cols, 1)
		for _, columns := range [][]float32{{0.0123}, noise(8, cols, 0.1)} {
			want := slices.Clone(y)
			for i := range rows {
				for j := range cols {
					s := mul32(scales[i*rowStride], columns[j%len(columns)])
					want[i*stride+j] = add32(mul32(want[i*stride+j], s), bias[j])
				}
			}
			withProcs(func(procs int) {
				got := guardedCopy(t, y)
				Rescale(Matrix{Data: got, Rows: rows, Cols: cols, Stride: stride}, scales, rowStride, columns, bias)
				sameBits(t, want, got, "%dx%d, %d column scales, procs %d", rows, cols, len(columns), procs)
			})
		}
	}
	y := Dense(make([]float32, 13), 1, 13)
	panicsWith(t, "bias", 12, 13, func() { Rescale(y, make([]float32, 1), 1, make([]float32, 1), make([]float32, 12)) })
	panicsWith(t, "column scales", 12, 13, func() { Rescale(y, make([]float32, 1), 1, make([]float32, 12), make([]float32, 13)) })
}

// TestRescaleOneColumn: the two ways to give scales agree where all are equal.
func TestRescaleOneColumn(t *testing.T) {
	const rows, cols = 11, 13
	one, each := integers(9, rows*cols, 1<<24), integers(9, rows*cols, 1<<24)
	Rescale(Dense(one, rows, cols), noise(10, rows, 0.1), 1, []float32{0.0123}, noise(11, cols, 1))
	Rescale(Dense(each, rows, cols), noise(10, rows, 0.1), 1, slices.Repeat([]float32{0.0123}, cols), noise(11, cols, 1))
	sameBits(t, one, each, "equal scales")
}

// Rows together are rows one by one, and the first that is not finite is told.
func TestQuantizeRows(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, in := range []int{1, 16, 37, 67} {
			for n := range 11 {
				const first = 3
				x := noise(uint64(n), n*in, 2)
				want, got := NewIntRows(first+n, in), NewIntRows(first+n, in)
				for i := range n {
					require.True(t, want.Quantize(first+i, x[i*in:(i+1)*in]))
				}
				require.Equal(t, n, got.QuantizeRows(first, x, n, in))
				require.Equal(t, want, got, "%d rows of %d", n, in)
				for bad := range n {
					spoilt := slices.Clone(x)
					spoilt[bad*in+in/2], spoilt[n*in-1] = nan(), nan()
					require.Equal(t, bad, got.QuantizeRows(first, spoilt, n, in), "%d rows of %d", n, in)
				}
			}
		}
	})
	panicsWith(t, "codes", 2*32, 3*32, func() { NewIntRows(2, 4).QuantizeRows(1, make([]float32, 8), 2, 4) })
	panicsWith(t, "rows", 7, 8, func() { NewIntRows(2, 4).QuantizeRows(0, make([]float32, 7), 2, 4) })
}
