package quant

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestQuantizeEdifice compares with the reference's weights and intermediates,
// exactly.
func TestQuantizeEdifice(t *testing.T) {
	for _, mode := range quantized {
		var file struct {
			Mode  string
			Cases []struct {
				Name                     string
				Weight, Quantized        tensor
				Scale, Denom, Normalized tensor
				PreRound                 tensor `json:"pre_round"`
			}
		}
		readJSON(t, fmt.Sprintf("quantize_weight_%v.json", mode), &file)
		require.Equal(t, mode.String(), file.Mode)
		require.NotEmpty(t, file.Cases)
		for _, c := range file.Cases {
			t.Run(fmt.Sprintf("%v/%s", mode, c.Name), func(t *testing.T) {
				w := c.Weight.Data
				before := slices.Clone(w)
				values := slices.Repeat([]float32{nan}, len(w))
				scale, err := QuantizeEdifice(values, w, mode)
				require.NoError(t, err)
				assert.Equal(t, c.Quantized.Data, values, "values")
				sameBits(t, before, w, "the weight")
				switch mode {
				case Binary:
					assert.Equal(t, float32(1), scale)
				case Ternary:
					sameBits(t, c.Denom.Data, []float32{scale}, "scale")
				default:
					sameBits(t, c.Scale.Data, []float32{scale}, "scale")
				}
				alone, err := EdificeScale(w, mode)
				require.NoError(t, err)
				sameBits(t, []float32{scale}, []float32{alone}, "EdificeScale")
			})
		}
	}
}

// TestQuantizeEdificeLiteral compares with the formulas written a second time:
// each operation rounded to float32, in the reference's order.
func TestQuantizeEdificeLiteral(t *testing.T) {
	const epsilon = float32(1e-6)
	for _, n := range lengths() {
		if n == 0 {
			continue // see TestQuantizeEdificeEmpty
		}
		for _, size := range []float32{1e-7, 0.05, 1, 1e6} {
			w := noise(uint64(n), n, size)
			var sum float64
			for _, v := range w {
				sum += math.Abs(float64(v))
			}
			mean := add32(div32(float32(sum), float32(n)), epsilon)
			largest := add32(maxAbs(w), epsilon)
			for mode, s := range map[Mode]float32{Binary: 1, Ternary: mean, Int4: largest, Int8: largest} {
				values := make([]float32, n)
				scale, err := QuantizeEdifice(values, w, mode)
				require.NoError(t, err)
				sameBits(t, []float32{s}, []float32{scale}, "%v, %d weights up to %v: scale", mode, n, size)
				for i, v := range w {
					require.Equal(t, edificeLiteral(v, s, mode), values[i], "%v, %d weights up to %v: element %d", mode, n, size, i)
				}
			}
		}
	}
}

// TestQuantizeEdificeNearTies: next to a tie, the order of the operations decides.
func TestQuantizeEdificeNearTies(t *testing.T) {
	for _, mode := range []Mode{Int4, Int8} {
		for _, m := range append(noise(5, 101, 4), 3, 0.1) {
			s := add32(abs32(m), 1e-6)
			w := nearTies(abs32(m), div32(s, float32(mode.MaxCode())), mode.MaxCode()-1)
			values := make([]float32, len(w))
			scale, err := QuantizeEdifice(values, w, mode)
			require.NoError(t, err)
			sameBits(t, []float32{s}, []float32{scale}, "%v, largest %v", mode, m)
			for i, v := range w {
				require.Equal(t, edificeLiteral(v, s, mode), values[i], "%v of %v, scale %v", mode, v, s)
			}
		}
	}
}

func edificeLiteral(v, s float32, mode Mode) float32 {
	switch mode {
	case Binary:
		return codeLiteral(v, 1, Binary)
	case Ternary:
		return float32(math.Max(-1, math.Min(1, math.Round(float64(div32(v, s))))))
	}
	q := map[Mode]float32{Int4: 7, Int8: 127}[mode]
	return mul32(div32(float32(math.Round(float64(mul32(div32(v, s), q)))), q), s)
}

// TestQuantizeEdificeDiffers: the default numerics would give other values, so that
// the one cannot stand in for the other.
func TestQuantizeEdificeDiffers(t *testing.T) {
	w := []float32{7 * 64, 32, -32, 96, 1} // max + 1e-6 is max: exact ties at 0.5 and 1.5
	values, codes := make([]float32, len(w)), make([]float32, len(w))
	_, err := QuantizeEdifice(values, w, Int4)
	require.NoError(t, err)
	scale, err := Quantize(codes, w, Int4)
	require.NoError(t, err)
	assert.Equal(t, float32(64), scale)
	assert.Equal(t, []float32{7, 0, 0, 2, 0}, codes, "half to even")
	unit := float32(7 * 64)
	assert.Equal(t, []float32{unit, mul32(div32(1, 7), unit), mul32(div32(-1, 7), unit), mul32(div32(2, 7), unit), 0}, values, "half away from zero")
}

func TestRoundHalfAway(t *testing.T) {
	var file struct{ Input, Output tensor }
	readJSON(t, "round.json", &file)
	require.NotEmpty(t, file.Input.Data)
	for i, x := range file.Input.Data {
		assert.Equal(t, file.Output.Data[i], roundHalfAway(x), "round %v", x)
	}
}

func TestQuantizeEdificeFloat(t *testing.T) {
	w := noise(1, 13, 1)
	values := make([]float32, 13)
	scale, err := QuantizeEdifice(values, w, Float)
	require.NoError(t, err)
	assert.Equal(t, float32(1), scale)
	sameBits(t, w, values, "float is the weight")
}

func TestQuantizeEdificeEmpty(t *testing.T) {
	for _, mode := range Modes() {
		scale, err := QuantizeEdifice(nil, nil, mode)
		require.NoError(t, err, "%v", mode)
		assert.False(t, math.IsNaN(float64(scale)), "%v: scale of nothing", mode)
	}
}

func TestQuantizeEdificeNotFinite(t *testing.T) {
	for _, mode := range Modes() {
		for _, bad := range []float32{nan, inf, -inf} {
			w := noise(1, 67, 1)
			w[13], w[66] = bad, nan
			values := noise(2, 67, 1)
			before := slices.Clone(values)
			_, err := QuantizeEdifice(values, w, mode)
			name := fmt.Sprintf("%v, %v", mode, bad)
			requireNotFinite(t, err, 13, bad, name)
			sameBits(t, before, values, "%s: values", name)
			_, err = EdificeScale(w, mode)
			requireNotFinite(t, err, 13, bad, name)
		}
	}
}

func TestQuantizeEdificeLengths(t *testing.T) {
	for _, n := range []int{12, 14} {
		assert.PanicsWithValue(t, fmt.Sprintf("quant: %d values for 13 weights", n), func() {
			_, _ = QuantizeEdifice(make([]float32, n), make([]float32, 13), Int4)
		})
	}
}

func TestEdificeActivations(t *testing.T) {
	divide := func(x []float32) ([]float32, float32) {
		values := make([]float32, len(x))
		scale, err := EdificeActivations(values, x)
		require.NoError(t, err)
		return values, scale
	}
	for _, n := range lengths() {
		x := noise(uint64(n), n, 3)
		values, scale := divide(x)
		sameBits(t, []float32{add32(maxAbs(x), 1e-6)}, []float32{scale}, "%d elements", n)
		for i, v := range x {
			require.Equal(t, div32(v, scale), values[i], "element %d of %d", i, n)
		}
	}
	_, scale := divide([]float32{0, negZero})
	assert.Equal(t, float32(1e-6), scale, "a row of zeros")
	_, scale = divide([]float32{-70, 3})
	assert.Equal(t, float32(70), scale, "1e-6 is lost beside 70")

	values := []float32{7, 7}
	_, err := EdificeActivations(values, []float32{1, -inf})
	requireNotFinite(t, err, 1, -inf, "activations")
	assert.Equal(t, []float32{7, 7}, values, "left alone")
}

// Codes are integers in range whose values are QuantizeEdifice's: a weight can be
// kept as codes.
func TestEdificeCodes(t *testing.T) {
	for _, mode := range Modes()[1:] {
		for _, size := range []float32{1e-7, 1, 1e30} {
			w := noise(3, 67, size)
			values := make([]float32, len(w))
			_, err := QuantizeEdifice(values, w, mode)
			require.NoError(t, err)
			scale, err := EdificeScale(w, mode)
			require.NoError(t, err)
			for i, v := range w {
				code := EdificeCode(v, scale, mode)
				require.Equal(t, float32(int8(code)), code, "%v of %v", mode, v)
				require.LessOrEqual(t, abs32(code), float32(mode.MaxCode()), "%v of %v", mode, v)
				require.Equal(t, values[i], EdificeValue(code, scale, mode), "%v of %v", mode, v)
			}
		}
	}
}
