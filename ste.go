package qat

import (
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// straightThrough quantizes a weight going forward and passes its gradient
// straight through going back.
// Source: Bengio et al. 2013, arXiv:1308.3432, section 4.
type straightThrough struct {
	mode     Mode
	numerics spec.Numerics
	ste      spec.STE
}

// quantize writes what enters the product in w's place: codes, which the returned
// factor scales. The Edifice numerics and Float mode have values and factor 1.
func (s straightThrough) quantize(codes, w []float32) (factor float32, err error) {
	if s.numerics == Edifice {
		_, err = quant.QuantizeEdifice(codes, w, s.mode)
		return 1, err
	}
	return quant.Quantize(codes, w, s.mode)
}

// pass turns the gradient of the quantized weight into the latent weight's, in
// place: unchanged, or with STE Clipped 0 where |w/scale| > 1.
func (s straightThrough) pass(dw, w []float32) error {
	if s.ste != Clipped {
		return nil
	}
	scale, err := quant.Scale(w, s.mode)
	if s.numerics == Edifice {
		scale, err = quant.EdificeScale(w, s.mode)
	}
	if err != nil {
		return err
	}
	for i, v := range w {
		if !(v >= -scale && v <= scale) {
			dw[i] = 0
		}
	}
	return nil
}

// fakeQuantize is the op of FakeQuantize.
type fakeQuantize struct {
	straightThrough
	shape []int
}

func (f *fakeQuantize) forward(out []float32, in [][]float32) error {
	factor, err := f.quantize(out, in[0])
	if err != nil {
		return place(err, f.shape)
	}
	if factor != 1 {
		for i, code := range out {
			out[i] = float32(factor * code)
		}
	}
	return nil
}

func (f *fakeQuantize) backward(grads, in [][]float32, dout []float32) error {
	copy(grads[0], dout)
	return f.pass(grads[0], in[0])
}

// FakeQuantize returns a node with w quantized and back to float: scale*code for
// each element, with one scale for the tensor. Its gradient passes straight
// through to w. It is for layers of the caller's own.
//
// Shapes: w and the result have one shape, of any number of axes from 1.
// Options: WithName, WithNumerics, WithSTE.
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
	f := &fakeQuantize{straightThrough{mode, c.spec.Numerics, c.spec.STE}, w.Shape().Clone()}
	return newOp("fake_quantize", name, f, w.Shape().Clone(), 0, nil, w)
}
