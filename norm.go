package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// norm is a layer norm over the last axis. Inputs: x [..., n], gain [n], bias [n].
// Source: Ba et al. 2016, arXiv:1607.06450.
type norm struct {
	kernel.Norm
	path       string
	batch      int // the first axis
	mean, rstd []float32
}

func (n *norm) forward(out []float32, in [][]float32) error {
	for i, name := range []string{"weight", "bias"} {
		if err := checkFinite(in[1+i], []int{len(in[1+i])}); err != nil {
			return &paramError{n.path + "." + name, err}
		}
	}
	n.Forward(out, n.mean, n.rstd, in[0], in[1], in[2])
	return nil
}

func (n *norm) backward(grads, in [][]float32, dout []float32) error {
	var joins []float32 // of the last steps of each sequence
	if len(in) > 3 {
		joins = in[3]
	}
	n.Backward(grads[0], grads[1], grads[2], dout, in[0], in[1], n.mean, n.rstd, joins, n.batch)
	return nil
}

// norm adds a layer norm whose leaves begin with path.
func (b *builder) norm(x *gorgonia.Node, path string) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	gain, bias := b.leaf(path+".weight"), b.leaf(path+".bias")
	shape := x.Shape().Clone()
	rows := product(shape) / shape[len(shape)-1]
	n := &norm{
		Norm: kernel.Norm{Eps: spec.NormEpsilon, Floor: b.spec.Numerics == Edifice},
		path: path, batch: shape[0], mean: make([]float32, rows), rstd: make([]float32, rows),
	}
	return b.add("layer_norm", path, n, shape, x, gain, bias)
}
