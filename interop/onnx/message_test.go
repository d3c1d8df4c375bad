package onnx

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message.
type field struct {
	number protowire.Number
	varint uint64
	bytes  []byte
}

// fields reads a message of integers and bytes.
func fields(t *testing.T, b []byte) (all []field) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		f := field{number: number}
		b = b[n:]
		if kind == protowire.VarintType {
			f.varint, n = protowire.ConsumeVarint(b)
		} else {
			require.Equal(t, protowire.BytesType, kind)
			f.bytes, n = protowire.ConsumeBytes(b)
		}
		require.Positive(t, n)
		all, b = append(all, f), b[n:]
	}
	return all
}

// texts are the values of a field.
func texts(all []field, number protowire.Number) (values []string) {
	for _, f := range all {
		if f.number == number {
			values = append(values, string(f.bytes))
		}
	}
	return values
}

// number is the value of the first field of a number.
func number(all []field, of protowire.Number) int {
	for _, f := range all {
		if f.number == of {
			return int(int64(f.varint))
		}
	}
	return -1
}

// TestMessages holds bytes to those that onnx.proto asks for, worked out by hand.
func TestMessages(t *testing.T) {
	tensor := tensorProto{dims: []int64{2, 1}, kind: typeInt64, name: "w", raw: rawInts([]int64{1, -1})}
	assert.Equal(t, []byte{
		0x08, 2, 0x08, 1, // dims
		0x10, 7, // data_type
		0x42, 1, 'w', // name
		0x4a, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // raw_data
	}, tensor.encode())
	info := valueInfo{"x", typeFloat, []dimension{{name: "N"}, {size: 3}}}
	assert.Equal(t, []byte{
		0x0a, 1, 'x', // name
		0x12, 15, 0x0a, 13, // type, tensor_type
		0x08, 1, // elem_type
		0x12, 9, 0x0a, 3, 0x12, 1, 'N', 0x0a, 2, 0x08, 3, // shape: dim_param, dim_value
	}, info.encode())
	scalar := valueInfo{name: "x", kind: typeFloat}
	assert.Equal(t, []byte{0x0a, 1, 'x', 0x12, 4, 0x0a, 2, 0x08, 1}, scalar.encode())
	node := nodeProto{inputs: []string{"x", ""}, outputs: []string{"y"}, op: "Op", attributes: []attribute{
		intAttribute("i", -1), intsAttribute("s", 5, 0), {name: "g", kind: attributeGraph, graph: &graphProto{name: "b"}},
	}}
	assert.Equal(t, []byte{
		0x0a, 1, 'x', 0x0a, 0, // input, of which an empty one has its place
		0x12, 1, 'y', // output
		0x22, 2, 'O', 'p', // op_type
		0x2a, 17, 0x0a, 1, 'i', 0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0xa0, 1, 2, // attribute: i
		0x2a, 10, 0x0a, 1, 's', 0x40, 5, 0x40, 0, 0xa0, 1, 7, // ints
		0x2a, 11, 0x0a, 1, 'g', 0x32, 3, 0x12, 1, 'b', 0xa0, 1, 5, // g
	}, node.encode())
	assert.Equal(t, []byte{0, 0, 0x80, 0x3f}, rawFloats([]float32{1}))
	assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, rawDoubles([]float64{1}))
}
