package onnx

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// linear is a layer with a mode, of x [N, steps, in]:
//
//	y = float32(acc * float32(sx*sw)) + b
//
// where with int8 activations acc is a product of integers.
func (t *translation) linear(path string, x value) value {
	b := t.tensors[path+".bias"]
	bias, w := t.floats(b, len(b)), t.weights[path+".weight"]
	if w != nil && t.spec.Activations == spec.Int8Activations {
		return t.integers(path, x, w, bias)
	}
	values := t.tensors[path+".weight"]
	if w != nil {
		values = make([]float32, w.In*w.Out)
		for i, code := range inputsFirst(w) {
			values[i] = float32(code)
			if t.spec.Numerics == spec.Edifice {
				values[i] = quant.EdificeValue(values[i], w.Scales[0], w.Mode)
			}
		}
	}
	weight := t.initializer(path+".weight", typeFloat, []int{len(values) / len(b), len(b)}, rawFloats(values))
	if t.spec.Numerics == spec.Edifice {
		scale := t.op("Add", t.largest(t.op("Abs", x), -1), t.float(quant.EdificeEpsilon))
		y := t.op("Mul", t.op("MatMul", t.op("Div", x, scale), weight), scale)
		return t.op("Add", y, bias)
	}
	y := t.op("MatMul", x, weight)
	if w != nil {
		y = t.op("Mul", y, t.floats(w.Scales, len(w.Scales)))
	}
	return t.op("Add", y, bias)
}

// integers is a layer with int8 activations. They enter as bytes round a zero point of
// 128, and so do weights of 8 bits: the products of a signed byte and an unsigned one
// saturate in the runtimes' code for CPUs with AVX2 alone, where codes are that large.
func (t *translation) integers(path string, x value, w *packed.Weight, bias value) value {
	scale := t.op("Div", t.op("Max", t.largest(t.op("Abs", x), -1), t.float(kernel.MinMax)), t.float(127))
	code := t.op("Round", t.op("Div", x, scale))
	a := t.cast(t.op("Add", code, t.float(128)), typeUint8)
	zero := t.tensor(typeUint8, nil, []byte{128})
	in := []value{a, t.codes(path+".weight", w), zero}
	if w.Mode == quant.Int8 {
		in = append(in, zero)
	}
	// Rounded once, from float64: where a cast to float32 and a product follow each other,
	// ONNX Runtime puts one operator in their place, which has one sx for all tokens.
	acc := t.cast(t.cast(t.op("MatMulInteger", in...), typeDouble), typeFloat)
	scales := t.floats(w.Scales, len(w.Scales))
	return t.op("Add", t.op("Mul", acc, t.op("Mul", scale, scales)), bias)
}

// codes is a weight [in, out] in the smallest type that is asked for and has its codes.
func (t *translation) codes(name string, w *packed.Weight) value {
	codes, shape := inputsFirst(w), []int{w.In, w.Out}
	bits, dataType := 8, int64(typeInt8)
	switch {
	case w.Mode == quant.Int8:
		raw := make([]byte, len(codes))
		for i, c := range codes {
			raw[i] = byte(int(c) + 128)
		}
		return t.initializer(name, typeUint8, shape, raw)
	case t.stored == Int2 && w.Mode.Bits() <= 2:
		bits, dataType = 2, typeInt2
	case t.stored != Int8:
		bits, dataType = 4, typeInt4
	}
	each := 8 / bits
	raw := make([]byte, (len(codes)+each-1)/each)
	for i, c := range codes {
		raw[i/each] |= byte(c) & (1<<bits - 1) << (i % each * bits)
	}
	v := t.initializer(name, dataType, shape, raw)
	if bits < 8 {
		v = t.cast(v, typeInt8)
	}
	return v
}

// inputsFirst are a weight's codes [in, out].
func inputsFirst(w *packed.Weight) []int8 {
	codes, turned := make([]int8, w.In*w.Out), make([]int8, w.In*w.Out)
	w.Unpack(codes)
	for o := range w.Out {
		for i := range w.In {
			turned[i*w.Out+o] = codes[o*w.In+i]
		}
	}
	return turned
}
