package qat

import (
	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// lastStep turns [B, 1, H] into [B, H].
type lastStep struct{}

func (lastStep) forward(out []float32, in [][]float32) error {
	copy(out, in[0])
	return nil
}

func (lastStep) backward(grads, _ [][]float32, dout []float32) error {
	copy(grads[0], dout)
	return nil
}

// meanPool turns [B, T, H] into the mean over the real steps, [B, H].
type meanPool struct {
	batch, steps, cols int
	pad                *padding
}

func (m *meanPool) forward(out []float32, in [][]float32) error {
	first, err := m.pad.starts(in, 1)
	if err != nil {
		return err
	}
	kernel.MeanPool(out, in[0], first, m.batch, m.steps, m.cols)
	return nil
}

func (m *meanPool) backward(grads, in [][]float32, dout []float32) error {
	first, err := m.pad.starts(in, 1)
	if err != nil {
		return err
	}
	kernel.MeanPoolBackward(grads[0], dout, first, m.batch, m.steps, m.cols)
	return nil
}

// pool adds what WithPooling asks for. x is [B, T, H], or [B, 1, H] where only the
// last step was computed.
func (b *builder) pool(x *gorgonia.Node, path string) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	batch, steps, cols := x.Shape()[0], x.Shape()[1], x.Shape()[2]
	switch b.spec.Pooling {
	case LastTimestep:
		return b.add("last_step", path, lastStep{}, []int{batch, cols}, x)
	case Mean:
		m := &meanPool{batch, steps, cols, b.newPadding(batch, steps)}
		return b.add("mean_pool", path, m, []int{batch, cols}, b.withLengths(x)...)
	}
	if b.lengths == nil {
		return x
	}
	return b.entry("all_steps", path, x) // writes 0 where there is padding
}
