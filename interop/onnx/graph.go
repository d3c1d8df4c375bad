package onnx

import (
	"fmt"
	"math"
)

// value is the name of a tensor of a graph.
type value = string

// graph collects the nodes and constants of a graph under unique names.
type graph struct {
	graphProto
	opset int64
	scope string           // the names of new nodes begin with it
	used  map[string]int   // how often a name was asked for
	known map[string]value // constants, by what they hold
}

func newGraph(opset int64) *graph {
	return &graph{opset: opset, used: map[string]int{}, known: map[string]value{}}
}

// unique is a name that no other value has.
func (g *graph) unique(name string) string {
	if g.scope != "" {
		name = g.scope + "." + name
	}
	n := g.used[name]
	g.used[name]++
	if n > 0 {
		name = fmt.Sprintf("%s_%d", name, n)
	}
	return name
}

// op adds a node with one output.
func (g *graph) op(op string, inputs ...value) value {
	return g.with(op, nil, inputs...)
}

// with is op, with attributes.
func (g *graph) with(op string, attributes []attribute, inputs ...value) value {
	name := g.unique(op)
	g.nodes = append(g.nodes, nodeProto{inputs: inputs, outputs: []string{name}, name: name, op: op, attributes: attributes})
	return name
}

func intAttribute(name string, v int64) attribute {
	return attribute{name: name, kind: attributeInt, i: v}
}

func intsAttribute(name string, v ...int64) attribute {
	return attribute{name: name, kind: attributeInts, ints: v}
}

// constant adds a constant, or finds the one that holds the same.
func (g *graph) constant(kind dataType, raw []byte, dims ...int64) value {
	key := fmt.Sprint(kind, dims, string(raw))
	if v, ok := g.known[key]; ok {
		return v
	}
	n := len(g.known)
	v := fmt.Sprintf("constant_%d", n)
	g.known[key] = v
	g.initializers = append(g.initializers, tensorProto{dims: dims, kind: kind, name: v, raw: raw})
	return v
}

// parameter adds a tensor of the model under its own name.
func (g *graph) parameter(name string, kind dataType, raw []byte, dims ...int64) value {
	g.used[name]++
	g.initializers = append(g.initializers, tensorProto{dims: dims, kind: kind, name: name, raw: raw})
	return name
}

// float is a constant number.
func (g *graph) float(v float32) value { return g.constant(typeFloat, rawFloats([]float32{v})) }

// double is one in float64.
func (g *graph) double(v float64) value { return g.constant(typeDouble, rawDoubles([]float64{v})) }

// int is a constant whole number.
func (g *graph) int(v int64) value { return g.constant(typeInt64, rawInts([]int64{v})) }

// ints is a constant list of whole numbers: axes, or a shape.
func (g *graph) ints(v ...int64) value {
	return g.constant(typeInt64, rawInts(v), int64(len(v)))
}

// upTo is 0, 1, ... n-1, in a shape that holds n numbers.
func (g *graph) upTo(n int, dims ...int64) value {
	v := make([]int64, n)
	for i := range v {
		v[i] = int64(i)
	}
	return g.constant(typeInt64, rawInts(v), dims...)
}

func (g *graph) cast(x value, to dataType) value {
	return g.with("Cast", []attribute{intAttribute("to", int64(to))}, x)
}

// reshape gives x a shape, in which 0 keeps a dimension.
func (g *graph) reshape(x value, shape ...int64) value { return g.op("Reshape", x, g.ints(shape...)) }

func (g *graph) unsqueeze(x value, axes ...int64) value {
	return g.op("Unsqueeze", x, g.ints(axes...))
}

func (g *graph) transpose(x value, axes ...int64) value {
	return g.with("Transpose", []attribute{intsAttribute("perm", axes...)}, x)
}

// split cuts the last axis into parts of so many elements.
func (g *graph) split(x value, sizes ...int64) []value {
	name := g.unique("Split")
	outputs := make([]value, len(sizes))
	for i := range outputs {
		outputs[i] = fmt.Sprintf("%s.%d", name, i)
	}
	g.nodes = append(g.nodes, nodeProto{
		inputs: []string{x, g.ints(sizes...)}, outputs: outputs, name: name, op: "Split",
		attributes: []attribute{intAttribute("axis", -1)},
	})
	return outputs
}

// gather takes entries of one axis of x.
func (g *graph) gather(x, indices value, axis int64) value {
	return g.with("Gather", []attribute{intAttribute("axis", axis)}, x, indices)
}

// gatherSteps takes, of each sequence, steps of its own.
//
// Shapes: x [N, T, ...], steps [N, ..., 1]; the result [N, ..., ...].
func (g *graph) gatherSteps(x, steps value) value {
	return g.with("GatherND", []attribute{intAttribute("batch_dims", 1)}, x, steps)
}

// largest is the maximum of the last axis, which keeps its place.
func (g *graph) largest(x value) value {
	const axesAreInput = 18 // the opset from which on they are no attribute
	if g.opset >= axesAreInput {
		return g.op("ReduceMax", x, g.ints(-1))
	}
	return g.with("ReduceMax", []attribute{intsAttribute("axes", -1)}, x)
}

// scan runs body over slices of inputs, of the type of state, along their axes. It
// returns the last state, and where body returns more than a state, that of each slice,
// put together along the first input's axis.
func (g *graph) scan(state value, kind dataType, inputs []value, axes []int64, body func(b *graph, state value, slices []value) []value) []value {
	name := g.unique("Scan")
	b := &graph{opset: g.opset, scope: name, used: g.used, known: map[string]value{}}
	b.name = name
	arguments := make([]value, 1+len(inputs))
	for i := range arguments {
		arguments[i] = b.unique("in")
		b.inputs = append(b.inputs, valueInfo{name: arguments[i], kind: kind})
	}
	attributes := []attribute{
		{name: "body", kind: attributeGraph, graph: &b.graphProto},
		intAttribute("num_scan_inputs", int64(len(inputs))), intsAttribute("scan_input_axes", axes...),
	}
	var outputs []value
	for i, v := range body(b, arguments[0], arguments[1:]) {
		b.outputs = append(b.outputs, valueInfo{name: v, kind: kind})
		outputs = append(outputs, fmt.Sprintf("%s.%d", name, i))
		if i > 0 {
			attributes = append(attributes, intsAttribute("scan_output_axes", axes[0]))
		}
	}
	g.nodes = append(g.nodes, nodeProto{inputs: append([]string{state}, inputs...), outputs: outputs, name: name, op: "Scan", attributes: attributes})
	return outputs
}

var infinity, notANumber = float32(math.Inf(1)), float32(math.NaN())
