package infer

import (
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
)

// block is one pre-norm transformer block.
type block struct {
	attnNorm, ffnNorm  norm
	qkv, out, up, down linear
}

// cache holds a block's keys and values of the steps so far.
type cache struct {
	keys   []float32 // turned and transposed: [H, steps], rows stride apart
	stride int
	values []float32 // [steps, H]
}

// keyLine is how many keys fill a line of the caches, with which rows begin.
const keyLine = 16

// grow makes room for the keys of so many steps, of a window's at most, and keeps those of
// the first have.
func (c *cache) grow(hidden, have, steps, window int) {
	if steps <= c.stride {
		return
	}
	old, before := c.keys, c.stride
	c.stride = steps
	if have == 0 {
		room(&c.keys, hidden*c.stride)
		return
	}
	c.stride = (min(2*steps, window) + keyLine - 1) / keyLine * keyLine // not again with the next frame
	c.keys = make([]float32, hidden*c.stride)
	for i := range hidden {
		copy(c.keys[i*c.stride:], old[i*before:i*before+have])
	}
}

// run computes the steps [from, from+n) of a sequence, of which x [n, E] is what the
// model reads, on caches that hold the steps before them: one cache a block, or one
// for all where from is 0. It returns what the pooling reads of them after the final
// norm, in w: n rows, or with LastTimestep pooling the last.
//
// Nothing of a step depends on those after it, and no row on how many are computed
// with it: so the bits are those of the whole sequence.
func (m *Model) run(w *workspace, x []float32, from, n int, caches []cache) ([]float32, error) {
	hidden := m.spec.HiddenSize
	w.attention = m.attentionOver(from + n)
	h := room(&w.stream, n*hidden)
	if m.projection != nil {
		m.projection.forward(h, x, n)
	} else {
		copy(h, x)
	}
	if m.positions != nil {
		kernel.AddRow(h, h, m.positions[from*hidden:(from+n)*hidden])
	}
	s := span{from, n, n, &caches[0] != &w.caches[0]}
	for i := range m.blocks {
		if i == len(m.blocks)-1 && m.spec.Pooling == spec.LastTimestep {
			s.keep = 1 // nothing else is read
		}
		if err := m.blocks[i].run(m, w, &caches[min(i, len(caches)-1)], s); err != nil {
			return nil, err
		}
	}
	keep := s.keep
	y := room(&w.branch, keep*hidden)
	m.final.forward(y, h, keep)
	return y, nil
}

// span says which steps of a sequence a block computes: n from step from on, and
// what follows the keys and values only for the last keep of them. Where there are steps
// to come, keys and values are for them too.
type span struct {
	from, n, keep int
	goesOn        bool
}

// run computes the kept rows of the stream, which end up in its front.
func (b *block) run(m *Model, w *workspace, c *cache, s span) error {
	hidden, n, keep := m.spec.HiddenSize, s.n, s.keep
	h, a, y := w.stream, room(&w.branch, n*hidden), room(&w.wide, n*3*hidden)
	b.attnNorm.forward(a, h, n)
	if err := b.attend(m, w, c, s); err != nil {
		return err
	}
	if err := b.out.forward(w, y, a, keep); err != nil {
		return err
	}
	kernel.AddRow(h, h[(n-keep)*hidden:n*hidden], y[:keep*hidden])

	b.ffnNorm.forward(a, h, keep)
	up := room(&w.up, keep*4*hidden)
	if err := b.up.forward(w, up, a, keep); err != nil {
		return err
	}
	kernel.SiLURow(up, up)
	if err := b.down.forward(w, y, up, keep); err != nil {
		return err
	}
	kernel.AddRow(h, h, y[:keep*hidden])
	return nil
}

// attend replaces the n rows in w.branch by the attention of the kept ones.
func (b *block) attend(m *Model, w *workspace, c *cache, s span) error {
	hidden, n, last := b.out.out, s.n, s.from+s.n
	skip := n - s.keep
	a, qkv := w.branch, kernel.Dense(w.wide, n, 3*hidden)
	if skip > 0 { // keys and values of every step, queries of the kept ones
		in, err := b.qkv.read(w, a, n)
		if err != nil {
			return err
		}
		b.qkv.write(qkv.Columns(hidden, 3*hidden), in, 0, hidden, 3*hidden)
		b.qkv.write(kernel.Matrix{Data: qkv.Data[skip*3*hidden:], Rows: s.keep, Cols: hidden, Stride: 3 * hidden}, in, skip, 0, hidden)
	} else if err := b.qkv.forward(w, qkv.Data, a, n); err != nil {
		return err
	}
	c.grow(hidden, s.from, last, m.spec.WindowSize)
	values := qkv.Columns(2*hidden, 3*hidden)
	if s.goesOn {
		values = kernel.Dense(room(&c.values, last*hidden), last, hidden)
		for i := range n {
			copy(values.Data[(s.from+i)*hidden:], qkv.Data[i*3*hidden+2*hidden:(i+1)*3*hidden])
		}
	}
	keys, queries := qkv.Columns(hidden, 2*hidden), qkv.Columns(0, hidden)
	if w.attention.Rotary != nil {
		for i := range n {
			row := qkv.Data[i*3*hidden:]
			w.attention.Turn(row[hidden:2*hidden], row[hidden:2*hidden], s.from+i)
			if i >= skip {
				w.attention.Turn(row[:hidden], row[:hidden], s.from+i)
			}
		}
	}
	w.attention.Keys(c.keys, c.stride, s.from, keys)
	queries.Data, queries.Rows = queries.Data[skip*queries.Stride:], s.keep
	w.attention.Rows(a, queries, c.keys, c.stride, values, s.from+skip)
	return nil
}
