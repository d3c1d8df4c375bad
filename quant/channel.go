package quant

import (
	"fmt"

	"github.com/qat-go/qat/internal/kernel"
)

// QuantizeWeight maps the weight of a linear layer to codes, as float32 values, and
// scales: one for all, or one an output, which is [Quantize] of each column on its
// own, in ascending order of the input.
//
// Shapes: codes, w [in, out]; scales [g.Scales(out)]. Units: scales are in units of w.
// Errors: a *NotFiniteError if w holds NaN or an infinity; codes and scales are then
// left alone.
// Source: see [Scale]; a scale a channel: Krishnamoorthi 2018, arXiv:1806.08342.
func QuantizeWeight(codes, w []float32, out int, mode Mode, g Granularity, scales []float32) error {
	in, rest := 0, len(w)
	if out > 0 {
		in, rest = len(w)/out, len(w)%out
	}
	if rest != 0 || len(scales) != g.Scales(out) {
		panic(fmt.Sprintf("quant: %d weights and %d scales for %d outputs, a scale a %v", len(w), len(scales), out, g))
	}
	if g == PerTensor {
		scale, err := Quantize(codes, w, mode)
		if err == nil {
			scales[0] = scale
		}
		return err
	}
	if len(codes) != len(w) {
		panic(fmt.Sprintf("quant: %d codes for %d weights", len(codes), len(w)))
	}
	if err := CheckFinite(w); err != nil {
		return err
	}
	columnScales(scales, w, in, mode)
	writeCodes(codes, w, scales, mode)
	return nil
}

// columnScales is [Scale] of each column of a finite w [in, len(scales)].
func columnScales(scales, w []float32, in int, mode Mode) {
	if mode.ofMean() {
		kernel.ColumnMeanAbs(scales, w, in)
	} else {
		kernel.ColumnMaxAbs(scales, w, in)
	}
	for j, magnitude := range scales {
		scales[j] = mode.scale(magnitude)
	}
}
