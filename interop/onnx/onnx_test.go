package onnx

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a model of three classes.
func small(t *testing.T, mode quant.Mode) *packed.Model {
	t.Helper()
	s := spec.Model{EmbedDim: 11, HiddenSize: 26, NumHeads: 13, NumLayers: 1, WindowSize: 17, Quantize: mode}
	if mode == quant.Float {
		s.Activations = spec.FloatActivations
	}
	m, err := samebits.Case{Spec: s, Width: 3}.Model()
	require.NoError(t, err)
	m.Head.Classes = []string{"a", "b", "c"}
	return m
}

func encoded(t *testing.T, m *packed.Model, w Weights) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, Encode(&file, m, w))
	return file.Bytes()
}

// TestEncode reads the file as protobuf: versions, metadata, names, and standard
// operators that no runtime needs an extension for.
func TestEncode(t *testing.T) {
	for w, want := range map[Weights][2]int{Int8: {17, 8}, Int4: {21, 10}, Int2: {25, 13}} {
		m := small(t, quant.Ternary)
		file := encoded(t, m, w)
		assert.Equal(t, file, encoded(t, m, w), "the same bytes again")
		model := fields(t, file)
		opset := fields(t, []byte(texts(model, 8)[0]))
		assert.Equal(t, want, [2]int{number(opset, 2), number(model, 1)}, "%v: opset and IR", w)
		assert.Empty(t, texts(opset, 1), "domain")
		assert.Equal(t, []string{producer}, texts(model, 2))
		metadata := map[string]string{}
		for _, p := range texts(model, 14) {
			all := fields(t, []byte(p))
			metadata[texts(all, 1)[0]] = texts(all, 2)[0]
		}
		var s spec.Model
		require.NoError(t, json.Unmarshal([]byte(metadata["spec"]), &s))
		assert.Equal(t, m.Spec, s)
		assert.Equal(t, `["a","b","c"]`, metadata["classes"])

		graph := fields(t, []byte(texts(model, 7)[0]))
		name := func(of string) string { return texts(fields(t, []byte(of)), 1)[0] }
		assert.Equal(t, []string{"input", "lengths"}, []string{name(texts(graph, 11)[0]), name(texts(graph, 11)[1])})
		assert.Equal(t, []string{"outputs", "probabilities"}, []string{name(texts(graph, 12)[0]), name(texts(graph, 12)[1])})
		values, sums := map[string]bool{}, 0
		for _, n := range texts(graph, 1) {
			node := fields(t, []byte(n))
			op := texts(node, 4)[0]
			if op == "MatMulInteger" {
				sums++
			}
			assert.NotContains(t, []string{"MatMul", "Softmax", "LayerNormalization", "ReduceMean", "DequantizeLinear", "Exp", "Pow"}, op)
			for _, v := range texts(node, 2) {
				assert.False(t, values[v], "value %s is there twice", v)
				values[v] = true
			}
		}
		assert.Equal(t, 4, sums, "quantized layers")
		for _, layer := range m.Spec.Layers() {
			assert.True(t, values[layer], layer)
		}
	}
}

// TestEncode_faults: nothing is written of what cannot be.
func TestEncode_faults(t *testing.T) {
	broken := small(t, quant.Ternary)
	broken.Tensors = slices.Clone(broken.Tensors[1:])
	long := small(t, quant.Ternary)
	long.Input = &preprocess.Pipeline{Scale: preprocess.Identity(11), Frame: 1, Hop: 1, Window: 17, Longest: rawMost + 1}
	for range 11 {
		long.Input.Channels = append(long.Input.Channels, "x")
	}
	for want, c := range map[string]struct {
		m *packed.Model
		w Weights
	}{
		"onnx: the packed model is nil":                                      {nil, Int8},
		"packed: tensor input_projection.weight is missing":                  {broken, Int8},
		"onnx: weights as int4: the codes of no layer fit, of int8 weights":  {small(t, quant.Int8), Int4},
		"onnx: weights as int2: the codes of no layer fit, of float weights": {small(t, quant.Float), Int2},
		"onnx: unknown weights 3: want one of int8, int4, int2":              {small(t, quant.Ternary), 3},
		"onnx: input: series of 1048577 steps, want 1 to 1048576":            {long, Int8},
	} {
		var file bytes.Buffer
		assert.EqualError(t, Encode(&file, c.m, c.w), want)
		assert.Zero(t, file.Len())
		path := filepath.Join(t.TempDir(), "m.onnx")
		require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
		assert.EqualError(t, Write(path, c.m, c.w), want)
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, "old", string(old))
	}
}

func TestWrite(t *testing.T) {
	m, path := small(t, quant.Int4), filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, Write(path, m, Int4))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, encoded(t, m, Int4), got)
}

// TestEncode_size: a large model takes little more than its codes.
func TestEncode_size(t *testing.T) {
	const most = 1.1 // the graph, norms and biases, beside the codes
	c := samebits.Case{Spec: spec.Model{EmbedDim: 6, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: quant.Ternary}}
	m, err := c.Model()
	require.NoError(t, err)
	floats := 0
	for _, tensor := range m.Tensors {
		floats += 4 * len(tensor.Values)
	}
	codes := 4 * 12 * 256 * 256
	for w, bits := range map[Weights]int{Int8: 8, Int4: 4, Int2: 2} {
		assert.Less(t, float64(len(encoded(t, m, w))), most*float64(codes*bits/8+floats), w)
	}
}
