package qat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// body is the arithmetic of a fused op, on row-major float32 slices; op makes a
// Gorgonia operation of it. A body may keep from forward what backward needs.
type body interface {
	// forward writes every element of out.
	forward(out []float32, in [][]float32) error
	// backward writes the gradient of each differentiable input to grads, whose
	// entries for the others are nil.
	backward(grads, in [][]float32, dout []float32) error
}

// ident tells apart nodes that Gorgonia would otherwise merge: it merges nodes of
// equal hash, in the graph and again when it compiles.
type ident struct {
	kind, path string
	id         uint64
}

var lastID atomic.Uint64

func (d *ident) String() string        { return d.kind + "(" + d.path + ")" }
func (d *ident) WriteHash(h hash.Hash) { fmt.Fprintf(h, "qat.%s(%s)#%d", d.kind, d.path, d.id) }
func (d *ident) Hashcode() uint32 {
	h := fnv.New32a()
	d.WriteHash(h)
	return h.Sum32()
}
func (d *ident) renew() { d.id = lastID.Add(1) }

// The execution model common to all ops here: a register of their own, no
// overwriting of inputs, one owned result that every run rewrites.
func (*ident) ReturnsPtr() bool     { return true }
func (*ident) CallsExtern() bool    { return false }
func (*ident) OverwritesInput() int { return -1 }

// result is an op's owned output: a tensor, or a scalar where shape is empty.
type result struct {
	shape  tensor.Shape
	data   []float32
	tensor *tensor.Dense
	scalar *gorgonia.F32
}

func newResult(shape tensor.Shape) *result {
	r := &result{shape: shape, data: make([]float32, shape.TotalSize())}
	if shape.IsScalar() {
		r.data = make([]float32, 1)
		r.scalar = new(gorgonia.F32)
	} else {
		r.tensor = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(r.data))
	}
	return r
}

func (r *result) value() gorgonia.Value {
	if r.scalar != nil {
		*r.scalar = gorgonia.F32(r.data[0])
		return r.scalar
	}
	return r.tensor
}

func (r *result) typ() hm.Type { return typeOf(r.shape) }

func typeOf(shape tensor.Shape) hm.Type {
	if shape.IsScalar() {
		return tensor.Float32
	}
	return gorgonia.TensorType{Dims: shape.Dims(), Of: tensor.Float32}
}

// op is a fused operation.
type op struct {
	ident
	body   body
	out    *result
	inputs []input
	in     [][]float32
	// lead, where set, is the training step that each forward run begins.
	lead *control
}

// input is what an op knows of one of its inputs.
type input struct {
	typ   hm.Type
	shape tensor.Shape
	diff  bool
	copy  []float32 // holds values that lie scattered or alias the output
}

// newOp adds a node that computes body to the graph of its inputs. The last
// fixed inputs (lengths, labels) have no gradient.
func newOp(kind, path string, b body, shape tensor.Shape, fixed int, lead *control, nodes ...*gorgonia.Node) (*gorgonia.Node, error) {
	o := &op{ident: ident{kind: kind, path: path}, body: b, out: newResult(shape), lead: lead}
	for i, n := range nodes {
		o.inputs = append(o.inputs, input{typ: n.Type(), shape: n.Shape().Clone(), diff: i < len(nodes)-fixed})
	}
	o.in = make([][]float32, len(nodes))
	return apply(o, &o.ident, o.out.shape, nodes...)
}

// apply adds a node for o, under an identity whose hash no other node has.
func apply(o gorgonia.Op, d *ident, shape tensor.Shape, children ...*gorgonia.Node) (*gorgonia.Node, error) {
	g := children[0].Graph()
	for d.renew(); hashTaken(g, nodeHash(o, shape, children)); d.renew() {
	}
	n, err := gorgonia.ApplyOp(o, children...)
	if err != nil {
		return nil, fmt.Errorf("qat: %s: %w", d.path, err)
	}
	gorgonia.WithName(d.path + ":" + d.kind)(n)
	return n, nil
}

// nodeHash is the hash that Gorgonia will give the node of o.
func nodeHash(o gorgonia.Op, shape tensor.Shape, children []*gorgonia.Node) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%v%v", typeOf(shape), shape)
	o.WriteHash(h)
	h.Write([]byte{byte(len(children))})
	for _, c := range children {
		h.Write(binary.LittleEndian.AppendUint32(nil, c.Hashcode()))
	}
	return h.Sum32()
}

func hashTaken(g *gorgonia.ExprGraph, sum uint32) bool {
	for _, n := range g.AllNodes() {
		if n.Hashcode() == sum {
			return true
		}
	}
	return false
}

func (o *op) Arity() int { return len(o.inputs) }

// Type is made anew each time: Gorgonia hands it to a pool after use.
func (o *op) Type() hm.Type {
	types := make([]hm.Type, 0, len(o.inputs)+1)
	for _, in := range o.inputs {
		types = append(types, in.typ)
	}
	return hm.NewFnType(append(types, o.out.typ())...)
}

func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.shape.Clone(), nil }

// Do runs the op on float32 values of the shapes that it was built for.
func (o *op) Do(values ...gorgonia.Value) (gorgonia.Value, error) {
	if err := o.read(values, true); err != nil {
		return nil, err
	}
	if o.lead != nil && o.lead.training.Load() {
		o.lead.step.Add(1)
	}
	if err := o.body.forward(o.out.data, o.in); err != nil {
		return nil, o.fault(err)
	}
	return o.out.value(), nil
}

// paramError is a body's error about a parameter, whose name says where.
type paramError struct {
	name string
	err  error
}

func (e *paramError) Error() string { return e.name + ": " + e.err.Error() }
func (e *paramError) Unwrap() error { return e.err }

// fault says where a body's error came from.
func (o *op) fault(err error) error {
	var p *paramError
	if errors.As(err, &p) {
		return fmt.Errorf("qat: %w", err)
	}
	return fmt.Errorf("qat: %s: %w", o.path, err)
}

// read points o.in at the values' elements: before a forward run, or again for
// its backward run.
func (o *op) read(values []gorgonia.Value, forward bool) error {
	if len(values) != len(o.inputs) {
		return fmt.Errorf("qat: %s: %d inputs, want %d", o.path, len(values), len(o.inputs))
	}
	for i, v := range values {
		in := &o.inputs[i]
		data, err := elements(v, in.shape.TotalSize(), &in.copy)
		if err != nil {
			return fmt.Errorf("qat: %s: input %d: %w", o.path, i, err)
		}
		if len(data) > 0 && &data[0] == &o.out.data[0] {
			// A run's result fed back as its input: forward is about to overwrite it.
			if forward {
				in.copy = append(in.copy[:0], data...)
			}
			data = in.copy
		}
		o.in[i] = data
	}
	return nil
}

// elements returns a value's n elements in row-major order, copied to spare where
// they do not lie so.
func elements(v gorgonia.Value, n int, spare *[]float32) ([]float32, error) {
	switch v := v.(type) {
	case *gorgonia.F32:
		*spare = append((*spare)[:0], float32(*v))
	case *tensor.Dense:
		if v.Dtype() != tensor.Float32 {
			return nil, fmt.Errorf("%v values, want float32", v.Dtype())
		}
		if !v.RequiresIterator() && v.DataOrder().IsRowMajor() && !v.DataOrder().IsTransposed() {
			return sized(v.Float32s(), n)
		}
		*spare = (*spare)[:0]
		data, it := v.Float32s(), v.Iterator()
		for i, err := it.Next(); err == nil; i, err = it.Next() {
			*spare = append(*spare, data[i])
		}
	default:
		return nil, fmt.Errorf("a %T, want a float32 tensor", v)
	}
	return sized(*spare, n)
}

func sized(x []float32, n int) ([]float32, error) {
	if len(x) != n {
		return nil, fmt.Errorf("%d values, want %d", len(x), n)
	}
	return x, nil
}

// DiffWRT says which inputs have a gradient.
func (o *op) DiffWRT(n int) []bool {
	diff := make([]bool, n)
	for i := range min(n, len(o.inputs)) {
		diff[i] = o.inputs[i].diff
	}
	return diff
}

// SymDiff adds one node that computes every gradient and returns the first, and a
// node for each of the others that hands it on.
func (o *op) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	b := &gradOp{ident: ident{kind: o.kind + "_grad", path: o.path}, of: o, gradType: grad.Type()}
	b.grads, b.slices = o.newGrads()
	children := append(append(gorgonia.Nodes{}, inputs...), output, grad)
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

// newGrads makes a result for each input that has a gradient.
func (o *op) newGrads() ([]*result, [][]float32) {
	grads, slices := make([]*result, len(o.inputs)), make([][]float32, len(o.inputs))
	for i, in := range o.inputs {
		if in.diff {
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
	_, grads := o.newGrads()
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
// output, which keeps it behind the forward run, and the upstream gradient.
type gradOp struct {
	ident
	of       *op
	gradType hm.Type
	grads    []*result
	slices   [][]float32
	first    *result
	spare    []float32
}

func (b *gradOp) Arity() int { return len(b.of.inputs) + 2 }

func (b *gradOp) Type() hm.Type {
	var types []hm.Type
	for _, in := range b.of.inputs {
		types = append(types, in.typ)
	}
	return hm.NewFnType(append(types, b.of.out.typ(), b.gradType, b.first.typ())...)
}

func (b *gradOp) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return b.first.shape.Clone(), nil
}

func (b *gradOp) Do(values ...gorgonia.Value) (gorgonia.Value, error) {
	n := len(b.of.inputs)
	if len(values) != n+2 {
		return nil, fmt.Errorf("qat: %s: gradient of %d inputs, want %d", b.path, len(values)-2, n)
	}
	if err := b.of.read(values[:n], false); err != nil {
		return nil, err
	}
	dout, err := elements(values[n+1], len(b.of.out.data), &b.spare)
	if err != nil {
		return nil, fmt.Errorf("qat: %s: upstream gradient: %w", b.path, err)
	}
	if err := b.of.body.backward(b.slices, b.of.in, dout); err != nil {
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
