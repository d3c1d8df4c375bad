package kernel

import "math"

// MinMax is the smallest magnitude that a scale is made from, so that a row of
// zeros has a scale.
const MinMax = 1e-5

// RoundHalfEven rounds |x| < 2^22 to the nearest integer, ties to even.
func RoundHalfEven(x float32) float32 { return x + roundBit - roundBit }

// RowScale is the scale of int8 activations whose largest magnitude is m.
func RowScale(m float32) float32 { return max(m, MinMax) / 127 }

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

// QuantizeRowInt8 is QuantizeRow to int8, in [-127, 127]; sum is that of the codes.
func QuantizeRowInt8(codes []int8, x []float32) (scale float32, sum int32, ok bool) {
	need("codes", len(codes), len(x))
	bits := MaxAbsBits(x)
	if bits >= InfBits {
		return 0, 0, false
	}
	scale = RowScale(math.Float32frombits(bits))
	return scale, quantizeBy(codes, x, scale), true
}

// quantizeBy writes the codes of x at a scale, and returns their sum.
func quantizeBy(codes []int8, x []float32, scale float32) (sum int32) {
	i := 0
	if n := whole(len(x)); n > 0 && chosen.vector.quantize != nil {
		sum, i = chosen.vector.quantize(codes[:n], x[:n], scale), n
	}
	codes = codes[:len(x)]
	for ; i < len(x); i++ {
		c := int8(RoundHalfEven(x[i] / scale))
		codes[i] = c
		sum += int32(c)
	}
	return sum
}

// Rescale writes float32(y*(row scale*column scale)) + bias to y in place.
// Shapes: y [n, len(bias)]; rows [n], rowStride apart; columns, the weight's scales,
// [1] for all or [len(bias)].
func Rescale(y Matrix, rows []float32, rowStride int, columns, bias []float32) {
	Parallel(y.Rows, rowGrain(y.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			RescaleRow(y.Data[i*y.Stride:i*y.Stride+y.Cols], rows[i*rowStride], columns, bias)
		}
	})
}

// RescaleRow is Rescale for one row, on the caller's goroutine.
func RescaleRow(y []float32, row float32, columns, bias []float32) {
	need("bias", len(bias), len(y))
	if len(columns) != 1 {
		need("column scales", len(columns), len(y))
	}
	if len(columns) == 1 {
		s, i := float32(row*columns[0]), 0
		if n := whole(len(y)); n > 0 && chosen.vector.rescale != nil {
			chosen.vector.rescale(y[:n], bias[:n], s)
			i = n
		}
		for j := i; j < len(y); j++ {
			y[j] = float32(y[j]*s) + bias[j]
		}
		return
	}
	columns, bias = columns[:len(y)], bias[:len(y)]
	for j, v := range y {
		y[j] = float32(v*float32(row*columns[j])) + bias[j]
	}
}
