package packed

import (
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Quantize makes a weight of the values of one of m's quantized parameters, as the
// training graph does going forward.
//
// Shapes: w as p's, [in, out].
// Errors: a *quant.NotFiniteError.
func Quantize(p spec.Param, w []float32, m spec.Model) (Weight, error) {
	in, out := p.Shape[0], p.Shape[1]
	codes, scales := make([]float32, len(w)), make([]float32, m.Granularity.Scales(out))
	if m.Numerics == spec.Edifice {
		scale, err := quant.EdificeScale(w, p.Mode)
		if err != nil {
			return Weight{}, err
		}
		for i, v := range w {
			codes[i] = quant.EdificeCode(v, scale, p.Mode)
		}
		if scales[0] = scale; p.Mode == quant.Ternary {
			scales[0] = 1 // the codes are the values
		}
	} else if err := quant.QuantizeWeight(codes, w, out, p.Mode, m.Granularity, scales); err != nil {
		return Weight{}, err
	}
	return Pack(p.Name, p.Mode, in, out, codes, scales)
}
