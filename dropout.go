package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// dropout zeroes elements at random in training and scales the others up; in
// evaluation it is the identity. Its mask is drawn anew from (seed, step, path,
// element) each time it is needed, never stored.
// Source: Srivastava et al. 2014, JMLR 15.
type dropout struct {
	ctrl *control
	path string
	p    float64
	// x is the last keep of every steps rows of [batch, steps, cols].
	batch, steps, keep, cols int

	training bool // what the forward run was, for its backward run
	key      kernel.Key
}

func (d *dropout) forward(out []float32, in [][]float32) error {
	d.training = d.ctrl.training.Load()
	d.key = kernel.NewKey(d.ctrl.seed, d.ctrl.step.Load(), d.path)
	d.mask(out, in[0])
	return nil
}

func (d *dropout) backward(grads, _ [][]float32, dout []float32) error {
	d.mask(grads[0], dout)
	return nil
}

func (d *dropout) mask(y, x []float32) {
	if !d.training {
		copy(y, x)
		return
	}
	kernel.Dropout(y, x, d.key, d.p, d.batch, d.steps, d.keep, d.cols)
}

// dropout adds dropout to x [B, keep, cols], the last keep of steps rows; with
// probability 0 it adds nothing.
func (b *builder) dropout(x *gorgonia.Node, path string, steps int) *gorgonia.Node {
	if b.err != nil || b.spec.Dropout == 0 {
		return x
	}
	s := x.Shape()
	d := &dropout{ctrl: b.ctrl, path: path, p: b.spec.Dropout, batch: s[0], steps: steps, keep: s[1], cols: s[2]}
	return b.add("dropout", path, d, s.Clone(), x)
}
