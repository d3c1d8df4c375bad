package quant

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestQuantizeActivations(t *testing.T) {
	tests := map[string]struct {
		x     []float32
		scale float32
		codes []float32
	}{
		"ties_even":  {[]float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -126.5, -127}, 1, []float32{127, 0, 2, 2, 0, -2, -2, 126, -126, -127}},
		"all_zero":   {[]float32{0, negZero, 0}, leastScale / 127, []float32{0, 0, 0}},
		"subnormal":  {[]float32{1e-40, -1e-45}, leastScale / 127, []float32{0, 0}},
		"least":      {[]float32{5e-6, -5e-6}, leastScale / 127, []float32{64, -64}}, // +-63.5, which is even up
		"symmetric":  {[]float32{-254, 254, 1}, 2, []float32{-127, 127, 0}},
		"largest":    {[]float32{math.MaxFloat32, -math.MaxFloat32, 1}, math.MaxFloat32 / 127, []float32{127, -127, 0}},
		"one":        {[]float32{-3}, float32(3) / 127, []float32{-127}},
		"empty":      {nil, leastScale / 127, nil},
		"tie_from_2": {[]float32{254, 1, 3, -1, -3}, 2, []float32{127, 0, 2, 0, -2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			codes := slices.Repeat([]float32{nan}, len(tt.x))
			before := slices.Clone(tt.x)
			scale, err := QuantizeActivations(codes, tt.x)
			require.NoError(t, err)
			sameBits(t, []float32{tt.scale}, []float32{scale}, "scale")
			sameBits(t, tt.codes, codes, "codes")
			sameBits(t, before, tt.x, "the input")
		})
	}
}

// TestQuantizeActivationsAreInt8 holds activations to the rule of int8 weights:
// the two are one formula.
func TestQuantizeActivationsAreInt8(t *testing.T) {
	for _, size := range []float32{1e-44, 1e-6, 1, 1e10, math.MaxFloat32} {
		for _, n := range lengths() {
			x := noise(uint64(n), n, size)
			codes := make([]float32, n)
			scale, err := QuantizeActivations(codes, x)
			require.NoError(t, err)
			sameBits(t, []float32{scaleLiteral(x, Int8)}, []float32{scale}, "scale of %d up to %v", n, size)
			for i, v := range x {
				require.Equal(t, codeLiteral(v, scale, Int8), codes[i], "%d up to %v: element %d", n, size, i)
			}
		}
	}
}

func TestQuantizeActivationsNearTies(t *testing.T) {
	for _, m := range append(noise(5, 101, 4), 3, 0.1, 1e-5) {
		m = abs32(m)
		x := nearTies(m, div32(m, 127), 127)
		codes := make([]float32, len(x))
		scale, err := QuantizeActivations(codes, x)
		require.NoError(t, err)
		for i, v := range x {
			require.Equal(t, codeLiteral(v, scale, Int8), codes[i], "%v, scale %v", v, scale)
		}
	}
}

func TestQuantizeActivationsRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32), 1, 67).Draw(t, "x")
		codes := make([]float32, len(x))
		scale, err := QuantizeActivations(codes, x)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range codes {
			if math.Abs(float64(c)) > 127 || float64(c) != math.Trunc(float64(c)) {
				t.Fatalf("element %d: code %v", i, c)
			}
			if off := math.Abs(float64(x[i]) - float64(scale)*float64(c)); off > float64(scale)*roundingSlack {
				t.Fatalf("element %d: %v is %v away from code %v, scale %v", i, x[i], off, c, scale)
			}
		}
	})
}

func TestQuantizeActivationsNotFinite(t *testing.T) {
	for _, bad := range []float32{nan, inf, -inf} {
		for _, at := range []int{0, 11, 16} {
			x := noise(1, 17, 1)
			x[at], x[16] = bad, bad
			codes := noise(2, 17, 1)
			before := slices.Clone(codes)
			_, err := QuantizeActivations(codes, x)
			requireNotFinite(t, err, at, bad, fmt.Sprintf("%v at %d", bad, at))
			sameBits(t, before, codes, "codes after %v", bad)
		}
	}
}

func TestQuantizeActivationsShort(t *testing.T) {
	room := make([]float32, 13) // capacity is not length
	assert.Panics(t, func() { _, _ = QuantizeActivations(room[:12], make([]float32, 13)) })
}

// TestMaxExactIn has the numbers of the documentation, and the inequality.
func TestMaxExactIn(t *testing.T) {
	for mode, want := range map[Mode]int{Float: 0, Binary: 132104, Ternary: 132104, Int4: 18872, Int8: 1040} {
		got := MaxExactIn(mode)
		assert.Equal(t, want, got, "%v", mode)
		if mode != Float {
			assert.LessOrEqual(t, got*mode.MaxCode()*127, 1<<24, "%v: exact", mode)
			assert.Greater(t, (got+1)*mode.MaxCode()*127, 1<<24, "%v: the largest", mode)
		}
	}
}
