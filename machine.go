package qat

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// NewMachine returns a TapeMachine that trains ws, and what a solver steps. It is
//
//	vm := gorgonia.NewTapeMachine(g, append(opts, gorgonia.BindDualValues(ws...))...)
//	grads := gorgonia.NodesToValueGrads(ws)
//
// but where this package's ops compute the gradients, and no other op of the graph writes
// over what it reads, the solver gets them where they were computed. Gorgonia would
// add them to tensors of its own on one core, for a solver to zero again. A run
// overwrites the gradients then, it does not add to them; where they have to be added up
// over several runs, use the two lines above.
//
// Errors: a node of ws has no gradient, because [gorgonia.Grad] was not called for it.
func NewMachine(g *gorgonia.ExprGraph, ws gorgonia.Nodes, opts ...gorgonia.VMOpt) (gorgonia.VM, []gorgonia.ValueGrad, error) {
	grads := make([]gorgonia.ValueGrad, len(ws))
	own := !overwrites(g)
	for i, w := range ws {
		if w.Deriv() == nil {
			return nil, nil, fmt.Errorf("qat: %s has no gradient: call gorgonia.Grad with it first", w.Name())
		}
		r := owned(w.Deriv())
		own = own && r != nil
		grads[i] = &gradient{w, r}
	}
	if !own {
		grads = gorgonia.NodesToValueGrads(ws)
		opts = append(opts[:len(opts):len(opts)], gorgonia.BindDualValues(ws...))
	}
	return gorgonia.NewTapeMachine(g, opts...), grads, nil
}

// overwrites tells whether an op may write to a value that another one made. Those of
// this package do not.
func overwrites(g *gorgonia.ExprGraph) bool {
	for _, n := range g.AllNodes() {
		_, unsafe := n.Op().(gorgonia.UnsafeDoer)
		_, reuse := n.Op().(gorgonia.UsePreallocDoer)
		if unsafe || reuse {
			return true
		}
	}
	return false
}

// owned is where a node's value is after every run, nil where it may be elsewhere.
func owned(n *gorgonia.Node) *tensor.Dense {
	switch o := n.Op().(type) {
	case *gradOp:
		return o.first.tensor
	case *partOp:
		return o.of.tensor
	}
	return nil
}

// gradient is a parameter with the gradient that its op owns.
type gradient struct {
	*gorgonia.Node
	grad *tensor.Dense
}

func (g *gradient) Grad() (gorgonia.Value, error) { return g.grad, nil }

// Overwritten says that the next run overwrites the gradient: it need not be zeroed.
func (g *gradient) Overwritten() {}
