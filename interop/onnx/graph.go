package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// value is the name of a tensor of a graph: that of a parameter or a layer, or else a
// number, for names are a good part of a small model's file.
type value = string

// graph collects the nodes and constants of a graph.
type graph struct {
	graphProto
	opset  int64
	unused *int             // the next number that is no value's name
	known  map[string]value // constants, by what they hold
}

func newGraph(opset int64) *graph {
	return &graph{opset: opset, unused: new(int), known: map[string]value{}}
}

// number is the name of a new value.
func (g *graph) number() value {
	*g.unused++
	return strconv.Itoa(*g.unused)
}

// op adds a node with one output.
func (g *graph) op(op string, inputs ...value) value {
	return g.with(op, nil, inputs...)
}

// with is op, with attributes.
func (g *graph) with(op string, attributes []attribute, inputs ...value) value {
	return g.node(op, attributes, inputs, 1)[0]
}

// node adds a node of so many outputs.
func (g *graph) node(op string, attributes []attribute, inputs []value, outputs int) []value {
	n := nodeProto{inputs: inputs, op: op, attributes: attributes}
	for range outputs {
		n.outputs = append(n.outputs, g.number())
	}
	g.nodes = append(g.nodes, n)
	return n.outputs
}

// named gives the output of the node that was added last a name.
func (g *graph) named(name string, last value) value {
	outputs := g.nodes[len(g.nodes)-1].outputs
	if len(outputs) != 1 || outputs[0] != last {
		panic("onnx: " + last + " is not the last node's output")
	}
	outputs[0] = name
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
	v := g.number()
	g.known[key] = v
	g.initializers = append(g.initializers, tensorProto{dims: dims, kind: kind, name: v, raw: raw})
	return v
}

// parameter adds a tensor of the model under its own name.
func (g *graph) parameter(name string, kind dataType, raw []byte, dims ...int64) value {
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
	return g.node("Split", []attribute{intAttribute("axis", -1)}, []value{x, g.ints(sizes...)}, len(sizes))
}

// each cuts an axis of n elements into its elements.
func (g *graph) each(x value, axis, n int64) []value {
	if n == 1 {
		return []value{x}
	}
	return g.node("Split", []attribute{intAttribute("axis", axis)}, []value{x, g.ints(slices.Repeat([]int64{1}, int(n))...)}, int(n))
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
	b := &graph{opset: g.opset, unused: g.unused, known: map[string]value{}}
	b.name = "body"
	arguments := make([]value, 1+len(inputs))
	for i := range arguments {
		arguments[i] = b.number()
		b.inputs = append(b.inputs, valueInfo{name: arguments[i], kind: kind})
	}
	attributes := []attribute{
		{name: "body", kind: attributeGraph, graph: &b.graphProto},
		intAttribute("num_scan_inputs", int64(len(inputs))), intsAttribute("scan_input_axes", axes...),
	}
	results := body(b, arguments[0], arguments[1:])
	for i, v := range results {
		b.outputs = append(b.outputs, valueInfo{name: v, kind: kind})
		if i > 0 {
			attributes = append(attributes, intsAttribute("scan_output_axes", axes[0]))
		}
	}
	return g.node("Scan", attributes, append([]value{state}, inputs...), len(results))
}

var infinity, notANumber = float32(math.Inf(1)), float32(math.NaN())
