package interop

import (
	"path/filepath"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a model with a head, all of whose values differ.
func small(t *testing.T) *Model {
	t.Helper()
	s := spec.Model{EmbedDim: 11, HiddenSize: 26, NumHeads: 13, NumLayers: 1, WindowSize: 17, Quantize: quant.Int4, Positions: spec.Learned}
	var tensors []checkpoint.Tensor
	next := float32(0)
	for _, p := range params(s, 3) {
		values := make([]float32, p.Len())
		for i := range values {
			next++
			values[i] = next / 4096
		}
		tensors = append(tensors, checkpoint.Tensor{Name: p.Name, Shape: p.Shape, Values: values})
	}
	m, err := Assemble(tensors, s, []string{"a", "b", "c"}, func(param string) Source { return Source{Names: []string{param}} })
	require.NoError(t, err)
	return m
}

func TestWrite(t *testing.T) {
	m, path := small(t), filepath.Join(t.TempDir(), "latents.safetensors")
	require.NoError(t, m.Write(path))
	f, err := checkpoint.Read(path)
	require.NoError(t, err)
	assert.True(t, Imported(f))
	again, err := FromFile(f)
	require.NoError(t, err)
	assert.Equal(t, m, again)

	cut := f
	cut.Tensors = f.Tensors[1:]
	_, err = FromFile(cut)
	assert.ErrorContains(t, err, "tensor "+f.Tensors[0].Name+" is missing")
	f.Metadata[modelKey] = `{"spec": 3}`
	_, err = FromFile(f)
	assert.ErrorContains(t, err, `interop: metadata "model": `)
	f.Metadata[modelKey] = `{"spec": {"hidden_size": 1099511627776, "num_heads": 1, "num_layers": 1, "embed_dim": 1, "window_size": 1}}`
	_, err = FromFile(f)
	assert.ErrorContains(t, err, "hidden")
	f.Metadata[formatKey] = "qat.latents"
	_, err = FromFile(f)
	assert.EqualError(t, err, `interop: format is "qat.latents", want "qat.imported": not an imported model`)
}

func TestPack(t *testing.T) {
	p, err := small(t).Pack()
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, p.Head.Classes)
	assert.Len(t, p.Weights, 4)
	for _, w := range p.Weights {
		assert.Equal(t, quant.Int4, w.Mode, w.Name)
	}
}

func TestSource_parts(t *testing.T) {
	_, err := Source{Names: []string{"q", "k", "v"}, OutFirst: true}.values(nil, []int{5, 16})
	assert.EqualError(t, err, "tensors q, k, v: shape [16 5] is not in 3 equal parts")
}
