package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// dropout zeroes elements at random in training and scales the others up; in
// evaluation it is the identity. Its mask is drawn anew from (seed, step, path,
// element) each time it is needed, never stored. It is an op of its own or a part of
// another: see silu and residual.
// Source: Srivastava et al. 2014, JMLR 15.
type dropout struct {
	ctrl *control
	path string
	p    float64
	// x is the last keep of every steps rows of [batch, steps, cols].
	batch, steps, keep, cols int

	training bool // what the forward run was, for its backward run
	drawn    kernel.Dropout
}

func (d *dropout) forward(out []float32, in [][]float32) error {
	d.draw().Apply(out, in[0])
	return nil
}

func (d *dropout) backward(grads, _ [][]float32, dout []float32) error {
	d.last().Apply(grads[0], dout)
	return nil
}

// draw returns a forward run's mask, nil in evaluation or of no dropout.
func (d *dropout) draw() *kernel.Dropout {
	if d == nil {
		return nil
	}
	d.training = d.ctrl.training.Load()
	d.drawn = kernel.Dropout{
		Key: kernel.NewKey(d.ctrl.seed, d.ctrl.step.Load(), d.path),
		P:   d.p, Batch: d.batch, Steps: d.steps, Keep: d.keep, Cols: d.cols,
	}
	return d.last()
}

// last is what draw returned.
func (d *dropout) last() *kernel.Dropout {
	if d == nil || !d.training {
		return nil
	}
	return &d.drawn
}

// newDropout returns dropout of x [B, keep, cols], the last keep of steps rows; nil where
// its probability is 0.
func (b *builder) newDropout(x *gorgonia.Node, path string, steps int) *dropout {
	if b.err != nil || b.spec.Dropout == 0 {
		return nil
	}
	s := x.Shape()
	return &dropout{ctrl: b.ctrl, path: path, p: b.spec.Dropout, batch: s[0], steps: steps, keep: s[1], cols: s[2]}
}

// dropout adds dropout to x, if there is any.
func (b *builder) dropout(x *gorgonia.Node, path string, steps int) *gorgonia.Node {
	d := b.newDropout(x, path, steps)
	if d == nil {
		return x
	}
	return b.add("dropout", path, d, x.Shape().Clone(), x)
}
