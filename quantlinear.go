package qat

import (
	"fmt"

	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// QuantLinear adds a linear layer whose weight is quantized going forward, and
// trained through the straight-through estimator.
//
//	y = float32(acc * float32(sx*sw)) + b
//
// acc is the dot product of the weight's codes and of the token's int8 codes, sx
// and sw their scales; sw is the weight's or, with WithGranularity(PerChannel), the
// output's own.
//
// Shapes: x [..., in] of 2 or 3 axes; weight [in, out]; bias [out]; the output
// [..., out].
// Options: WithName (default "quant_linear"), WithSeed, WithParamsFrom,
// WithQuantize, WithGranularity, WithNumerics, WithActivations, WithSTE.
// Errors: every fault of the arguments, before a node is added. Running the graph
// with NaN or an infinity in a parameter or in x is an error that names it.
// Source: Ma et al. 2024 (BitNet b1.58), arXiv:2402.17764.
func QuantLinear(x *gorgonia.Node, outFeatures int, opts ...Option) (*Layer, error) {
	return linearLayer("QuantLinear", "quant_linear", linearOptions, x, outFeatures, opts)
}

// Dense adds a float linear layer, as the head on a model's output: y = x*w + b,
// each output one ascending chain over the inputs.
//
// Shapes: x [..., in] of 2 or 3 axes; weight [in, out]; bias [out]; the output
// [..., out].
// Options: WithName (default "dense"), WithSeed, WithParamsFrom.
// Errors: as QuantLinear.
func Dense(x *gorgonia.Node, outFeatures int, opts ...Option) (*Layer, error) {
	return linearLayer("Dense", "dense", denseOptions, x, outFeatures, opts)
}

func linearLayer(builder, defaultName string, known []string, x *gorgonia.Node, out int, opts []Option) (*Layer, error) {
	c := newConfig(opts)
	c.implyActivations(c.spec.Quantize == Float)
	if c.name == "" {
		c.name = defaultName
	}
	float := builder == "Dense"
	if float {
		c.spec = floatSpec()
	}
	badNode := checkNode("x", x, 2, 3)
	errs := append(c.faults(builder, known), badNode...)
	errs = append(errs, c.spec.ValidateLinear())
	if out < 1 {
		errs = append(errs, fmt.Errorf("outFeatures %d is not positive", out))
	}
	p := &plan{seed: c.seed}
	if len(badNode) == 0 {
		in := x.Shape()[x.Dims()-1]
		p.g, p.params = x.Graph(), spec.Linear(c.name, in, out, c.spec.Quantize)
		errs = append(errs, p.faults(c)...)
		errs = append(errs,
			checkElements("outFeatures", "the weight", in, out),
			checkElements("outFeatures", "the output", x.Shape().TotalSize()/in, out))
	}
	if err := fail(builder, errs); err != nil {
		return nil, err
	}
	b, err := newBuilder(p, c, newControl(c.seed))
	if err != nil {
		return nil, err
	}
	y := b.linear(x, c.name, c.spec, func(l *linear) { l.chain = float })
	return b.layer(y)
}

// floatSpec is how the float layers compute.
func floatSpec() spec.Model {
	return spec.Model{Quantize: Float, Activations: FloatActivations}
}

// linear adds one linear layer whose leaves begin with path. Its mode is its
// weight's.
func (b *builder) linear(x *gorgonia.Node, path string, s spec.Model, adjust func(*linear)) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	weight, bias := b.param(path+".weight"), b.leaf(path+".bias")
	shape := x.Shape().Clone()
	s.Quantize = weight.Mode
	l := newLinear(path, shape, weight.Node.Shape()[1], s)
	l.ctrl = b.ctrl
	adjust(l)
	out := append(tensor.Shape{}, shape[:len(shape)-1]...)
	out = append(out, l.out)
	if l.pad != nil {
		return b.add("linear", path, l, out, x, weight.Node, bias, b.lengths)
	}
	return b.add("linear", path, l, out, x, weight.Node, bias)
}
