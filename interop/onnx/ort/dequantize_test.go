package ort

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	onnxruntime "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message of fields: texts, bytes and whole numbers by turns with
// the numbers that they have in onnx.proto.
func message(fields ...any) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		number := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v))
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), v)
		}
	}
	return b
}

// Sizes of a product whose weight is dequantized, in blocks of inputs.
const blockIn, blockOut, blockSize = 64, 32, 32

// dequantized is a model y = x * DequantizeLinear(int4 codes), as other exporters write
// it, and its weight.
func dequantized() (file []byte, weight []float32) {
	const float, int4 = 1, 22
	codes, scales := make([]byte, blockIn*blockOut/2), []byte(nil)
	for i := range blockIn * blockOut {
		code := i*i%15 - 7
		codes[i/2] |= byte(code&15) << (i % 2 * 4)
		weight = append(weight, float32(code)/8)
	}
	for range blockIn / blockSize * blockOut {
		scales = binary.LittleEndian.AppendUint32(scales, math.Float32bits(1.0/8))
	}
	info := func(name string, width int) []byte {
		shape := message(1, message(2, "N"), 1, message(1, width))
		return message(1, name, 2, message(1, message(1, float, 2, shape)))
	}
	integer := func(name string, v int) []byte { return message(1, name, 3, v, 20, 2) }
	graph := message(
		1, message(1, "codes", 1, "scales", 2, "w", 4, "DequantizeLinear", 5, integer("axis", 0), 5, integer("block_size", blockSize)),
		1, message(1, "x", 1, "w", 2, "y", 4, "MatMul"), 2, "graph",
		5, message(1, blockIn, 1, blockOut, 2, int4, 8, "codes", 9, codes),
		5, message(1, blockIn/blockSize, 1, blockOut, 2, float, 8, "scales", 9, scales),
		11, info("x", blockIn), 12, info("y", blockOut))
	return message(1, 10, 7, graph, 8, message(2, 21)), weight
}

// TestDequantizeLinear is why our files have none: by default ONNX Runtime rounds what
// such a product reads, and the session entry of docs/interop.md keeps it from that.
func TestDequantizeLinear(t *testing.T) {
	file, weight := dequantized()
	x := make([]float32, blockIn)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	want, most := make([]float64, blockOut), 0.0
	for o := range want {
		for i, v := range x {
			want[o] += float64(v) * float64(weight[i*blockOut+o])
		}
		most = max(most, math.Abs(want[o]))
	}
	// off is the largest difference, as a part of the largest output.
	off := func(accuracy string) (d float64) {
		options, err := onnxruntime.NewSessionOptions()
		require.NoError(t, err)
		defer options.Destroy()
		if accuracy != "" {
			require.NoError(t, options.AddSessionConfigEntry("session.qdq_matmulnbits_accuracy_level", accuracy))
		}
		s, err := onnxruntime.NewDynamicAdvancedSessionWithONNXData(file, []string{"x"}, []string{"y"}, options)
		require.NoError(t, err)
		defer s.Destroy()
		in, err := onnxruntime.NewTensor(onnxruntime.NewShape(1, blockIn), x)
		require.NoError(t, err)
		defer in.Destroy()
		out := []onnxruntime.Value{nil}
		require.NoError(t, s.Run([]onnxruntime.Value{in}, out))
		defer out[0].Destroy()
		for o, v := range out[0].(*onnxruntime.Tensor[float32]).GetData() {
			d = max(d, math.Abs(float64(v)-want[o])/most)
		}
		return d
	}
	byDefault, exact := off(""), off("1")
	t.Logf("by default %.2g off, with the entry %.2g", byDefault, exact)
	require.Greater(t, byDefault, 1e-3, "ONNX Runtime has changed: so must docs/interop.md")
	require.Less(t, exact, floatTolerance)
}
