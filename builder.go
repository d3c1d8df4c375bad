package qat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// builder adds the nodes of one model or layer, after everything was judged. It
// keeps the first error, after which adding does nothing.
type builder struct {
	*config
	leaves paramSet
	ctrl   *control
	rotary *kernel.Rotary // shared by the blocks
	// lead is the control whose step the next op begins; see control.step.
	lead *control
	err  error
}

func newBuilder(p *plan, c *config, ctrl *control) (*builder, error) {
	leaves, err := p.leaves()
	return &builder{config: c, leaves: leaves, ctrl: ctrl, lead: ctrl}, err
}

func (b *builder) leaf(name string) *gorgonia.Node { return b.param(name).Node }

func (b *builder) param(name string) Param {
	p, err := b.leaves.find(name)
	if err != nil && b.err == nil {
		b.err = err
	}
	return p
}

// add adds an op. Inputs that are the builder's lengths have no gradient.
func (b *builder) add(kind, path string, body body, shape []int, inputs ...*gorgonia.Node) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	fixed := 0
	if b.lengths != nil && inputs[len(inputs)-1] == b.lengths {
		fixed = 1
	}
	n, err := newOp(kind, path, body, tensor.Shape(shape), fixed, b.lead, inputs...)
	b.lead = nil // the first op of a model begins the step
	b.err = err
	return n
}

// withLengths appends the lengths where there are any.
func (b *builder) withLengths(nodes ...*gorgonia.Node) []*gorgonia.Node {
	if b.lengths != nil {
		nodes = append(nodes, b.lengths)
	}
	return nodes
}

func (b *builder) layer(out *gorgonia.Node) (*Layer, error) {
	if b.err != nil {
		return nil, b.err
	}
	return &Layer{paramSet: b.leaves, out: out, ctrl: b.ctrl}, nil
}

// checkNode returns the faults of a node that a caller gave: it must be in a
// graph, float32 and of one of the numbers of axes (0: any from 1).
func checkNode(what string, n *gorgonia.Node, axes ...int) []error {
	if n == nil {
		return []error{fmt.Errorf("%s: the node is nil", what)}
	}
	var errs []error
	if n.Graph() == nil {
		errs = append(errs, fmt.Errorf("%s: the node is in no graph", what))
	}
	shape := n.Shape()
	if t, ok := n.Type().(gorgonia.TensorType); !ok || t.Of != tensor.Float32 {
		errs = append(errs, fmt.Errorf("%s: a node of type %v, want a float32 tensor", what, n.Type()))
	} else if !slices.Contains(axes, shape.Dims()) && !slices.Contains(axes, 0) {
		errs = append(errs, fmt.Errorf("%s: a node of shape %v, want %s axes", what, shape, axesText(axes)))
	} else if len(shape) == 0 || slices.Min(shape) < 1 {
		errs = append(errs, fmt.Errorf("%s: a node of shape %v, want every axis positive", what, shape))
	}
	return errs
}

func axesText(axes []int) string {
	text := make([]string, len(axes))
	for i, n := range axes {
		text[i] = fmt.Sprint(n)
	}
	return strings.Join(text, " or ")
}

// padding knows the real steps of front-padded sequences.
type padding struct {
	batch, steps int
	first        []int // of each sequence, the first real step
}

// newPadding returns nil where there are no lengths.
func (b *builder) newPadding(batch, steps int) *padding {
	if b.lengths == nil {
		return nil
	}
	return &padding{batch, steps, make([]int, batch)}
}

// read takes the lengths of this run.
func (p *padding) read(lengths []float32) error {
	for i, v := range lengths {
		n := int(v)
		if !(v >= 1 && v <= float32(p.steps)) || float32(n) != v {
			return fmt.Errorf("lengths: element %d is %v, want a whole number from 1 to %d", i, v, p.steps)
		}
		p.first[i] = p.steps - n
	}
	return nil
}

// starts reads the lengths that follow an op's n other inputs; nil means that
// every step is real.
func (p *padding) starts(in [][]float32, n int) ([]int, error) {
	if p == nil {
		return nil, nil
	}
	return p.first, p.read(in[n])
}

// clear writes 0 to the padded rows of x [batch, steps, cols].
func (p *padding) clear(x []float32, cols int) {
	for b, first := range p.first {
		clear(x[b*p.steps*cols : (b*p.steps+first)*cols])
	}
}

// maxElements bounds a tensor, so that no size overflows and a mistyped option is
// an error and not the end of the memory.
const maxElements = 1 << 30

// checkElements returns a fault for a tensor that is too large.
func checkElements(option, what string, dims ...int) error {
	n := 1.0
	for _, d := range dims {
		n *= float64(d)
	}
	if n > maxElements {
		return fmt.Errorf("%s: %s of shape %v has more than %d elements", option, what, dims, maxElements)
	}
	return nil
}

// checkSizes returns the faults of the largest tensors of a model with batch
// sequences.
func (c *config) checkSizes(batch int) []error {
	s := c.spec
	var parameters error
	if n := s.NumParams(); s.HasSizes() && n > maxElements {
		parameters = fmt.Errorf("WithHiddenSize, WithNumLayers: the model has %.0f parameters, more than %d", n, maxElements)
	}
	return []error{
		parameters,
		checkElements("WithBatchSize", "the input", batch, s.WindowSize, s.EmbedDim),
		checkElements("WithBatchSize", "an activation", batch, s.WindowSize, 4*s.HiddenSize),
		checkElements("WithBatchSize", "attention", batch, s.NumHeads, s.WindowSize, s.WindowSize),
	}
}

// entry copies a block's or model's input: real steps are judged, padded ones are
// never read and become 0.
type entry struct {
	name               string
	batch, steps, cols int
	pad                *padding
}

func (e *entry) forward(out []float32, in [][]float32) error {
	first, err := e.pad.starts(in, 1)
	if err != nil {
		return err
	}
	kernel.CopyReal(out, in[0], first, e.batch, e.steps, e.cols)
	if err := checkFinite(out, []int{e.batch, e.steps, e.cols}); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	return nil
}

func (e *entry) backward(grads, in [][]float32, dout []float32) error {
	first, err := e.pad.starts(in, 1)
	kernel.CopyReal(grads[0], dout, first, e.batch, e.steps, e.cols)
	return err
}

// entry adds an entry for x [B, T, cols].
func (b *builder) entry(kind, path string, x *gorgonia.Node) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	s := x.Shape()
	e := &entry{kind, s[0], s[1], s[2], b.newPadding(s[0], s[1])}
	return b.add(kind, path, e, s.Clone(), b.withLengths(x)...)
}
