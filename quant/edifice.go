package quant

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
)

// EdificeEpsilon keeps the Edifice numerics' divisions from dividing by zero.
// Source: Edifice.Meta.QAT 0.2.0.
const EdificeEpsilon = 1e-6

// EdificeScale returns the number that the Edifice numerics divide a weight by:
// mean|w| + 1e-6 for ternary, max|w| + 1e-6 for int4 and int8, 1 otherwise.
// Its mean is the float64 sum, rounded, over n, rounded.
//
// Errors: a *NotFiniteError if w holds NaN or an infinity.
// Source: Edifice.Meta.QAT 0.2.0.
func EdificeScale(w []float32, mode Mode) (float32, error) {
	bits := kernel.MaxAbsBits(w)
	if bits >= kernel.InfBits {
		return 0, CheckFinite(w)
	}
	switch mode {
	case Ternary:
		if len(w) == 0 {
			return EdificeEpsilon, nil
		}
		var sum float64
		for _, v := range w {
			sum += math.Abs(float64(v))
		}
		return float32(sum)/float32(len(w)) + EdificeEpsilon, nil
	case Int4, Int8:
		return math.Float32frombits(bits) + EdificeEpsilon, nil
	}
	return 1, nil
}

// QuantizeEdifice writes the values that the Edifice numerics use in w's place.
// Binary and ternary values are codes, without a scale; rounding is half away
// from zero, each operation rounded on its own.
//
//	binary      +1 if w >= 0 (0 and -0 too), else -1
//	ternary     clamp(round(w/s), -1, 1)
//	int4, int8  (round(w/s*q)/q)*s with q = 7, 127
//
// Shapes: values, w of one length.
// Errors: a *NotFiniteError if w holds NaN or an infinity; values are then left alone.
// Source: Edifice.Meta.QAT 0.2.0.
func QuantizeEdifice(values, w []float32, mode Mode) (scale float32, err error) {
	if len(values) != len(w) {
		panic(fmt.Sprintf("quant: %d values for %d weights", len(values), len(w)))
	}
	if scale, err = EdificeScale(w, mode); err != nil {
		return 0, err
	}
	if mode == Float {
		copy(values, w)
		return scale, nil
	}
	for i, v := range w {
		values[i] = EdificeValue(EdificeCode(v, scale, mode), scale, mode)
	}
	return scale, nil
}

// EdificeCode returns the code of one weight of a quantized mode, in
// [-MaxCode, MaxCode].
func EdificeCode(w, scale float32, mode Mode) float32 {
	switch mode {
	case Binary:
		return Code(w, scale, Binary)
	case Ternary:
		return min(max(roundHalfAway(w/scale), -1), 1)
	}
	return roundHalfAway(float32(float32(w/scale) * float32(mode.MaxCode())))
}

// EdificeValue returns the value of a code of a quantized mode. That of a binary or
// ternary one is the code.
func EdificeValue(code, scale float32, mode Mode) float32 {
	if mode == Binary || mode == Ternary {
		return code
	}
	return float32(float32(code/float32(mode.MaxCode())) * scale)
}

// EdificeActivations divides a row of activations by its scale, max|x| + 1e-6, which
// it returns.
//
// Shapes: values, x of one length.
// Errors: a *NotFiniteError if x holds NaN or an infinity; values are then left alone.
// Source: Edifice.Meta.QAT 0.2.0.
func EdificeActivations(values, x []float32) (scale float32, err error) {
	bits := kernel.MaxAbsBits(x)
	if bits >= kernel.InfBits {
		return 0, CheckFinite(x)
	}
	scale = math.Float32frombits(bits) + EdificeEpsilon
	for i, v := range x {
		values[i] = v / scale
	}
	return scale, nil
}

// roundHalfAway rounds to the nearest integer, ties away from zero.
func roundHalfAway(x float32) float32 { return float32(math.Round(float64(x))) }
