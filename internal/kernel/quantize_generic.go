package kernel

import "math"

// minMax is the smallest magnitude that a scale is made from, so that a row of
// zeros has a scale.
const minMax = 1e-5

// RoundHalfEven rounds |x| < 2^22 to the nearest integer, ties to even.
func RoundHalfEven(x float32) float32 { return x + roundBit - roundBit }

// RowScale is the scale of int8 activations whose largest magnitude is m.
func RowScale(m float32) float32 { return max(m, minMax) / 127 }

// QuantizeRow writes roundHalfEven(x/scale) to codes, as float32 values, and
// returns the scale; ok is false where x holds NaN or an infinity, and codes are
// then left alone. Shapes: codes, x [n].
// Source: Ma et al. 2024 (BitNet b1.58), arXiv:2402.17764, absmax per token.
func QuantizeRow(codes, x []float32) (scale float32, ok bool) {
	need("codes", len(codes), len(x))
	bits := MaxAbsBits(x)
	if bits >= InfBits {
		return 0, false
	}
	s := RowScale(math.Float32frombits(bits))
	codes = codes[:len(x)]
	for i, v := range x {
		codes[i] = RoundHalfEven(v / s)
	}
	return s, true
}

// Rescale writes float32(y*(row scale*column scale)) + bias to y in place.
// Shapes: y [n, len(bias)]; rows [n], rowStride apart; column is the weight's scale.
func Rescale(y Matrix, rows []float32, rowStride int, column float32, bias []float32) {
	need("bias", len(bias), y.Cols)
	Parallel(y.Rows, rowGrain(y.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			s := float32(rows[i*rowStride] * column)
			yr := y.Data[i*y.Stride : i*y.Stride+y.Cols]
			for j, v := range yr {
				yr[j] = float32(v*s) + bias[j]
			}
		}
	})
}
