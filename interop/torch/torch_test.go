package torch

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testdata = "../../testdata/torch"

var floatSpec = spec.Model{NumHeads: 2, Quantize: quant.Float, Activations: spec.FloatActivations}

func tensors(t *testing.T) []checkpoint.Tensor {
	t.Helper()
	f, err := checkpoint.Read(testdata + "/model.safetensors")
	require.NoError(t, err)
	return f.Tensors
}

// tolerance is what another order of float32 sums makes of outputs.
const tolerance = 5e-6

// TestImport: a float model gives PyTorch's outputs.
func TestImport(t *testing.T) {
	var golden struct{ Input, Outputs []float32 }
	text, err := os.ReadFile(testdata + "/outputs.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
	m, err := Import(tensors(t), floatSpec, Default(), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"0", "1", "2"}, m.Classes)
	want := floatSpec
	want.EmbedDim, want.HiddenSize, want.NumLayers, want.WindowSize, want.Positions = 5, 16, 2, 11, spec.Learned
	require.Equal(t, want, m.Spec)
	p, err := m.Pack()
	require.NoError(t, err)
	own, err := infer.New(p)
	require.NoError(t, err)
	for i := range 7 {
		got, err := own.Predict(nil, golden.Input[i*55:(i+1)*55])
		require.NoError(t, err)
		for j, want := range golden.Outputs[i*3 : (i+1)*3] {
			require.InDelta(t, want, got[j], tolerance*max(1, math.Abs(float64(want))), "sequence %d, output %d", i, j)
		}
	}
}

// TestImport_quantized: what a quantized import packs are the codes of the float weights,
// turned.
func TestImport_quantized(t *testing.T) {
	all := tensors(t)
	s := spec.Model{NumHeads: 2, Quantize: quant.Int8, Granularity: quant.PerChannel}
	m, err := Import(all, s, Default(), []string{"a", "b", "c"})
	require.NoError(t, err)
	p, err := m.Pack()
	require.NoError(t, err)
	require.Equal(t, "blocks.0.attn.qkv.weight", p.Weights[0].Name)
	codes := make([]int8, 48*16) // [out, in], as PyTorch has it
	p.Weights[0].Unpack(codes)
	at := slices.IndexFunc(all, func(c checkpoint.Tensor) bool { return c.Name == "blocks.0.qkv.weight" })
	for o := range 48 {
		row := all[at].Values[o*16 : (o+1)*16]
		most := float32(0)
		for _, v := range row {
			most = max(most, float32(math.Abs(float64(v))))
		}
		for i, v := range row {
			require.Equal(t, int8(math.RoundToEven(float64(v/(most/127)))), codes[o*16+i], "output %d, input %d", o, i)
		}
	}
}

// otherNames is a mapping for a model with other names, and queries, keys and values apart.
const otherNames = `{
	"blocks.{}.attn.qkv.weight": ["h.{}.q.w", "h.{}.k.w", "h.{}.v.w"],
	"blocks.{}.attn.qkv.bias": ["h.{}.q.b", "h.{}.k.b", "h.{}.v.b"],
	"final_norm.weight": "norm.g"
}`

func TestImport_mapping(t *testing.T) {
	mapping, err := ParseMapping([]byte(otherNames))
	require.NoError(t, err)
	want, err := Import(tensors(t), floatSpec, Default(), nil)
	require.NoError(t, err)
	var renamed []checkpoint.Tensor
	for _, c := range tensors(t) {
		block, kind, split := strings.Cut(c.Name, ".qkv.")
		switch {
		case split:
			n := len(c.Values) / 3
			for i, part := range []string{"q", "k", "v"} {
				shape := append([]int{16}, c.Shape[1:]...)
				renamed = append(renamed, checkpoint.Tensor{
					Name: "h." + strings.TrimPrefix(block, "blocks.") + "." + part + "." + kind[:1], Shape: shape, Values: c.Values[i*n : (i+1)*n],
				})
			}
			continue
		case c.Name == "lnf.weight":
			c.Name = "norm.g"
		}
		renamed = append(renamed, c)
	}
	got, err := Import(renamed, floatSpec, mapping, nil)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	_, err = Import(renamed[1:], floatSpec, mapping, nil)
	require.ErrorContains(t, err, renamed[0].Name)
	_, err = Import(tensors(t), floatSpec, mapping, nil)
	require.ErrorContains(t, err, "tensor norm.g is missing, want shape [16], for final_norm.weight")
	require.ErrorContains(t, err, "tensor lnf.weight [16]: the model has no such parameter")
	_, err = Import(nil, floatSpec, mapping, nil)
	require.ErrorContains(t, err, "no norm, as norm.g [hidden size], among 0 tensors")
}

func TestImport_faults(t *testing.T) {
	all := tensors(t)
	_, err := Import(all, floatSpec, Default(), []string{"a"})
	require.EqualError(t, err, "torch: 1 classes for a head of 3 outputs")
	for i, c := range all {
		if c.Name == "blocks.1.up.weight" { // [in, out]
			all[i].Shape = []int{16, 64}
		}
	}
	all = append(all, checkpoint.Tensor{Name: "blocks.7.ln1.weight", Shape: []int{16}, Values: make([]float32, 16)})
	_, err = Import(all, floatSpec, Default(), nil)
	require.ErrorContains(t, err, "tensor blocks.1.up.weight: shape [16 64], want [64 16], for blocks.1.ffn.up.weight")
	require.ErrorContains(t, err, "tensor blocks.7.ln1.weight [16]: the model has no such parameter")
}

func TestParseMapping_faults(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                   "mapping",
		`{"head.weigth": "x"}`:                 `"head.weigth" is no parameter: want one of blocks.{}.attn.out.bias`,
		`{"head.weight": 3}`:                   `"head.weight": want a name or a list of names`,
		`{"head.weight": []}`:                  `"head.weight": want a name or a list of names`,
		`{"blocks.{}.ffn.up.bias": "up.bias"}`: `want {} for a block's number in both or in none`,
		`{"head.bias": "h.{}"}`:                `want {} for a block's number in both or in none`,
	} {
		_, err := ParseMapping([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add(otherNames)
	f.Add(`{"final_norm.weight": ["", ""]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMapping([]byte(text))
		if err != nil {
			return
		}
		_, err = Import([]checkpoint.Tensor{{Name: "x", Shape: []int{3}}}, floatSpec, m, nil)
		require.Error(t, err)
	})
}
