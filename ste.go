package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// straightThrough quantizes a weight going forward and passes its gradient
// straight through going back.
// Source: Bengio et al. 2013, arXiv:1308.3432, section 4.
type straightThrough struct {
	mode        Mode
	numerics    spec.Numerics
	ste         spec.STE
	granularity quant.Granularity
	out         int // the last axis
	// scales are the last forward run's: one, or one an output. In the Edifice
	// numerics, what the weight was divided by.
	scales []float32
}

func newStraightThrough(out int, s spec.Model) straightThrough {
	return straightThrough{s.Quantize, s.Numerics, s.STE, s.Granularity, out, make([]float32, s.Granularity.Scales(out))}
}

// quantize writes what enters the product in w's place: codes, which factors scale.
// The Edifice numerics and Float mode have values and factor 1.
func (s *straightThrough) quantize(codes, w []float32) (err error) {
	if s.numerics == Edifice {
		s.scales[0], err = quant.QuantizeEdifice(codes, w, s.mode)
		return err
	}
	return quant.QuantizeWeight(codes, w, s.out, s.mode, s.granularity, s.scales)
}

// unit is the factor of values.
var unit = []float32{1}

// factors are what the codes of all outputs, or of each, are multiplied by.
func (s *straightThrough) factors() []float32 {
	if s.numerics == Edifice || s.mode == Float {
		return unit
	}
	return s.scales
}

// dequantize writes to values what codes [n, out] stand for; they may be one.
func (s *straightThrough) dequantize(values, codes []float32) {
	kernel.Scale(values, codes, s.factors())
}

// of returns the factor of output j.
func of(factors []float32, j int) float32 {
	if len(factors) == 1 {
		return factors[0]
	}
	return factors[j]
}

// pass turns the gradient of what entered for the weight into the latent weight's, in
// place: unchanged, or with STE Clipped clipped times as large where |w/scale| > 1.
func (s *straightThrough) pass(dw, w []float32, clipped float32) {
	if s.ste != Clipped || s.mode == Float {
		return
	}
	for i, v := range w {
		if scale := of(s.scales, i%s.out); !(v >= -scale && v <= scale) {
			if dw[i] *= clipped; clipped == 0 {
				dw[i] = 0 // and not -0
			}
		}
	}
}

// fakeQuantize is the op of FakeQuantize.
type fakeQuantize struct {
	straightThrough
	shape []int
}

func (f *fakeQuantize) forward(out []float32, in [][]float32) error {
	if err := f.quantize(out, in[0]); err != nil {
		return place(err, f.shape)
	}
	f.dequantize(out, out)
	return nil
}

func (f *fakeQuantize) backward(grads, in [][]float32, dout []float32) error {
	copy(grads[0], dout)
	f.pass(grads[0], in[0], 0)
	return nil
}

// FakeQuantize returns a node with w quantized and back to float: scale*code for
// each element, with one scale for the tensor or one for each index of the last
// axis. Its gradient passes straight through to w. It is for layers of the caller's
// own.
//
// Shapes: w and the result have one shape, of any number of axes from 1.
// Options: WithName, WithNumerics, WithSTE, WithGranularity.
// Errors: every fault of the arguments, before a node is added. Running the graph
// on a weight with NaN or an infinity is an error that names the element.
func FakeQuantize(w *gorgonia.Node, mode Mode, opts ...Option) (*gorgonia.Node, error) {
	c := newConfig(opts)
	c.spec.Quantize = mode
	c.spec.Activations = FloatActivations // there are none
	errs := append(c.faults("FakeQuantize", fakeOptions), checkNode("weight", w, 0)...)
	errs = append(errs, c.spec.ValidateLinear())
	if err := fail("FakeQuantize", errs); err != nil {
		return nil, err
	}
	name := c.name
	if name == "" {
		name = w.Name()
	}
	shape := w.Shape().Clone()
	f := &fakeQuantize{newStraightThrough(shape[len(shape)-1], c.spec), shape}
	return newOp("fake_quantize", name, f, shape.Clone(), 0, nil, w)
}
