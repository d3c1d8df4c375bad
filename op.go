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
	// entries for the others are nil. Where in has one slice more than there are inputs,
	// it is added to the gradient of the first: what joins it; see op.joins.
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
	// via, where set, is an op with the same first input as this residual, and leads to its
	// second. The gradient of the two by the first input is one node then, via's, to
	// which the residual's upstream gradient is one more input: no other node has to add
	// them, which Gorgonia would do on one core.
	via *op
	// joins is the gradient that came here so.
	joins *gorgonia.Node
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
