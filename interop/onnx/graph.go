package onnx

import (
	"crypto/sha256"
	"slices"
	"strconv"
)

// value is the name of a tensor in a graph.
type value string

// graph is a GraphProto under construction. Its methods add nodes, in an order in which
// each has its inputs before it.
type graph struct {
	nodes, initializers, inputs, outputs message
	opset                                int
	count                                int // of values
	constants                            map[[32]byte]value
}

func newGraph(opset int) *graph { return &graph{opset: opset, constants: map[[32]byte]value{}} }

// ops adds a node of n outputs. Names are short, for there are many.
func (g *graph) ops(n int, kind string, inputs []value, attributes ...attribute) []value {
	in, out, values := make([]string, len(inputs)), make([]string, n), make([]value, n)
	for i, v := range inputs {
		in[i] = string(v)
	}
	for i := range out {
		out[i] = "v" + strconv.Itoa(g.count)
		g.count++
		values[i] = value(out[i])
	}
	g.nodes.bytes(1, nodeProto(kind, in, out, attributes)) // node
	return values
}

// op adds a node of inputs alone.
func (g *graph) op(kind string, inputs ...value) value { return g.ops(1, kind, inputs)[0] }

// tensor adds an initializer, or returns the one that is there already.
func (g *graph) tensor(dataType int64, shape []int, raw []byte) value {
	key := sha256.Sum256(tensorProto("", dataType, shape, raw))
	if v, ok := g.constants[key]; ok {
		return v
	}
	name := "c" + strconv.Itoa(len(g.constants))
	g.initializer(name, dataType, shape, raw)
	g.constants[key] = value(name)
	return value(name)
}

// initializer adds an initializer with a name.
func (g *graph) initializer(name string, dataType int64, shape []int, raw []byte) value {
	g.initializers.bytes(5, tensorProto(name, dataType, shape, raw)) // initializer
	return value(name)
}

func (g *graph) float(v float32) value { return g.tensor(typeFloat, nil, rawFloats([]float32{v})) }

func (g *graph) floats(values []float32, shape ...int) value {
	return g.tensor(typeFloat, shape, rawFloats(values))
}

func (g *graph) doubles(values []float64, shape ...int) value {
	return g.tensor(typeDouble, shape, rawDoubles(values))
}

func (g *graph) int(v int) value { return g.tensor(typeInt64, nil, rawInts([]int{v})) }

// ints is a list of numbers.
func (g *graph) ints(v ...int) value { return g.tensor(typeInt64, []int{len(v)}, rawInts(v)) }

func (g *graph) cast(x value, dataType int) value {
	return g.ops(1, "Cast", []value{x}, number("to", dataType))[0]
}

// reshape gives x another shape; 0 keeps the axis there is.
func (g *graph) reshape(x value, shape ...int) value { return g.op("Reshape", x, g.ints(shape...)) }

func (g *graph) transpose(x value, order ...int) value {
	return g.ops(1, "Transpose", []value{x}, list("perm", order...))[0]
}

func (g *graph) unsqueeze(x value, axes ...int) value { return g.op("Unsqueeze", x, g.ints(axes...)) }

func (g *graph) concat(axis int, x ...value) value {
	return g.ops(1, "Concat", x, number("axis", axis))[0]
}

// split parts x along an axis into pieces of these sizes.
func (g *graph) split(x value, axis int, sizes ...int) []value {
	if len(sizes) == 1 {
		return []value{x}
	}
	return g.ops(len(sizes), "Split", []value{x, g.ints(sizes...)}, number("axis", axis))
}

// each parts x along an axis of n into n pieces.
func (g *graph) each(x value, axis, n int) []value {
	return g.split(x, axis, slices.Repeat([]int{1}, n)...)
}

// slice is elements [lo, hi) of an axis.
func (g *graph) slice(x value, axis, lo, hi int) value {
	return g.op("Slice", x, g.ints(lo), g.ints(hi), g.ints(axis))
}

// gather picks along an axis by indices.
func (g *graph) gather(x value, axis int, indices value) value {
	return g.ops(1, "Gather", []value{x, indices}, number("axis", axis))[0]
}

// largest is the largest along an axis, which stays with one element.
func (g *graph) largest(x value, axis int) value {
	if g.opset >= 18 {
		return g.op("ReduceMax", x, g.ints(axis))
	}
	return g.ops(1, "ReduceMax", []value{x}, list("axes", axis))[0]
}

// input declares an input [N, shape], and output an output; x is its name.
func (g *graph) input(x value, dataType int64, shape ...int) {
	g.inputs.bytes(11, valueInfoProto(string(x), dataType, shape)) // input
}

func (g *graph) output(name string, x value, shape ...int) {
	g.nodes.bytes(1, nodeProto("Identity", []string{string(x)}, []string{name}, nil))
	g.outputs.bytes(12, valueInfoProto(name, typeFloat, shape)) // output
}

// proto is the GraphProto.
func (g *graph) proto(name string) message {
	m := append(message(nil), g.nodes...)
	m.text(2, name) // name
	return slices.Concat(m, g.initializers, g.inputs, g.outputs)
}
