package edifice

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/interop"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testdata = "../../testdata/edifice"

type tensor struct {
	Shape []int     `json:"shape"`
	Data  []float32 `json:"data"`
}

// golden is a model of the reference and what it computes.
type golden struct {
	Config struct {
		Embed    int    `json:"embed_dim"`
		Hidden   int    `json:"hidden_size"`
		Heads    int    `json:"num_heads"`
		Layers   int    `json:"num_layers"`
		Steps    int    `json:"seq_len"`
		Quantize string `json:"quantize"`
	} `json:"config"`
	Input, Output tensor
	Params        []struct {
		tensor
		Layer string `json:"layer"`
		Param string `json:"param"`
	} `json:"params"`
}

func (g *golden) tensors(separator string) (all []checkpoint.Tensor) {
	for _, p := range g.Params {
		all = append(all, checkpoint.Tensor{Name: p.Layer + separator + p.Param, Shape: p.Shape, Values: p.Data})
	}
	return all
}

func (g *golden) spec(t *testing.T) spec.Model {
	mode, err := quant.ParseMode(g.Config.Quantize)
	require.NoError(t, err)
	return spec.Model{NumHeads: g.Config.Heads, WindowSize: g.Config.Steps, Quantize: mode}
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, v), path)
}

// The reference computes each operation in float64 and stores float32. A quantized value
// near a threshold makes the coarse modes' outputs less certain.
const (
	tolerance       = 1e-5
	coarseTolerance = 5e-5
)

// TestImport: the reference's models give its outputs, packed and run.
func TestImport(t *testing.T) {
	paths, err := filepath.Glob(testdata + "/forward/*.json")
	require.NoError(t, err)
	require.Len(t, paths, 8)
	for _, path := range paths {
		for _, separator := range []string{"/", "."} {
			t.Run(filepath.Base(path)+separator, func(t *testing.T) {
				var g golden
				read(t, path, &g)
				m, err := Import(g.tensors(separator), g.spec(t))
				require.NoError(t, err)
				assert.Equal(t, []int{g.Config.Embed, g.Config.Hidden, g.Config.Layers}, []int{m.Spec.EmbedDim, m.Spec.HiddenSize, m.Spec.NumLayers})
				p, err := m.Pack()
				require.NoError(t, err)
				own, err := infer.New(p)
				require.NoError(t, err)
				off := tolerance
				if m.Spec.Quantize.MaxCode() == 1 {
					off = coarseTolerance
				}
				size := g.Config.Steps * g.Config.Embed
				for i := range g.Input.Shape[0] {
					got, err := own.Predict(nil, g.Input.Data[i*size:(i+1)*size])
					require.NoError(t, err)
					for j, want := range g.Output.Data[i*g.Config.Hidden : (i+1)*g.Config.Hidden] {
						require.InDelta(t, want, got[j], off*max(1, math.Abs(float64(want))), "sequence %d, output %d", i, j)
					}
				}
			})
		}
	}
}

// TestImport_default: the names and shapes of the default model, with and without an input
// projection, are all accounted for.
func TestImport_default(t *testing.T) {
	var models map[string]*golden
	read(t, testdata+"/default_model.json", &models)
	for name, embed := range map[string]int{"default_embed256": 256, "with_input_projection_embed287": 287} {
		g := models[name]
		for i, p := range g.Params {
			n := 1
			for _, d := range p.Shape {
				n *= d
			}
			g.Params[i].Data = make([]float32, n)
			for k := range g.Params[i].Data {
				g.Params[i].Data[k] = float32(i) + float32(k%7)/7
			}
		}
		m, err := Import(g.tensors("/"), spec.Model{NumHeads: 4, WindowSize: 60, Quantize: quant.Ternary})
		require.NoError(t, err)
		assert.Equal(t, spec.Model{
			EmbedDim: embed, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: quant.Ternary,
			Numerics: spec.Edifice, Activations: spec.FloatActivations,
		}, m.Spec)
		path := filepath.Join(t.TempDir(), "latents.safetensors")
		require.NoError(t, m.Write(path))
		f, err := checkpoint.Read(path)
		require.NoError(t, err)
		again, err := interop.FromFile(f)
		require.NoError(t, err)
		assert.Equal(t, m, again)
	}
}

// TestImport_faults: each parameter that is missing, unknown or of another shape is named.
func TestImport_faults(t *testing.T) {
	var g golden
	read(t, testdata+"/forward/s1_ternary_rand.json", &g)
	all := g.tensors("/")
	at := func(name string) int {
		for i, p := range all {
			if p.Name == name {
				return i
			}
		}
		t.Fatal(name)
		return 0
	}
	const qkv, up = "qat_block_1_attn_qkv/qat_block_1_attn_qkv_weight", "qat_block_1_ffn_up/qat_block_1_ffn_up_bias"
	all[at(qkv)].Shape = []int{24, 8}
	all[at(up)].Name = "qat_block_1_ffn_up/bias"
	all[at("final_norm/gamma")].Shape = []int{31}
	all = append(all, checkpoint.Tensor{Name: "extra", Shape: []int{1}, Values: []float32{1}})
	_, err := Import(all, g.spec(t))
	require.Error(t, err)
	for _, want := range []string{
		"tensor " + qkv + ": shape [24 8], want [8 24], for blocks.0.attn.qkv.weight",
		"tensor " + up + " is missing, want shape [32], for blocks.0.ffn.up.bias",
		"tensor qat_block_1_ffn_up/bias [32]: the model has no such parameter",
		"tensor extra [1]: the model has no such parameter",
		"tensor final_norm/gamma: shape [31], want [8], for final_norm.weight",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, 5, len(strings.Split(err.Error(), "\n")))

	_, err = Import(g.tensors("/"), spec.Model{NumHeads: 3, WindowSize: 5, Quantize: quant.Ternary})
	assert.ErrorContains(t, err, "heads")
	_, err = Import(all[:0], g.spec(t))
	assert.ErrorContains(t, err, "no norm, as final_norm/gamma [hidden size], among 0 tensors")
	twice := append(g.tensors("/"), checkpoint.Tensor{Name: "final_norm.gamma", Shape: []int{8}, Values: make([]float32, 8)})
	_, err = Import(twice, g.spec(t))
	assert.ErrorContains(t, err, "are one parameter")
	bad := g.tensors("/")
	bad[0].Values = append([]float32{float32(math.NaN())}, bad[0].Values[1:]...)
	_, err = Import(bad, g.spec(t))
	assert.ErrorContains(t, err, bad[0].Name+": ")
	assert.ErrorIs(t, err, quant.ErrNotFinite)
}

func FuzzImport(f *testing.F) {
	f.Add("final_norm/gamma", 8, "qat_block_9999999_attn_qkv/x", 3)
	f.Add("input_projection.kernel", 1, "final_norm.gamma", 1<<20)
	f.Fuzz(func(t *testing.T, a string, n int, b string, k int) {
		_, err := Import([]checkpoint.Tensor{{Name: a, Shape: []int{n}}, {Name: b, Shape: []int{k}}, {Name: fmt.Sprint(a, b), Shape: []int{n, k}}},
			spec.Model{NumHeads: 1, WindowSize: 1, Quantize: quant.Binary})
		require.Error(t, err) // three tensors are no model
	})
}
