package qat

import (
	"gorgonia.org/gorgonia"
)

// positions adds a learned vector to each real step, counted from the first real
// one; padded steps stay 0. Inputs: x [B, T, H], weight [T, H].
type positions struct {
	path               string
	batch, steps, cols int
	pad                *padding
}

func (p *positions) forward(out []float32, in [][]float32) error {
	if err := checkFinite(in[1], []int{p.steps, p.cols}); err != nil {
		return &paramError{p.path, err}
	}
	first, err := p.pad.starts(in, 2)
	if err != nil {
		return err
	}
	copy(out, in[0])
	p.each(first, func(row, position []float32) {
		for j, v := range position {
			row[j] += v
		}
	}, out, in[1])
	return nil
}

func (p *positions) backward(grads, in [][]float32, dout []float32) error {
	first, err := p.pad.starts(in, 2)
	if err != nil {
		return err
	}
	copy(grads[0], dout)
	clear(grads[1])
	p.each(first, func(row, position []float32) {
		for j, v := range row {
			position[j] += v
		}
	}, dout, grads[1])
	return nil
}

// each calls f with each real row of x and the row of weight for its position.
func (p *positions) each(first []int, f func(row, position []float32), x, weight []float32) {
	for b := range p.batch {
		start := 0
		if first != nil {
			start = first[b]
		}
		for t := start; t < p.steps; t++ {
			i, j := (b*p.steps+t)*p.cols, (t-start)*p.cols
			f(x[i:i+p.cols], weight[j:j+p.cols])
		}
	}
}

func (b *builder) positions(x *gorgonia.Node, path string) *gorgonia.Node {
	if b.err != nil || b.spec.Positions != Learned {
		return x
	}
	s := x.Shape()
	p := &positions{path, s[0], s[1], s[2], b.newPadding(s[0], s[1])}
	return b.add("positions", path, p, s.Clone(), b.withLengths(x, b.leaf(path))...)
}
