package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
)

func names(ps []Param) (names []string) {
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return names
}

func count(ps []Param) (n int) {
	for _, p := range ps {
		n += p.Len()
	}
	return n
}

// TestParams lists a small model's parameters in full.
func TestParams(t *testing.T) {
	const e, h, window = 13, 11, 17
	m := Model{EmbedDim: e, HiddenSize: h, NumHeads: 1, NumLayers: 1, WindowSize: window, Quantize: quant.Int4, Positions: Learned}
	want := []Param{
		{"input_projection.weight", []int{e, h}, quant.Float, GlorotUniform},
		{"input_projection.bias", []int{h}, quant.Float, Zeros},
		{"positions.weight", []int{window, h}, quant.Float, SmallNormal},
		{"blocks.0.attn_norm.weight", []int{h}, quant.Float, Ones},
		{"blocks.0.attn_norm.bias", []int{h}, quant.Float, Zeros},
		{"blocks.0.attn.qkv.weight", []int{h, 3 * h}, quant.Int4, GlorotUniform},
		{"blocks.0.attn.qkv.bias", []int{3 * h}, quant.Float, Zeros},
		{"blocks.0.attn.out.weight", []int{h, h}, quant.Int4, GlorotUniform},
		{"blocks.0.attn.out.bias", []int{h}, quant.Float, Zeros},
		{"blocks.0.ffn_norm.weight", []int{h}, quant.Float, Ones},
		{"blocks.0.ffn_norm.bias", []int{h}, quant.Float, Zeros},
		{"blocks.0.ffn.up.weight", []int{h, 4 * h}, quant.Int4, GlorotUniform},
		{"blocks.0.ffn.up.bias", []int{4 * h}, quant.Float, Zeros},
		{"blocks.0.ffn.down.weight", []int{4 * h, h}, quant.Int4, GlorotUniform},
		{"blocks.0.ffn.down.bias", []int{h}, quant.Float, Zeros},
		{"final_norm.weight", []int{h}, quant.Float, Ones},
		{"final_norm.bias", []int{h}, quant.Float, Zeros},
	}
	assert.Equal(t, want, m.Params())
	assert.Equal(t, want[3:15], m.BlockParams("blocks.0"))
}

// TestParamsPresent: a projection only where the sizes differ, positions only
// where they are learned, as many blocks as layers, no name twice.
func TestParamsPresent(t *testing.T) {
	m := defaults()
	for _, positions := range []Positions{NoPositions, Rotary, Learned} {
		for _, embed := range []int{m.HiddenSize, 13} {
			m.Positions, m.EmbedDim = positions, embed
			got := names(m.Params())
			assert.Equal(t, embed != m.HiddenSize, got[0] == "input_projection.weight", "E %d", embed)
			assert.Equal(t, positions == Learned, strings.Contains(strings.Join(got, " "), "positions.weight"), "%v", positions)
			seen := map[string]bool{}
			for _, name := range got {
				assert.False(t, seen[name], "%s twice", name)
				seen[name] = true
			}
		}
	}
	m = defaults()
	m.NumLayers = 11
	got := names(m.Params())
	assert.Len(t, got, 11*12+2)
	assert.Contains(t, got, "blocks.10.ffn.down.bias")
	assert.NotContains(t, got, "blocks.11.attn_norm.weight")
}

// TestParamsEdifice compares the default models with the reference's parameters.
func TestParamsEdifice(t *testing.T) {
	type model struct {
		Count  int
		Params []struct {
			Layer, Param string
			Shape        []int
		}
	}
	data, err := os.ReadFile(filepath.Join("..", "testdata", "edifice", "default_model.json"))
	require.NoError(t, err)
	var file map[string]model
	require.NoError(t, json.Unmarshal(data, &file))
	for name, embed := range map[string]int{"default_embed256": 256, "with_input_projection_embed287": 287} {
		m := defaults()
		m.EmbedDim = embed
		reference := file[name]
		require.NotEmpty(t, reference.Params, name)
		assert.Equal(t, reference.Count, count(m.Params()), "%s: number of values", name)
		var want, got []string
		for _, p := range reference.Params {
			want = append(want, fmt.Sprint(ourName(p.Layer, p.Param), p.Shape))
		}
		for _, p := range m.Params() {
			got = append(got, fmt.Sprint(p.Name, p.Shape))
		}
		assert.ElementsMatch(t, want, got, name)
	}
	assert.Equal(t, 3159552, count(defaults().Params()), "the number that the documentation gives")
}

// ourName is the name here of one of the reference's parameters: blocks count from
// 0, gamma and beta are weight and bias, and so is what ends in them.
func ourName(layer, param string) string {
	for i := range 4 {
		prefix := fmt.Sprintf("qat_block_%d_", i+1)
		if rest, ok := strings.CutPrefix(layer, prefix); ok {
			rest = strings.NewReplacer("attn_qkv", "attn.qkv", "attn_out", "attn.out", "ffn_up", "ffn.up", "ffn_down", "ffn.down").Replace(rest)
			layer = fmt.Sprintf("blocks.%d.%s", i, rest)
		}
	}
	switch {
	case param == "gamma", param == "kernel", strings.HasSuffix(param, "_weight"):
		return layer + ".weight"
	default:
		return layer + ".bias"
	}
}

func TestParamLen(t *testing.T) {
	assert.Equal(t, 11*13*17, Param{Shape: []int{11, 13, 17}}.Len())
	assert.Equal(t, 11, Param{Shape: []int{11}}.Len())
	assert.Equal(t, 0, Param{Shape: []int{11, 0}}.Len())
	assert.Equal(t, 1, Param{}.Len(), "a scalar")
}

func TestLinear(t *testing.T) {
	assert.Equal(t, []Param{
		{"head.weight", []int{13, 11}, quant.Binary, GlorotUniform},
		{"head.bias", []int{11}, quant.Float, Zeros},
	}, Linear("head", 13, 11, quant.Binary))
}

func TestNorm(t *testing.T) {
	assert.Equal(t, []Param{
		{"norm.weight", []int{13}, quant.Float, Ones},
		{"norm.bias", []int{13}, quant.Float, Zeros},
	}, Norm("norm", 13))
}
