package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// silu is x/(1+e^-x), elementwise, and dropout of it.
type silu struct{ *dropout }

func (s silu) forward(out []float32, in [][]float32) error {
	kernel.SiLU(out, in[0], s.draw())
	return nil
}

func (s silu) backward(grads, in [][]float32, dout []float32) error {
	kernel.SiLUBackward(grads[0], in[0], dout, s.last())
	return nil
}

// silu adds the activation of x [B, keep, cols], the last keep of steps rows, with dropout
// of its own path.
func (b *builder) silu(x *gorgonia.Node, path, dropout string, steps int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.add("silu", path, silu{b.newDropout(x, dropout, steps)}, x.Shape().Clone(), x)
}
