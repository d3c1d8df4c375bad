package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// silu is x/(1+e^-x), elementwise.
type silu struct{}

func (silu) forward(out []float32, in [][]float32) error {
	kernel.SiLU(out, in[0])
	return nil
}

func (silu) backward(grads, in [][]float32, dout []float32) error {
	kernel.SiLUBackward(grads[0], in[0], dout)
	return nil
}

func (b *builder) silu(x *gorgonia.Node, path string) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.add("silu", path, silu{}, x.Shape().Clone(), x)
}
