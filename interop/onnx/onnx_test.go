package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/qat-go/qat/internal/samebits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// fields are the values of a message's fields: numbers as varints, the rest as bytes.
func fields(t *testing.T, m []byte) map[protowire.Number][][]byte {
	t.Helper()
	all := map[protowire.Number][][]byte{}
	for len(m) > 0 {
		field, kind, n := protowire.ConsumeTag(m)
		require.Positive(t, n)
		m = m[n:]
		n = protowire.ConsumeFieldValue(field, kind, m)
		require.Positive(t, n)
		v := m[:n]
		if kind == protowire.BytesType {
			v, _ = protowire.ConsumeBytes(v)
		}
		all[field] = append(all[field], v)
		m = m[n:]
	}
	return all
}

// TestEncode: what a file is, by onnx.proto's numbers. That it computes the model is for
// a runtime to show: see ort.
func TestEncode(t *testing.T) {
	m, err := samebits.Cases()[22].Model()
	require.NoError(t, err)
	sizes := map[Weights]int{}
	for _, w := range []Weights{Int8, Int4, Int2} {
		var file, again bytes.Buffer
		require.NoError(t, Encode(&file, m, w))
		require.NoError(t, Encode(&again, m, w))
		assert.Equal(t, file.Bytes(), again.Bytes())
		sizes[w] = file.Len()

		model := fields(t, file.Bytes())
		ir, _ := protowire.ConsumeVarint(model[1][0])
		opset, _ := protowire.ConsumeVarint(fields(t, model[8][0])[2][0])
		assert.Equal(t, []uint64{uint64(weights[w].ir), uint64(weights[w].opset)}, []uint64{ir, opset})
		graph := fields(t, model[7][0])
		var inputs, outputs []string
		for _, v := range graph[11] {
			inputs = append(inputs, string(fields(t, v)[1][0]))
		}
		for _, v := range graph[12] {
			outputs = append(outputs, string(fields(t, v)[1][0]))
		}
		assert.Equal(t, []string{"input", "lengths"}, inputs)
		assert.Equal(t, []string{"outputs", "probabilities"}, outputs)
		made := map[string]bool{"input": true, "lengths": true}
		for _, v := range graph[5] {
			made[string(fields(t, v)[8][0])] = true
		}
		for _, v := range graph[1] { // each node after what it reads, no value made twice
			node := fields(t, v)
			for _, in := range node[1] {
				require.True(t, made[string(in)], "%s reads %s", node[4][0], in)
			}
			for _, out := range node[2] {
				require.False(t, made[string(out)], "%s makes %s again", node[4][0], out)
				made[string(out)] = true
			}
		}
		metadata := fields(t, model[14][0])
		assert.Equal(t, "spec", string(metadata[1][0]))
		assert.Contains(t, string(metadata[2][0]), `"quantize":"ternary"`)
	}
	assert.Greater(t, sizes[Int8], sizes[Int4])
	assert.Greater(t, sizes[Int4], sizes[Int2])
}

func TestEncode_faults(t *testing.T) {
	m, err := samebits.Cases()[22].Model()
	require.NoError(t, err)
	var file bytes.Buffer
	require.ErrorContains(t, Encode(&file, m, 3), "onnx: Weights(3): want int8, int4 or int2")
	m.Weights = m.Weights[1:]
	require.ErrorContains(t, Encode(&file, m, Int8), "blocks.0.attn.qkv.weight")
	assert.Zero(t, file.Len())

	path := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
	require.Error(t, Write(path, m, Int8))
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
}

func TestWeights_text(t *testing.T) {
	for _, w := range []Weights{Int8, Int4, Int2} {
		text, err := w.MarshalText()
		require.NoError(t, err)
		var back Weights
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, w, back)
	}
	assert.ErrorContains(t, new(Weights).UnmarshalText([]byte("int3")), `unknown weights "int3": want int8, int4 or int2`)
}
