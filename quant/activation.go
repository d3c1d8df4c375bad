package quant

import "github.com/qat-go/qat/internal/kernel"

// QuantizeActivations maps one token's activations, a row of the last axis, to
// int8 codes (as float32 values) and a scale.
//
//	scale = max(max |x|, 1e-5) / 127
//	code  = roundHalfEven(x/scale), in [-127, 127]
//
// Shapes: codes, x of one length. Units: scale is in units of x.
// Errors: a *NotFiniteError if x holds NaN or an infinity; codes are then left alone.
// Source: Ma et al. 2024 (BitNet b1.58), arXiv:2402.17764.
func QuantizeActivations(codes, x []float32) (scale float32, err error) {
	scale, ok := kernel.QuantizeRow(codes, x)
	if !ok {
		return 0, CheckFinite(x)
	}
	return scale, nil
}

// MaxExactIn is the largest number of inputs for which a float32 product of
// weight codes and int8 activation codes is exact in any order of summation: the
// largest n with n*MaxCode*127 <= 2^24. Float has none.
func MaxExactIn(mode Mode) int {
	if mode == Float {
		return 0
	}
	return 1 << 24 / (127 * mode.MaxCode())
}
