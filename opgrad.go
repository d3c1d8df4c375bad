package qat

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DiffWRT says which inputs have a gradient that comes from here.
func (o *op) DiffWRT(n int) []bool {
	diff := make([]bool, n)
	for i := range min(n, len(o.inputs)) {
		diff[i] = o.inputs[i].diff && !(i == 0 && o.via != nil)
	}
	return diff
}

// SymDiff adds one node that computes every gradient and returns the first, and a
// node for each of the others that hands it on.
func (o *op) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if o.via != nil {
		o.via.joins = grad // via, which this op depends on, is differentiated later
		if r := o.body.(residual); r.dropout == nil {
			return gorgonia.Nodes{nil, grad}, nil
		}
	}
	b := &gradOp{ident: ident{kind: o.kind + "_grad", path: o.path}, of: o, gradType: grad.Type()}
	b.grads, b.slices = o.newGrads(o.DiffWRT(len(o.inputs)))
	children := append(append(gorgonia.Nodes{}, inputs...), output, grad)
	if o.joins != nil {
		b.joinsType = o.joins.Type()
		children = append(children, o.joins)
	}
	grads := make(gorgonia.Nodes, len(inputs))
	var whole *gorgonia.Node
	var err error
	for i, r := range b.grads {
		switch {
		case r == nil:
			continue
		case whole == nil:
			b.first = r
			whole, err = apply(b, &b.ident, r.shape, children...)
			grads[i] = whole
		default:
			p := &partOp{ident: ident{kind: fmt.Sprintf("%s_grad%d", o.kind, i), path: o.path}, of: r, wholeType: whole.Type()}
			grads[i], err = apply(p, &p.ident, r.shape, whole)
		}
		if err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// newGrads makes a result for each input of which diff says so.
func (o *op) newGrads(diff []bool) ([]*result, [][]float32) {
	grads, slices := make([]*result, len(o.inputs)), make([][]float32, len(o.inputs))
	for i, in := range o.inputs {
		if diff[i] {
			grads[i] = newResult(in.shape)
			slices[i] = grads[i].data
		}
	}
	return grads, slices
}

// DoDiff adds the gradients to those of the input nodes, for a LispMachine.
func (o *op) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	values := make([]gorgonia.Value, len(inputs))
	for i, n := range inputs {
		values[i] = n.Value()
	}
	if err := o.read(values, false); err != nil {
		return err
	}
	upstream, err := output.Grad()
	if err != nil {
		return err
	}
	var spare []float32
	dout, err := elements(upstream, len(o.out.data), &spare)
	if err != nil {
		return fmt.Errorf("qat: %s: upstream gradient: %w", o.path, err)
	}
	diff := make([]bool, len(o.inputs))
	for i, in := range o.inputs {
		diff[i] = in.diff
	}
	_, grads := o.newGrads(diff)
	if err := o.body.backward(grads, o.in, dout); err != nil {
		return o.fault(err)
	}
	for i, n := range inputs {
		if grads[i] == nil {
			continue
		}
		if err := accumulate(n, grads[i]); err != nil {
			return fmt.Errorf("qat: %s: gradient of input %d: %w", o.path, i, err)
		}
	}
	return nil
}

func accumulate(n *gorgonia.Node, grad []float32) error {
	v, err := n.Grad()
	if err != nil {
		return err
	}
	t, ok := v.(*tensor.Dense)
	if !ok {
		return fmt.Errorf("a %T, want a tensor", v)
	}
	sum, err := sized(t.Float32s(), len(grad))
	if err != nil {
		return err
	}
	for i, d := range grad {
		sum[i] += d
	}
	return nil
}

// gradOp computes the gradients of an op. Its inputs are the op's, the op's
// output, which keeps it behind the forward run, the upstream gradient, and where there
// is one the gradient that joins.
type gradOp struct {
	ident
	of        *op
	gradType  hm.Type
	joinsType hm.Type // nil for none
	grads     []*result
	slices    [][]float32
	first     *result
	spare     [2][]float32
}

func (b *gradOp) Arity() int {
	if b.joinsType != nil {
		return len(b.of.inputs) + 3
	}
	return len(b.of.inputs) + 2
}

func (b *gradOp) Type() hm.Type {
	var types []hm.Type
	for _, in := range b.of.inputs {
		types = append(types, in.typ)
	}
	types = append(types, b.of.out.typ(), b.gradType)
	if b.joinsType != nil {
		types = append(types, b.joinsType)
	}
	return hm.NewFnType(append(types, b.first.typ())...)
}

func (b *gradOp) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return b.first.shape.Clone(), nil
}

func (b *gradOp) Do(values ...gorgonia.Value) (gorgonia.Value, error) {
	n := len(b.of.inputs)
	if len(values) != b.Arity() {
		return nil, fmt.Errorf("qat: %s: gradient of %d values, want %d", b.path, len(values), b.Arity())
	}
	if err := b.of.read(values[:n], false); err != nil {
		return nil, err
	}
	dout, err := elements(values[n+1], len(b.of.out.data), &b.spare[0])
	if err != nil {
		return nil, fmt.Errorf("qat: %s: upstream gradient: %w", b.path, err)
	}
	in := b.of.in
	if b.joinsType != nil {
		joins, err := elements(values[n+2], values[n+2].Shape().TotalSize(), &b.spare[1])
		if err != nil {
			return nil, fmt.Errorf("qat: %s: gradient that joins: %w", b.path, err)
		}
		in = append(in[:n:n], joins)
	}
	if err := b.of.body.backward(b.slices, in, dout); err != nil {
		return nil, b.of.fault(err)
	}
	return b.first.value(), nil
}

// partOp hands on one gradient that a gradOp, its only input, has computed.
type partOp struct {
	ident
	of        *result
	wholeType hm.Type
}

func (p *partOp) Arity() int    { return 1 }
func (p *partOp) Type() hm.Type { return hm.NewFnType(p.wholeType, p.of.typ()) }
func (p *partOp) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return p.of.shape.Clone(), nil
}
func (p *partOp) Do(...gorgonia.Value) (gorgonia.Value, error) { return p.of.value(), nil }
