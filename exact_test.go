package qat_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// integerForward is a quantized layer by its definition: exact integer sums, each
// output rounded as y = float32(float32(acc)*float32(sx*sw)) + b.
func integerForward(mode qat.Mode, g qat.Granularity, x, w, b []float32, rows, in, out int) (y []float32) {
	codes, scales := byChannel(g, w, out, func(w []float32) ([]float64, float64) { return codesOf(mode, w) })
	for i := range rows {
		row := x[i*in : (i+1)*in]
		var largest float32
		for _, v := range row {
			largest = max(largest, v, -v)
		}
		sx := max(largest, 1e-5) / 127
		for j := range out {
			var acc int64
			for k, v := range row {
				acc += int64(math.RoundToEven(float64(v/sx))) * int64(codes[k*out+j])
			}
			y = append(y, float32(float32(acc)*float32(sx*float32(scales[j])))+b[j])
		}
	}
	return y
}

// codesOf is a weight's scale and codes by the rules of the BitNet numerics. The
// mean's order of summation is the 16 strided sums and the halving tree.
func codesOf(mode qat.Mode, w []float32) (codes []float64, scale float64) {
	var s [16]float64
	var largest float32
	for i, v := range w {
		s[i%16] += math.Abs(float64(v))
		largest = max(largest, v, -v)
	}
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	mean := float32(s[0] / float64(len(w)))
	limit := map[qat.Mode]float64{qat.Binary: 1, qat.Ternary: 1, qat.Int4: 7, qat.Int8: 127}[mode]
	sw := map[qat.Mode]float32{qat.Binary: mean, qat.Ternary: max(mean, 1e-5),
		qat.Int4: max(largest, 1e-5) / 7, qat.Int8: max(largest, 1e-5) / 127}[mode]
	for _, v := range w {
		code := max(-limit, min(limit, math.RoundToEven(float64(v/sw))))
		if mode == qat.Binary {
			code = 1
			if v < 0 {
				code = -1
			}
		}
		codes = append(codes, code)
	}
	return codes, float64(sw)
}

// TestQuantLinearIsExact: the graph's product is the integer one to the bit, also
// where a float32 sum of the codes is not.
func TestQuantLinearIsExact(t *testing.T) {
	const rows, out = 3, 11
	for _, in := range []int{13, 1040, 1041, 2048, 4096} {
		for _, mode := range quantized {
			for _, granularity := range granularities {
				for _, signs := range []string{"one_sign", "mixed"} {
					t.Run(fmt.Sprint(in, "/", mode, "/", granularity, "/", signs), func(t *testing.T) {
						g := G.NewGraph()
						x := placeholder(g, "x", rows, in)
						values, w, b := numbers(1, rows*in), numbers(2, in*out), numbers(3, out)
						if signs == "one_sign" { // the largest sums: nearly every code near its limit
							for i := range values {
								values[i] = 1 + abs32(values[i])/100
							}
							for i := range w {
								w[i] = 1 + abs32(w[i])/100
							}
						}
						let(t, x, values)
						l := ok(qat.QuantLinear(x, out, qat.WithQuantize(mode), qat.WithGranularity(granularity)))
						require.NoError(t, l.SetParam("quant_linear.weight", w))
						require.NoError(t, l.SetParam("quant_linear.bias", b))
						requireBits(t, "output", forward(t, l.Output()), integerForward(mode, granularity, values, w, b, rows, in, out))
					})
				}
			}
		}
	}
}

func abs32(x float32) float32 { return max(x, -x) }

// The case above would fail with a float32 sum: it rounds from 2^24 on.
func TestFloatSumIsNotExact(t *testing.T) {
	for in, exact := range map[int]bool{1040: true, 2048: false, 4096: false} {
		var sum float32
		var acc int64
		for i := range in {
			code := 127 - i%2 // int8 codes of one sign
			sum += float32(127 * code)
			acc += int64(127 * code)
		}
		assert.Equal(t, exact, float32(acc) == sum, "in = %d: float32 sum %v, exact %d", in, sum, acc)
	}
}

// Rounding is half to even, in weights and in activations: at a tie half away from
// zero gives another code.
func TestRoundsHalfToEven(t *testing.T) {
	// The largest is 127, so that scales are 1 and codes the rounded values.
	ties := []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, 4.5, 100.5, 101.5}
	want := []float32{127, 0, 2, 2, 0, -2, -2, 4, 4, 100, 102}
	w := placeholder(G.NewGraph(), "w", len(ties), 1)
	let(t, w, ties)
	assert.Equal(t, toFloat64(want), toFloat64(forward(t, ok(qat.FakeQuantize(w, qat.Int8)))), "weights")

	// A row of ties against the unit matrix.
	n := len(ties)
	g := G.NewGraph()
	x := placeholder(g, "x", 1, n)
	let(t, x, ties)
	l := ok(qat.QuantLinear(x, n, qat.WithQuantize(qat.Int8)))
	unit := make([]float32, n*n)
	for i := range n {
		unit[i*n+i] = 127
	}
	require.NoError(t, l.SetParam("quant_linear.weight", unit))
	for i, v := range forward(t, l.Output()) {
		assert.Equal(t, want[i]*127+0, v, "activation %v", ties[i])
	}

	// Ternary: w/mean|w| is a tie, and 1.5 is clamped.
	w = placeholder(G.NewGraph(), "w3", 4)
	let(t, w, []float32{1, -1, 3, 3}) // mean 2
	assert.Equal(t, []float64{0, 0, 2, 2}, toFloat64(forward(t, ok(qat.FakeQuantize(w, qat.Ternary)))))
}

// Weights and activations of zeros, and the smallest, give finite outputs.
func TestZeroWeights(t *testing.T) {
	for i := range 2 * len(modes) {
		mode, granularity := modes[i/2], granularities[i%2]
		for _, v := range []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32} {
			g := G.NewGraph()
			x := placeholder(g, "x", 11, 13)
			values, w := make([]float32, 11*13), make([]float32, 13*17)
			for i := range values {
				values[i] = v
			}
			for i := range w {
				w[i] = v
			}
			let(t, x, values)
			l := ok(qat.QuantLinear(x, 17, qat.WithQuantize(mode), qat.WithGranularity(granularity)))
			require.NoError(t, l.SetParam("quant_linear.weight", w))
			for _, y := range forward(t, l.Output()) {
				require.Zero(t, y, "%v %v", mode, v)
			}
		}
	}
}
