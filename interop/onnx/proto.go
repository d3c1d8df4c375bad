package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is an encoded protocol buffer message of onnx.proto, under construction.
// Source of the field numbers: github.com/onnx/onnx, onnx/onnx.proto, which never
// changes one.
type message []byte

func (m *message) number(field protowire.Number, v int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

// The numbers of TensorProto.DataType.
const (
	typeFloat  = 1
	typeUint8  = 2
	typeInt8   = 3
	typeInt64  = 7
	typeBool   = 9
	typeDouble = 11
	typeInt4   = 22
	typeInt2   = 26
)

// tensorProto is a TensorProto with raw data, little endian.
func tensorProto(name string, dataType int64, shape []int, raw []byte) (m message) {
	for _, d := range shape {
		m.number(1, int64(d)) // dims
	}
	m.number(2, dataType) // data_type
	if name != "" {
		m.text(8, name)
	}
	m.bytes(9, raw) // raw_data
	return m
}

func rawFloats(values []float32) []byte {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

func rawDoubles(values []float64) []byte {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return raw
}

func rawInts(values []int) []byte {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return raw
}

// attribute is one of a node: a number or a list of them.
type attribute struct {
	name    string
	numbers []int
	list    bool
}

func number(name string, v int) attribute { return attribute{name, []int{v}, false} }

func list(name string, v ...int) attribute { return attribute{name, v, true} }

func (a attribute) proto() (m message) {
	m.text(1, a.name) // name
	if !a.list {
		m.number(3, int64(a.numbers[0])) // i
		m.number(20, 2)                  // type: INT
		return m
	}
	for _, v := range a.numbers {
		m.number(8, int64(v)) // ints
	}
	m.number(20, 7) // type: INTS
	return m
}

// nodeProto is a NodeProto.
func nodeProto(kind string, inputs, outputs []string, attributes []attribute) (m message) {
	for _, v := range inputs {
		m.text(1, v) // input
	}
	for _, v := range outputs {
		m.text(2, v) // output
	}
	m.text(4, kind) // op_type
	for _, a := range attributes {
		m.bytes(5, a.proto()) // attribute
	}
	return m
}

// valueInfoProto is a ValueInfoProto of a tensor whose first axis is the batch.
func valueInfoProto(name string, dataType int64, shape []int) message {
	var dims message
	var batch message
	batch.text(2, "N")   // dim_param
	dims.bytes(1, batch) // dim
	for _, d := range shape {
		var dim message
		dim.number(1, int64(d)) // dim_value
		dims.bytes(1, dim)
	}
	var tensor, kind, info message
	tensor.number(1, dataType) // elem_type
	tensor.bytes(2, dims)      // shape
	kind.bytes(1, tensor)      // tensor_type
	info.text(1, name)         // name
	info.bytes(2, kind)        // type
	return info
}

// modelProto is a ModelProto around a GraphProto.
func modelProto(graph message, ir, opset int, metadata map[string]string) (m message) {
	m.number(1, int64(ir)) // ir_version
	m.text(2, "qat")       // producer_name
	m.bytes(7, graph)      // graph
	var operators message
	operators.number(2, int64(opset)) // version; the domain is the default one
	m.bytes(8, operators)             // opset_import
	keys := make([]string, 0, len(metadata))
	for k := range metadata {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		var entry message
		entry.text(1, k)           // key
		entry.text(2, metadata[k]) // value
		m.bytes(14, entry)         // metadata_props
	}
	return m
}
