package quant

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// quantizeCase is a weight with codes and scale worked by hand.
type quantizeCase struct {
	mode  Mode
	w     []float32
	scale float32
	codes []float32
}

const leastScale = float32(1e-5)

var quantizeCases = map[string]quantizeCase{
	"binary/signs":      {Binary, []float32{3, -1, 0, negZero, 1}, 1, []float32{1, -1, 1, 1, 1}},
	"binary/all_zero":   {Binary, []float32{0, negZero, 0}, 0, []float32{1, 1, 1}},
	"binary/no_least":   {Binary, []float32{1e-9, -1e-9}, 1e-9, []float32{1, -1}},
	"binary/subnormal":  {Binary, []float32{1e-45, -1e-45, 3e-45, -1e-45}, 1e-45, []float32{1, -1, 1, -1}}, // 5/4 of the smallest
	"binary/one":        {Binary, []float32{-2.5}, 2.5, []float32{-1}},
	"binary/empty":      {Binary, nil, 0, nil},
	"ternary/tie_even":  {Ternary, []float32{0.5, -0.5, 1.5, -1.5}, 1, []float32{0, 0, 1, -1}},
	"ternary/above_tie": {Ternary, []float32{0.50000006, -0.50000006, 1.5, -1.5}, 1, []float32{1, -1, 1, -1}},
	"ternary/all_zero":  {Ternary, []float32{0, negZero, 0}, leastScale, []float32{0, 0, 0}},
	"ternary/least":     {Ternary, []float32{4e-6, -4e-6, 6e-6, -6e-6}, leastScale, []float32{0, 0, 1, -1}},
	"ternary/subnormal": {Ternary, []float32{1e-40, -1e-40}, leastScale, []float32{0, 0}},
	"ternary/one":       {Ternary, []float32{-2.5}, 2.5, []float32{-1}},
	"ternary/empty":     {Ternary, nil, leastScale, nil},
	"int4/ties_even":    {Int4, []float32{7, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 6.5, -6.5, -7}, 1, []float32{7, 0, 2, 2, 0, -2, -2, 6, -6, -7}},
	"int4/symmetric":    {Int4, []float32{-14, 14, 13.2, -13.2}, 2, []float32{-7, 7, 7, -7}},
	"int4/all_zero":     {Int4, []float32{0, negZero}, leastScale / 7, []float32{0, 0}},
	"int4/least":        {Int4, []float32{1e-6, -5e-6}, leastScale / 7, []float32{1, -4}}, // 0.7, -3.5
	"int4/subnormal":    {Int4, []float32{1e-40, -1e-45}, leastScale / 7, []float32{0, 0}},
	"int4/empty":        {Int4, nil, leastScale / 7, nil},
	"int8/ties_even":    {Int8, []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -126.5, -127}, 1, []float32{127, 0, 2, 2, 0, -2, -2, 126, -126, -127}},
	"int8/symmetric":    {Int8, []float32{-254, 254}, 2, []float32{-127, 127}},
	"int8/all_zero":     {Int8, []float32{0, negZero}, leastScale / 127, []float32{0, 0}},
	"int8/subnormal":    {Int8, []float32{1e-40}, leastScale / 127, []float32{0}},
	"int8/empty":        {Int8, nil, leastScale / 127, nil},
	"float/copied":      {Float, []float32{3, -0.1, negZero, 1e-45}, 1, []float32{3, -0.1, negZero, 1e-45}},
	"float/empty":       {Float, nil, 1, nil},
}

func TestQuantize(t *testing.T) {
	for name, c := range quantizeCases {
		t.Run(name, func(t *testing.T) {
			codes := slices.Repeat([]float32{nan}, len(c.w))
			before := slices.Clone(c.w)
			scale, err := Quantize(codes, c.w, c.mode)
			require.NoError(t, err)
			sameBits(t, []float32{c.scale}, []float32{scale}, "scale")
			sameBits(t, c.codes, codes, "codes")
			sameBits(t, before, c.w, "the weight")
			alone, err := Scale(c.w, c.mode)
			require.NoError(t, err)
			sameBits(t, []float32{c.scale}, []float32{alone}, "Scale")
		})
	}
}

// TestQuantizeLiteral compares with the rules written a second time.
func TestQuantizeLiteral(t *testing.T) {
	for _, mode := range quantized {
		for _, size := range []float32{0, 1e-44, 1e-6, 1.1e-5, 0.05, 1, 7, 1e10, math.MaxFloat32} {
			for _, n := range lengths() {
				checkLiteral(t, noise(uint64(n), n, size), mode)
			}
		}
	}
}

// nearTies returns a weight whose largest magnitude is m, and whose other elements
// are the float32 numbers around (k + 1/2)*scale: where a product with 1/scale, or
// a quotient rounded twice, would give another code than w/scale.
func nearTies(m, scale float32, limit int) []float32 {
	w := []float32{m}
	for k := -limit; k < limit; k++ {
		v := float32((float64(k) + 0.5) * float64(scale))
		for range 2 {
			v = math.Nextafter32(v, -inf)
		}
		for range 5 {
			w = append(w, v)
			v = math.Nextafter32(v, inf)
		}
	}
	return w
}

func TestQuantizeNearTies(t *testing.T) {
	for _, mode := range []Mode{Int4, Int8} {
		for _, m := range append(noise(5, 101, 4), 3, 0.1, 1e-5) {
			m = abs32(m)
			checkLiteral(t, nearTies(m, div32(m, float32(mode.MaxCode())), mode.MaxCode()), mode)
		}
	}
	for _, s := range append(noise(6, 101, 4), 3, 0.1, 1e-5) {
		for _, v := range nearTies(0, abs32(s), 2) {
			for _, mode := range quantized {
				require.Equal(t, codeLiteral(v, abs32(s), mode), Code(v, abs32(s), mode), "%v of %v, scale %v", mode, v, s)
			}
		}
	}
}

func checkLiteral(t testing.TB, w []float32, mode Mode) {
	t.Helper()
	codes := make([]float32, len(w))
	scale, err := Quantize(codes, w, mode)
	require.NoError(t, err)
	want, wantScale := make([]float32, len(w)), scaleLiteral(w, mode)
	for i, v := range w {
		want[i] = codeLiteral(v, wantScale, mode)
	}
	sameBits(t, []float32{wantScale}, []float32{scale}, "%v, %d weights: scale", mode, len(w))
	sameBits(t, want, codes, "%v, %d weights: codes", mode, len(w))
}

// TestQuantizeOutlier: a code is clamped before it becomes an integer. 1009 times
// the mean would be -15 in an int8.
func TestQuantizeOutlier(t *testing.T) {
	for _, mode := range quantized {
		for _, sign := range []float32{1, -1} {
			w := make([]float32, 1009)
			w[11] = sign * 1e30
			codes := make([]float32, len(w))
			scale, err := Quantize(codes, w, mode)
			require.NoError(t, err)
			assert.Equal(t, sign*float32(mode.MaxCode()), codes[11], "%v: the outlier's code", mode)
			zero := float32(0)
			if mode == Binary {
				zero = 1
			}
			assert.Equal(t, zero, codes[0], "%v: the others'", mode)
			assert.Equal(t, scaleLiteral(w, mode), scale, "%v: scale", mode)
		}
	}
}

// TestScaleOrder has weights whose mean tells how it was added; see also the
// kernel's tests.
func TestScaleOrder(t *testing.T) {
	small := slices.Repeat([]float32{-1.0 / (1 << 25)}, 4097)
	small[0] = 1
	lanes := slices.Repeat([]float32{100}, 32)
	lanes[0], lanes[1] = 1<<60, -(1 << 36)
	tests := map[string]struct {
		w    []float32
		want float32
	}{
		"float32 sums lose the small": {small, float32((1 + 4096.0/(1<<25)) / 4097)},
		"one ascending sum loses 100": {lanes, float32((1<<60 + 1<<37) / 32)},
	}
	for name, tt := range tests {
		for _, mode := range []Mode{Binary, Ternary} {
			got, err := Scale(tt.w, mode)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got, "%s, %v", name, mode)
		}
	}
}

// TestCode clamps whatever the quotient is.
func TestCode(t *testing.T) {
	for mode, limit := range map[Mode]float32{Ternary: 1, Int4: 7, Int8: 127} {
		assert.Equal(t, limit, Code(math.MaxFloat32, 1e-5, mode), "%v: the quotient is +Inf", mode)
		assert.Equal(t, -limit, Code(-math.MaxFloat32, 1e-5, mode), "%v: the quotient is -Inf", mode)
		assert.Equal(t, limit, Code(limit+0.5, 1, mode), "%v", mode)
		assert.Equal(t, -limit, Code(-limit-3, 1, mode), "%v", mode)
		sameBits(t, []float32{0, 0, 0}, []float32{Code(0, 1, mode), Code(negZero, 1, mode), Code(-0.25, 1, mode)}, "%v: zeros are +0", mode)
		for v := float32(-1.5); v <= 1.5; v += 1.0 / 64 {
			assert.Equal(t, codeLiteral(v, 0.75, mode), Code(v, 0.75, mode), "%v of %v", mode, v)
		}
	}
	sameBits(t, []float32{1, 1, 1, -1, -1}, []float32{Code(0, 0, Binary), Code(negZero, 0, Binary), Code(1e-45, 0, Binary), Code(-1e-45, 0, Binary), Code(-3, 0, Binary)}, "binary, scale 0")
}

func TestQuantizeNotFinite(t *testing.T) {
	for _, mode := range Modes() {
		for _, bad := range []float32{nan, inf, -inf} {
			for _, at := range []int{0, 11, 16, 66} {
				w := noise(1, 67, 1)
				w[at], w[66] = bad, bad
				name := fmt.Sprintf("%v, %v at %d", mode, bad, at)
				codes := noise(2, 67, 1)
				before := slices.Clone(codes)
				_, err := Quantize(codes, w, mode)
				requireNotFinite(t, err, at, bad, name)
				sameBits(t, before, codes, "%s: codes", name)
				_, err = Scale(w, mode)
				requireNotFinite(t, err, at, bad, name)
				requireNotFinite(t, CheckFinite(w), at, bad, name)
			}
		}
	}
	assert.NoError(t, CheckFinite(nil))
	assert.NoError(t, CheckFinite([]float32{math.MaxFloat32, -math.MaxFloat32, 1e-45, negZero}))
}

func TestNotFiniteError(t *testing.T) {
	err := error(&NotFiniteError{Index: 11, Value: -inf})
	assert.Equal(t, "element 11 is -Inf, not a finite number", err.Error())
	assert.True(t, errors.Is(fmt.Errorf("blocks.0: %w", err), ErrNotFinite))
}

func TestQuantizeLengths(t *testing.T) {
	for _, mode := range Modes() {
		for _, n := range []int{12, 14} { // shorter and longer are both wrong
			assert.PanicsWithValue(t, fmt.Sprintf("quant: %d codes for 13 weights", n), func() {
				_, _ = Quantize(make([]float32, n), make([]float32, 13), mode)
			}, "%v", mode)
		}
	}
}

// TestQuantizeThreads: a large weight, split over threads, has the same codes.
func TestQuantizeThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		for _, mode := range quantized {
			checkLiteral(t, noise(3, 4<<14+13, 0.1), mode)
		}
	}
}

// TestQuantizeInPlace: codes may be the weight itself.
func TestQuantizeInPlace(t *testing.T) {
	for _, mode := range quantized {
		w := noise(4, 67, 1)
		want := make([]float32, len(w))
		_, err := Quantize(want, w, mode)
		require.NoError(t, err)
		_, err = Quantize(w, w, mode)
		require.NoError(t, err)
		sameBits(t, want, w, "%v", mode)
	}
}

// checkQuantized fails unless the codes are of the mode's set and as near to the
// weight as the rule promises.
func checkQuantized(t interface {
	Helper()
	Fatalf(string, ...any)
}, w []float32, mode Mode) {
	t.Helper()
	codes := make([]float32, len(w))
	scale, err := Quantize(codes, w, mode)
	finite := true
	for _, v := range w {
		finite = finite && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
	}
	if finite != (err == nil) {
		t.Fatalf("%v of %v: finite %v, error %v", mode, w, finite, err)
	}
	if err != nil {
		return
	}
	if !(scale >= 0) || math.IsInf(float64(scale), 0) {
		t.Fatalf("%v of %v: scale %v", mode, w, scale)
	}
	for i, c := range codes {
		if mode == Float {
			if c != w[i] {
				t.Fatalf("float element %d: got %v, want %v", i, c, w[i])
			}
			continue
		}
		limit := float64(mode.MaxCode())
		if c != float32(math.Trunc(float64(c))) || math.Abs(float64(c)) > limit || (mode == Binary && c == 0) {
			t.Fatalf("%v of %v: element %d has code %v", mode, w[i], i, c)
		}
		off := math.Abs(float64(w[i]) - float64(scale)*float64(c))
		switch {
		case mode == Binary:
			if (c < 0) != (w[i] < 0) {
				t.Fatalf("binary of %v: code %v", w[i], c)
			}
		case math.Abs(float64(w[i])) > limit*float64(scale): // clamped
			if math.Abs(float64(c)) != limit || (c < 0) != (w[i] < 0) {
				t.Fatalf("%v of %v, scale %v: code %v", mode, w[i], scale, c)
			}
		case off > float64(scale)*roundingSlack:
			t.Fatalf("%v of %v, scale %v, code %v: off by %v", mode, w[i], scale, c, off)
		}
	}
}

// roundingSlack is half a step, and the float32 rounding of a quotient of at most
// 127: half an ulp, 2^-18 steps.
const roundingSlack = 0.5 + 0x1p-18

func TestQuantizeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOf(rapid.Float32()).Draw(t, "w")
		checkQuantized(t, w, rapid.SampledFrom(Modes()).Draw(t, "mode"))
	})
}

// TestQuantizeScales: a power of two moves the scale and no code, far above the
// least scale, and the codes of -w are those of w with the other sign.
func TestQuantizeScales(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOfN(rapid.Float32Range(-8, 8), 1, 67).Draw(t, "w")
		mode := rapid.SampledFrom(quantized).Draw(t, "mode")
		w = append(w, 3) // far above the least
		large, minus := slices.Clone(w), slices.Clone(w)
		for i := range w {
			if abs32(w[i]) < 0x1p-100 {
				w[i] = 0 // subnormals do not scale
			}
			large[i], minus[i] = 1024*w[i], -w[i]
		}
		codes, twice, negative := make([]float32, len(w)), make([]float32, len(w)), make([]float32, len(w))
		scale, _ := Quantize(codes, w, mode)
		largeScale, _ := Quantize(twice, large, mode)
		minusScale, _ := Quantize(negative, minus, mode)
		if largeScale != 1024*scale || minusScale != scale {
			t.Fatalf("scales %v, %v, %v", scale, largeScale, minusScale)
		}
		for i := range w {
			if twice[i] != codes[i] || (w[i] != 0 && negative[i] != -codes[i]) {
				t.Fatalf("element %d: codes %v, of 1024 times %v, of the negative %v", i, codes[i], twice[i], negative[i])
			}
		}
	})
}

func FuzzQuantize(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 0, 63, 0, 0, 0, 191}, uint8(2))
	f.Add([]byte{255, 255, 127, 127, 1, 0, 0, 0}, uint8(4))
	f.Add([]byte{0, 0, 192, 127}, uint8(1))
	f.Add([]byte{}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, mode uint8) {
		var w []float32
		for ; len(data) >= 4; data = data[4:] {
			w = append(w, math.Float32frombits(uint32(data[0])|uint32(data[1])<<8|uint32(data[2])<<16|uint32(data[3])<<24))
		}
		checkQuantized(t, w, Mode(mode)%invalid)
	})
}
