package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of ONNX that a model consists of, with the fields that are used here.
// Names and numbers are those of onnx.proto; fields are written in the order of their
// numbers, a field that is empty not at all.
// Source: onnx/onnx.proto, IR versions 8 to 13.

// dataType is TensorProto.DataType.
type dataType int32

const (
	typeFloat  dataType = 1
	typeUint8  dataType = 2
	typeInt8   dataType = 3
	typeInt32  dataType = 6
	typeInt64  dataType = 7
	typeBool   dataType = 9
	typeDouble dataType = 11
	typeInt4   dataType = 22
	typeInt2   dataType = 26
)

// modelProto is ModelProto.
type modelProto struct {
	irVersion    int64
	producerName string
	graph        *graphProto
	opset        int64 // of the default domain
	metadata     []property
}

// property is StringStringEntryProto.
type property struct{ key, value string }

// graphProto is GraphProto.
type graphProto struct {
	nodes        []nodeProto
	name         string
	initializers []tensorProto
	inputs       []valueInfo
	outputs      []valueInfo
}

// nodeProto is NodeProto.
type nodeProto struct {
	inputs, outputs []string
	op              string
	attributes      []attribute
}

// attribute is AttributeProto: a graph, an integer or a list of integers.
type attribute struct {
	name  string
	kind  attributeType
	i     int64
	ints  []int64
	graph *graphProto
}

// attributeType is AttributeProto.AttributeType.
type attributeType int32

const (
	attributeInt   attributeType = 2
	attributeGraph attributeType = 5
	attributeInts  attributeType = 7
)

// tensorProto is TensorProto.
type tensorProto struct {
	dims []int64
	kind dataType
	name string
	raw  []byte // little-endian, row-major
}

// valueInfo is ValueInfoProto of a tensor.
type valueInfo struct {
	name string
	kind dataType
	dims []dimension // nil: the shape is not said
}

// dimension is TensorShapeProto.Dimension: of a size, or with a name.
type dimension struct {
	size int64
	name string
}

func (m *modelProto) encode() []byte {
	b := appendInt(nil, 1, m.irVersion)     // ir_version
	b = appendText(b, 2, m.producerName)    // producer_name
	b = appendBytes(b, 7, m.graph.encode()) // graph
	opset := appendInt(nil, 2, m.opset)     // version; the domain is the default one
	b = appendBytes(b, 8, opset)            // opset_import
	for _, p := range m.metadata {
		entry := appendText(nil, 1, p.key)    // key
		entry = appendText(entry, 2, p.value) // value
		b = appendBytes(b, 14, entry)         // metadata_props
	}
	return b
}

func (g *graphProto) encode() (b []byte) {
	for i := range g.nodes {
		b = appendBytes(b, 1, g.nodes[i].encode()) // node
	}
	b = appendText(b, 2, g.name) // name
	for i := range g.initializers {
		b = appendBytes(b, 5, g.initializers[i].encode()) // initializer
	}
	for i := range g.inputs {
		b = appendBytes(b, 11, g.inputs[i].encode()) // input
	}
	for i := range g.outputs {
		b = appendBytes(b, 12, g.outputs[i].encode()) // output
	}
	return b
}

func (n *nodeProto) encode() (b []byte) {
	for _, s := range n.inputs {
		b = appendBytes(b, 1, []byte(s)) // input
	}
	for _, s := range n.outputs {
		b = appendBytes(b, 2, []byte(s)) // output
	}
	b = appendText(b, 4, n.op) // op_type
	for i := range n.attributes {
		b = appendBytes(b, 5, n.attributes[i].encode()) // attribute
	}
	return b
}

func (a *attribute) encode() []byte {
	b := appendText(nil, 1, a.name) // name
	switch a.kind {
	case attributeInt:
		b = appendInt(b, 3, a.i) // i
	case attributeGraph:
		b = appendBytes(b, 6, a.graph.encode()) // g
	case attributeInts:
		for _, v := range a.ints {
			b = appendInt(b, 8, v) // ints
		}
	}
	return appendInt(b, 20, int64(a.kind)) // type
}

func (t *tensorProto) encode() (b []byte) {
	for _, d := range t.dims {
		b = appendInt(b, 1, d) // dims
	}
	b = appendInt(b, 2, int64(t.kind)) // data_type
	b = appendText(b, 8, t.name)       // name
	return appendBytes(b, 9, t.raw)    // raw_data
}

func (v *valueInfo) encode() []byte {
	tensor := appendInt(nil, 1, int64(v.kind)) // elem_type
	if v.dims != nil {
		var shape []byte
		for _, d := range v.dims {
			if d.name != "" {
				shape = appendBytes(shape, 1, appendText(nil, 2, d.name)) // dim: dim_param
			} else {
				shape = appendBytes(shape, 1, appendInt(nil, 1, d.size)) // dim: dim_value
			}
		}
		tensor = appendBytes(tensor, 2, shape) // shape
	}
	return appendBytes(appendText(nil, 1, v.name), 2, appendBytes(nil, 1, tensor)) // name; type: tensor_type
}

// appendInt appends an integer field.
func appendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// appendBytes appends a field of bytes: a message, or a tensor's values.
func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendText appends a text, unless it is empty.
func appendText(b []byte, field protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// rawFloats is raw_data of float32 values.
func rawFloats(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = protowire.AppendFixed32(b, math.Float32bits(v))
	}
	return b
}

// rawDoubles is raw_data of float64 values.
func rawDoubles(values []float64) []byte {
	b := make([]byte, 0, 8*len(values))
	for _, v := range values {
		b = protowire.AppendFixed64(b, math.Float64bits(v))
	}
	return b
}

// rawInts is raw_data of int64 values.
func rawInts(values []int64) []byte {
	b := make([]byte, 0, 8*len(values))
	for _, v := range values {
		b = protowire.AppendFixed64(b, uint64(v))
	}
	return b
}
