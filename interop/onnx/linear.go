package onnx

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// linear is a layer whose weight and input may be quantized, as infer's:
//
//	y = float32(acc * float32(sx*sw)) + b
func (t *translator) linear(path string, x value) value {
	bias := t.tensor(path + ".bias")
	w := t.weights[path+".weight"]
	if w != nil && t.spec.Activations == spec.Int8Activations {
		return t.integers(path, w, x, bias)
	}
	one := value("")
	if t.spec.Numerics == spec.Edifice {
		one = t.op("Add", t.largest(t.op("Abs", x)), t.float(quant.EdificeEpsilon))
		x = t.op("Div", x, one)
	}
	if w == nil {
		y := t.product(x, t.tensor(path+".weight"), t.shape[path+".weight"])
		return t.rescaled(path, y, one, "", bias)
	}
	values := t.cast(t.codes(path, w), typeFloat)
	if t.spec.Numerics == spec.BitNet {
		return t.rescaled(path, t.op("MatMul", x, values), one, t.scales(path, w), bias)
	}
	if w.Mode == quant.Int4 || w.Mode == quant.Int8 { // quant.EdificeValue
		values = t.op("Mul", t.op("Div", values, t.float(float32(w.Mode.MaxCode()))), t.float(w.Scales[0]))
	}
	return t.rescaled(path, t.op("MatMul", x, values), one, "", bias)
}

// integers is a layer that multiplies int8 codes. They enter as unsigned bytes round a
// zero point, for which runtimes have fast products; and weights of 8 bits too, because
// those products of an unsigned and a signed byte saturate on CPUs without VNNI.
func (t *translator) integers(path string, w *packed.Weight, x, bias value) value {
	scale := t.op("Div", t.op("Max", t.largest(t.op("Abs", x)), t.float(kernel.MinMax)), t.float(127)) // kernel.RowScale
	zero := t.constant(typeUint8, []byte{zeroPoint})
	in := []value{t.unsigned(t.op("Round", t.op("Div", x, scale))), t.codes(path, w), zero}
	switch {
	case w.Mode == quant.Int8:
		in[1] = t.unsigned(t.cast(in[1], typeFloat))
		in = append(in, zero)
	case t.stored(w) != typeInt8:
		in[1] = t.cast(in[1], typeInt8)
	}
	// By way of float64, which is exact: of MatMulInteger, one Cast and Mul ONNX Runtime
	// (1.30) makes one operation, which takes the first token's scale for every token's.
	sums := t.cast(t.cast(t.op("MatMulInteger", in...), typeDouble), typeFloat)
	return t.rescaled(path, sums, scale, t.scales(path, w), bias)
}

// zeroPoint is what an unsigned code of 0 is.
const zeroPoint = 128

// unsigned is x, whole numbers from -127 to 127, round the zero point.
func (t *translator) unsigned(x value) value {
	return t.cast(t.op("Add", x, t.float(zeroPoint)), typeUint8)
}

// rescaled is kernel.Rescale, the end of a layer: y*(rows*columns) + bias. An empty
// scale is 1.
func (t *translator) rescaled(path string, y, rows, columns, bias value) value {
	scale := rows + columns
	if rows != "" && columns != "" {
		scale = t.op("Mul", rows, columns)
	}
	if scale != "" {
		y = t.op("Mul", y, scale)
	}
	return t.named(path, t.op("Add", y, bias))
}

// product is that of a float layer. Where layers round their input to codes it has the
// bits of kernel.Gemm with fused multiply-adds.
func (t *translator) product(x, w value, shape []int64) value {
	if t.spec.Activations == spec.FloatActivations {
		return t.op("MatMul", x, w)
	}
	return t.chained(x, w, shape, true)
}

// dense is a float layer of x [N, ..., in] whose outputs are one ascending chain each:
// kernel.Chain.
func (t *translator) dense(path string, x value) value {
	w := path + ".weight"
	y := t.chained(x, t.tensor(w), t.shape[w], false)
	return t.named(path, t.op("Add", y, t.tensor(path+".bias")))
}

// chained is the product of x [N, ..., in] and w [in, out].
func (t *translator) chained(x, w value, shape []int64, fused bool) value {
	return t.products(t.each(x, -1, shape[0]), t.each(w, 0, shape[0]), fused)
}

// norm is kernel.Norm: 1/sqrt(v) is divided in float64, which rounds to the same number,
// because a runtime makes one division of two that are float32.
func (t *translator) norm(path string, x value, axes int) value {
	hidden := t.spec.HiddenSize
	mean := t.op("Div", t.sum(x, hidden, axes), t.float(float32(hidden)))
	d := t.op("Sub", x, mean)
	variance := t.op("Div", t.sum(t.op("Mul", d, d), hidden, axes), t.float(float32(hidden)))
	if t.spec.Numerics == spec.Edifice {
		variance = t.op("Where", t.op("Less", variance, t.float(spec.NormEpsilon)), t.float(0), variance)
	}
	root := t.cast(t.op("Sqrt", t.op("Add", variance, t.float(spec.NormEpsilon))), typeDouble)
	d = t.op("Mul", d, t.cast(t.op("Div", t.double(1), root), typeFloat))
	d = t.op("Mul", d, t.tensor(path+".weight"))
	return t.named(path, t.op("Add", d, t.tensor(path+".bias")))
}
