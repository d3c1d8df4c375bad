package qat

import (
	"sync/atomic"

	"gorgonia.org/gorgonia"
)

// control is the training state that the ops of one model or layer share.
type control struct {
	training atomic.Bool
	step     atomic.Uint64
	seed     uint64
}

func newControl(seed uint64) *control {
	c := &control{seed: seed}
	c.training.Store(true)
	return c
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
