package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// residual adds a branch [B, keep, cols], what dropout leaves of it, to the last keep of
// the steps rows of a stream [B, steps, cols].
type residual struct {
	batch, steps, keep, cols int
	*dropout
}

func (r residual) forward(out []float32, in [][]float32) error {
	kernel.AddRows(out, in[0], in[1], r.draw(), r.batch, r.steps, r.keep, r.cols)
	return nil
}

func (r residual) backward(grads, _ [][]float32, dout []float32) error {
	stream, branch := grads[0], grads[1]
	r.last().Apply(branch, dout)
	if stream == nil {
		return nil
	}
	clear(stream)
	n := r.keep * r.cols
	for b := range r.batch {
		copy(stream[(b*r.steps+r.steps-r.keep)*r.cols:(b+1)*r.steps*r.cols], dout[b*n:(b+1)*n])
	}
	return nil
}

// residual adds the sum of a stream and a branch, whose first node is norm, with dropout
// of its own path.
func (b *builder) residual(stream, norm, branch *gorgonia.Node, path, dropout string, steps int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	s, k := stream.Shape(), branch.Shape()
	r := residual{s[0], s[1], k[1], s[2], b.newDropout(branch, dropout, steps)}
	n := b.add("residual", path, r, k.Clone(), stream, branch)
	if b.err == nil {
		n.Op().(*op).via = norm.Op().(*op)
	}
	return n
}
