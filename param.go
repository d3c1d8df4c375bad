package qat

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Param is one trained parameter.
type Param struct {
	Name string         // with the prefix that WithName gave
	Node *gorgonia.Node // the leaf that holds its value
	Mode Mode           // how a quantized weight is quantized; Float for all else
}

// data is the parameter's values, not a copy.
func (p Param) data() ([]float32, error) {
	t, ok := p.Node.Value().(*tensor.Dense)
	if !ok || t.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("qat: %s: its node holds %T, want a float32 tensor", p.Name, p.Node.Value())
	}
	return sized(t.Float32s(), p.Node.Shape().TotalSize())
}

// paramSet is the parameters of a model or layer, in order of use.
type paramSet []Param

// Params lists the parameters in the order in which they are used.
func (s paramSet) Params() []Param { return slices.Clone(s) }

// Learnables returns the parameters' nodes: what Grad is taken with respect to
// and a solver steps.
func (s paramSet) Learnables() gorgonia.Nodes {
	nodes := make(gorgonia.Nodes, len(s))
	for i, p := range s {
		nodes[i] = p.Node
	}
	return nodes
}

func (s paramSet) find(name string) (Param, error) {
	for _, p := range s {
		if p.Name == name {
			return p, nil
		}
	}
	if len(s) == 0 {
		return Param{}, fmt.Errorf("qat: no parameter %q: there are none", name)
	}
	return Param{}, fmt.Errorf("qat: no parameter %q: have %s to %s", name, s[0].Name, s[len(s)-1].Name)
}

// SetParam copies values, row-major, into a parameter. Models and layers that
// share it see the change.
//
// Errors: an unknown name, a wrong number of values, NaN or an infinity; the
// parameter is then as it was.
func (s paramSet) SetParam(name string, values []float32) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	if want := p.Node.Shape().TotalSize(); len(values) != want {
		return fmt.Errorf("qat: %s: %d values, want %d for shape %v", name, len(values), want, p.Node.Shape())
	}
	if err := checkFinite(values, p.Node.Shape()); err != nil {
		return fmt.Errorf("qat: %s: %w", name, err)
	}
	data, err := p.data()
	if err != nil {
		return err
	}
	copy(data, values)
	return nil
}

// ParamValue returns a copy of a parameter's values, row-major.
func (s paramSet) ParamValue(name string) ([]float32, error) {
	p, err := s.find(name)
	if err != nil {
		return nil, err
	}
	data, err := p.data()
	return slices.Clone(data), err
}

// plan is what a builder is about to add to a graph. It is judged before the
// first node is made.
type plan struct {
	g      *gorgonia.ExprGraph
	params []spec.Param
	seed   uint64
	source []Param // whose values are shared; nil for fresh ones
}

// faults returns an error for each name that the graph has already, and for a
// source that does not fit.
func (p *plan) faults(c *config) (errs []error) {
	for _, ps := range p.params {
		if len(p.g.ByName(ps.Name)) > 0 {
			errs = append(errs, fmt.Errorf("WithName: the graph has a node %q already", ps.Name))
		} else if hashTaken(p.g, leafHash(ps.Name, ps.Shape)) {
			errs = append(errs, fmt.Errorf("WithName: %q has the hash of another node, with which Gorgonia would merge it: take another name", ps.Name))
		}
	}
	if c.source == nil || isNil(c.source) {
		return errs
	}
	p.source = c.source.Params()
	if len(p.source) != len(p.params) {
		return append(errs, fmt.Errorf("WithParamsFrom: the source has %d parameters, want %d", len(p.source), len(p.params)))
	}
	for i, ps := range p.params {
		from := p.source[i]
		if from.Node == nil {
			errs = append(errs, fmt.Errorf("WithParamsFrom: %s has no node", from.Name))
		} else if got := from.Node.Shape(); !got.Eq(tensor.Shape(ps.Shape)) {
			errs = append(errs, fmt.Errorf("WithParamsFrom: %s has shape %v, want %v for %s", from.Name, got, ps.Shape, ps.Name))
		} else if _, err := from.data(); err != nil {
			errs = append(errs, fmt.Errorf("WithParamsFrom: %s holds no float32 values", from.Name))
		}
	}
	return errs
}

// leaves makes the planned leaf nodes: the only place where leaves are made, so
// that no two have one name.
func (p *plan) leaves() (paramSet, error) {
	set := make(paramSet, len(p.params))
	for i, ps := range p.params {
		var value *tensor.Dense
		if p.source != nil {
			data, err := p.source[i].data()
			if err != nil {
				return nil, err
			}
			value = tensor.New(tensor.WithShape(ps.Shape...), tensor.WithBacking(data))
		} else {
			value = tensor.New(tensor.WithShape(ps.Shape...), tensor.WithBacking(initial(ps, p.seed)))
		}
		set[i] = Param{Name: ps.Name, Node: leaf(p.g, ps.Name, ps.Shape, gorgonia.WithValue(value)), Mode: ps.Mode}
	}
	return set, nil
}

func leaf(g *gorgonia.ExprGraph, name string, shape []int, opts ...gorgonia.NodeConsOpt) *gorgonia.Node {
	opts = append([]gorgonia.NodeConsOpt{gorgonia.WithShape(shape...), gorgonia.WithName(name)}, opts...)
	return gorgonia.NewTensor(g, tensor.Float32, len(shape), opts...)
}

// leafHash is the hash that Gorgonia gives a leaf.
func leafHash(name string, shape []int) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%v%v%s\x00", typeOf(shape), tensor.Shape(shape), name)
	return h.Sum32()
}

// initial draws the starting values of a parameter; they depend on its name, its
// shape and the seed alone.
func initial(p spec.Param, seed uint64) []float32 {
	values := make([]float32, p.Len())
	key := kernel.NewKey(seed, 0, p.Name)
	switch p.Init {
	case spec.Ones:
		for i := range values {
			values[i] = 1
		}
	case spec.GlorotUniform:
		limit := float32(math.Sqrt(6 / float64(p.Shape[0]+p.Shape[1])))
		for i := range values {
			values[i] = float32(limit * (2*key.Uniform(uint64(i)) - 1))
		}
	case spec.SmallNormal:
		for i := range values {
			values[i] = float32(smallNormalDeviation * key.Normal(uint64(i)))
		}
	}
	return values
}

// checkFinite names the first NaN or infinity of x by its place in shape.
func checkFinite(x []float32, shape []int) error {
	return place(quant.CheckFinite(x), shape)
}

// place gives an error about a row-major index the coordinates in shape.
func place(err error, shape []int) error {
	var bad *quant.NotFiniteError
	if !errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("element %v is %v, %w", coordinates(bad.Index, shape), bad.Value, quant.ErrNotFinite)
}

func coordinates(index int, shape []int) []int {
	at := make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		at[i] = index % shape[i]
		index /= shape[i]
	}
	return at
}
