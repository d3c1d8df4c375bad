package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// attention is causal multi-head attention on a packed q|k|v [B, T, 3H]; its
// output is [B, keep, H].
type attention struct {
	kernel.Attention
	pad     *padding
	weights []float32
}

func (a *attention) forward(out []float32, in [][]float32) error {
	first, err := a.pad.starts(in, 1)
	if err != nil {
		return err
	}
	a.Forward(out, a.weights, in[0], first)
	return nil
}

func (a *attention) backward(grads, in [][]float32, dout []float32) error {
	first, err := a.pad.starts(in, 1)
	if err != nil {
		return err
	}
	a.Backward(grads[0], dout, a.weights, in[0], first)
	return nil
}

// attention adds attention for the last keep steps.
func (b *builder) attention(qkv *gorgonia.Node, path string, keep int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	batch, steps, hidden := qkv.Shape()[0], qkv.Shape()[1], qkv.Shape()[2]/3
	a := &attention{
		Attention: kernel.Attention{
			Batch: batch, Steps: steps, Keep: keep,
			Heads: b.spec.NumHeads, HeadSize: hidden / b.spec.NumHeads,
		},
		pad: b.newPadding(batch, steps),
	}
	if b.spec.Numerics == Edifice {
		a.Epsilon = spec.EdificeSoftmaxEpsilon
	}
	if b.spec.Positions == Rotary {
		if b.rotary == nil {
			b.rotary = kernel.NewRotary(steps, a.HeadSize)
		}
		a.Rotary = b.rotary
	}
	a.weights = make([]float32, a.Weights())
	return b.add("attention", path, a, []int{batch, keep, hidden}, b.withLengths(qkv)...)
}
