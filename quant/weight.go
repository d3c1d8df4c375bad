package quant

import (
	"errors"
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
)

// ErrNotFinite is wrapped by the errors about NaN and infinities.
var ErrNotFinite = errors.New("not a finite number")

// NotFiniteError says which element is NaN or infinite.
type NotFiniteError struct {
	Index int // row-major
	Value float32
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("element %d is %v, %v", e.Index, e.Value, ErrNotFinite)
}

// Unwrap makes errors.Is(err, ErrNotFinite) hold.
func (e *NotFiniteError) Unwrap() error { return ErrNotFinite }

// CheckFinite returns a *NotFiniteError for the first NaN or infinity in x.
func CheckFinite(x []float32) error {
	if i := kernel.FirstNotFinite(x); i >= 0 {
		return &NotFiniteError{Index: i, Value: x[i]}
	}
	return nil
}

// minScale is the smallest mean or maximum that a scale is made from.
// Source: Ma et al. 2024 (BitNet b1.58), arXiv:2402.17764, clamps at 1e-5.
const minScale = 1e-5

// Scale returns the scale of a weight's codes.
//
//	binary   mean |w|
//	ternary  max(mean |w|, 1e-5)
//	int4     max(max |w|, 1e-5) / 7
//	int8     max(max |w|, 1e-5) / 127
//	float    1
//
// The mean is 16 strided float64 partial sums over the row-major weight, added
// by the halving tree, rounded once.
//
// Errors: a *NotFiniteError if w holds NaN or an infinity.
// Source: Wang et al. 2023 (BitNet), arXiv:2310.11453, eq. 1-3; Ma et al. 2024
// (BitNet b1.58), arXiv:2402.17764, eq. 1-3; Jacob et al. 2018, arXiv:1712.05877,
// eq. 1 with Z = 0.
func Scale(w []float32, mode Mode) (float32, error) {
	var magnitude float32
	if mode.ofMean() {
		magnitude = kernel.MeanAbs(w) // no sum of finite magnitudes is infinite in float64
	} else {
		magnitude = math.Float32frombits(kernel.MaxAbsBits(w))
	}
	if math.Float32bits(magnitude) >= kernel.InfBits {
		return 0, CheckFinite(w)
	}
	return mode.scale(magnitude), nil
}

// ofMean reports whether a scale is made of the mean magnitude; else it is of the
// largest.
func (m Mode) ofMean() bool { return m == Binary || m == Ternary }

// scale is the scale of weights whose magnitude is the mean or the largest one.
func (m Mode) scale(magnitude float32) float32 {
	switch m {
	case Binary:
		return magnitude
	case Ternary:
		return max(magnitude, minScale)
	case Int4, Int8:
		return max(magnitude, minScale) / float32(m.MaxCode())
	}
	return 1
}

// Code returns the code of one weight.
//
//	binary   +1 if w >= 0 (0 and -0 too), else -1
//	others   clamp(roundHalfEven(w/scale), -MaxCode, MaxCode)
func Code(w, scale float32, mode Mode) float32 {
	if mode == Binary {
		return kernel.Sign(w)
	}
	return kernel.Code(w, scale, float32(mode.MaxCode()))
}

// writeCodes writes the [Code] of each weight, with one scale or one a column.
func writeCodes(codes, w, scales []float32, mode Mode) {
	switch mode {
	case Float:
		copy(codes, w)
	case Binary:
		kernel.Signs(codes, w)
	default:
		kernel.Codes(codes, w, scales, float32(mode.MaxCode()))
	}
}

// Quantize maps w to codes, as float32 values, and a scale, so that a weight is
// nearly scale*code. Float copies w and has scale 1.
//
// Shapes: codes, w of one length. Units: scale is in units of w.
// Errors: a *NotFiniteError if w holds NaN or an infinity; codes are then left alone.
// Source: see [Scale].
func Quantize(codes, w []float32, mode Mode) (scale float32, err error) {
	if len(codes) != len(w) {
		panic(fmt.Sprintf("quant: %d codes for %d weights", len(codes), len(w)))
	}
	if scale, err = Scale(w, mode); err != nil {
		return 0, err
	}
	writeCodes(codes, w, []float32{scale}, mode)
	return scale, nil
}
