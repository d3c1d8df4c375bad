package qat

import (
	"math"
	"sync/atomic"

	"gorgonia.org/gorgonia"
)

// control is the training state that the ops of one model or layer share.
type control struct {
	training atomic.Bool
	step     atomic.Uint64
	seed     uint64
	blend    atomic.Uint32 // the bits of what SetQuantization set
}

func newControl(seed uint64) *control {
	c := &control{seed: seed}
	c.training.Store(true)
	c.blend.Store(math.Float32bits(1))
	return c
}

// quantization is how far operands are quantized in the run to come, from 0 to 1.
func (c *control) quantization() float32 {
	if c == nil || !c.training.Load() {
		return 1
	}
	return math.Float32frombits(c.blend.Load())
}

// Layer is a piece of a graph with parameters: what QuantLinear, Dense and Block
// return.
type Layer struct {
	paramSet
	out  *gorgonia.Node
	ctrl *control // of a layer that a builder made
}

// Output returns the node of the result.
func (l *Layer) Output() *gorgonia.Node { return l.out }

// SetTraining switches dropout on or off for the runs that follow, whichever
// machine makes them. A fresh model or layer is in training mode.
func (l *Layer) SetTraining(on bool) { l.ctrl.training.Store(on) }

// Step returns how many forward runs in training mode there were. Each begins by
// adding one, and dropout's masks depend on the sum.
func (l *Layer) Step() uint64 { return l.ctrl.step.Load() }

// SetStep sets what Step returns, so that a resumed training draws the masks that
// an uninterrupted one would have drawn.
func (l *Layer) SetStep(step uint64) { l.ctrl.step.Store(step) }

// SetQuantization blends quantized layers with float ones in training, for a training
// that begins in float and ends quantized: for the runs that follow, a layer computes
// with
//
//	(1-part)*w + part*quantized(w)
//
// in place of the quantized w, and with its input likewise. The gradient passes straight
// through, as ever. A part of 0 or less is none of it, one of 1 or more all of it, as in
// a fresh model. Evaluation mode always quantizes.
func (l *Layer) SetQuantization(part float64) {
	l.ctrl.blend.Store(math.Float32bits(float32(min(max(part, 0), 1))))
}
