package spec

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
)

func TestModeOf(t *testing.T) {
	const layer = "blocks.10.ffn.up"
	tests := map[string]struct {
		modes []LayerMode
		want  quant.Mode
	}{
		"none":               {nil, quant.Ternary},
		"the name":           {[]LayerMode{{layer, quant.Int4}}, quant.Int4},
		"another name":       {[]LayerMode{{"blocks.10.ffn.down", quant.Int4}}, quant.Ternary},
		"a part of the name": {[]LayerMode{{"ffn.up", quant.Int4}, {"blocks.10", quant.Int4}}, quant.Ternary},
		"the weight's name":  {[]LayerMode{{layer + ".weight", quant.Int4}}, quant.Ternary},
		"star":               {[]LayerMode{{"*", quant.Int4}}, quant.Int4},
		"star over dots":     {[]LayerMode{{"blocks*up", quant.Int4}}, quant.Int4},
		"star over a dot":    {[]LayerMode{{"blocks.1*.up", quant.Int4}}, quant.Int4},
		"another block":      {[]LayerMode{{"blocks.1.*", quant.Int4}}, quant.Ternary},
		"one character":      {[]LayerMode{{"blocks.?.ffn.up", quant.Int4}}, quant.Ternary},
		"two characters":     {[]LayerMode{{"blocks.??.ffn.up", quant.Int4}}, quant.Int4},
		"a range":            {[]LayerMode{{"blocks.1[0-3].*", quant.Int4}}, quant.Int4},
		"no range":           {[]LayerMode{{"blocks.1[^0-3].*", quant.Int4}}, quant.Ternary},
		"the last wins":      {[]LayerMode{{layer, quant.Int4}, {"*", quant.Binary}}, quant.Binary},
		"not the narrowest":  {[]LayerMode{{"*", quant.Binary}, {layer, quant.Int4}, {"blocks.9.*", quant.Int8}}, quant.Int4},
		"back to the mode":   {[]LayerMode{{"*", quant.Binary}, {"*.up", quant.Ternary}}, quant.Ternary},
		"float":              {[]LayerMode{{"*.ffn.*", quant.Float}}, quant.Float},
		"no pattern":         {[]LayerMode{{"blocks.[", quant.Binary}}, quant.Ternary},
	}
	for name, tt := range tests {
		assert.Equal(t, tt.want, Model{Quantize: quant.Ternary, LayerModes: tt.modes}.ModeOf(layer), name)
	}
}

// TestParamsModes: the weight of each layer has the layer's mode, all else is Float.
func TestParamsModes(t *testing.T) {
	m := defaults()
	m.EmbedDim, m.Positions = 13, Learned
	m.LayerModes = []LayerMode{{"blocks.[12].ffn.*", quant.Int8}, {"*.down", quant.Binary}, {"blocks.3.attn.qkv", quant.Float}}
	want := map[string]quant.Mode{}
	for _, l := range m.Layers() {
		want[l+".weight"] = quant.Ternary
	}
	require.Len(t, want, 4*4)
	want["blocks.1.ffn.up.weight"], want["blocks.2.ffn.up.weight"] = quant.Int8, quant.Int8
	for _, i := range "0123" {
		want["blocks."+string(i)+".ffn.down.weight"] = quant.Binary
	}
	want["blocks.3.attn.qkv.weight"] = quant.Float
	for _, p := range m.Params() {
		assert.Equal(t, want[p.Name], p.Mode, p.Name)
		delete(want, p.Name)
	}
	assert.Empty(t, want, "layers without a weight")
}

func TestLayers(t *testing.T) {
	assert.Equal(t, []string{
		"blocks.0.attn.qkv", "blocks.0.attn.out", "blocks.0.ffn.up", "blocks.0.ffn.down",
		"blocks.1.attn.qkv", "blocks.1.attn.out", "blocks.1.ffn.up", "blocks.1.ffn.down",
	}, Model{NumLayers: 2}.Layers())
	assert.Empty(t, Model{NumLayers: -1}.Layers())
	assert.Empty(t, Model{NumLayers: 1 << 30}.Layers(), "a mistyped size")
}

func TestIsFloat(t *testing.T) {
	all := []LayerMode{{"*", quant.Float}}
	most := []LayerMode{{"*", quant.Float}, {"*.0.attn.qkv", quant.Int4}}
	tests := map[string]struct {
		mode  quant.Mode
		modes []LayerMode
		want  bool
	}{
		"ternary":                 {quant.Ternary, nil, false},
		"float":                   {quant.Float, nil, true},
		"every layer":             {quant.Ternary, all, true},
		"all but one":             {quant.Ternary, most, false},
		"float but for one":       {quant.Float, most[1:], false},
		"what matches no layer":   {quant.Float, []LayerMode{{"head", quant.Int8}}, true},
		"overruled by a later":    {quant.Float, []LayerMode{most[1], all[0]}, true},
		"every layer by its part": {quant.Int8, []LayerMode{{"*.attn.*", quant.Float}, {"*.ffn.*", quant.Float}}, true},
	}
	for name, tt := range tests {
		m := Model{NumLayers: 3, Quantize: tt.mode, LayerModes: tt.modes}
		assert.Equal(t, tt.want, m.IsFloat(), name)
		assert.Equal(t, tt.want, m.BlockIsFloat("a.0"), "block, %s", name)
	}
	assert.True(t, Model{}.IsFloat(), "no layers: the mode decides")
	assert.False(t, Model{Quantize: quant.Int4, LayerModes: all}.IsFloat(), "no layers: the mode decides")
	assert.True(t, Model{LayerModes: []LayerMode{{"blocks.0.*", quant.Int8}}}.BlockIsFloat("block"), "a block's own path")
}

func TestWeightModes(t *testing.T) {
	assert.Equal(t, "ternary", defaults().WeightModes())
	assert.Equal(t, "int4,blocks.0.ffn.*=int8,*.qkv=float", others().WeightModes())
}

func TestValidateLayers(t *testing.T) {
	const want = "want one of blocks.0.attn.qkv to blocks.3.ffn.down"
	tests := map[string]struct {
		change func(*Model)
		want   string // empty for none
	}{
		"modes":        {func(m *Model) { m.LayerModes = []LayerMode{{"blocks.0.ffn.*", quant.Int8}, {"*", quant.Binary}} }, ""},
		"syntax":       {func(m *Model) { m.LayerModes = []LayerMode{{"blocks.[", quant.Int8}} }, `WithLayerMode: pattern "blocks.[": syntax error in pattern`},
		"late syntax":  {func(m *Model) { m.LayerModes = []LayerMode{{"zz[", quant.Int8}} }, `WithLayerMode: pattern "zz[": syntax error in pattern`},
		"no layer":     {func(m *Model) { m.LayerModes = []LayerMode{{"blocks.4.*", quant.Int8}} }, `WithLayerMode: pattern "blocks.4.*": no layer has such a name: ` + want},
		"no quantized": {func(m *Model) { m.LayerModes = []LayerMode{{"final_norm", quant.Int8}} }, `WithLayerMode: pattern "final_norm": no layer has such a name: ` + want},
		"a weight":     {func(m *Model) { m.LayerModes = []LayerMode{{"*.weight", quant.Int8}} }, `WithLayerMode: pattern "*.weight": no layer has such a name: ` + want},
		"empty":        {func(m *Model) { m.LayerModes = []LayerMode{{"", quant.Int8}} }, `WithLayerMode: pattern "": no layer has such a name: ` + want},
		"mode":         {func(m *Model) { m.LayerModes = []LayerMode{{"*", 9}} }, `WithLayerMode: pattern "*": unknown mode 9: want one of [float binary ternary int4 int8]`},
		"one of many": {
			func(m *Model) { m.LayerModes = []LayerMode{{"*", quant.Int4}, {"x", quant.Int8}} },
			`WithLayerMode: pattern "x": no layer has such a name: ` + want,
		},
		"every layer float": {
			func(m *Model) { m.LayerModes = []LayerMode{{"*", quant.Float}} },
			"WithActivations: int8 activations are for quantized weights: want float with float weights",
		},
		"some layers float": {func(m *Model) { m.LayerModes = []LayerMode{{"*.ffn.*", quant.Float}} }, ""},
		"float but for one": {func(m *Model) { m.Quantize, m.LayerModes = quant.Float, []LayerMode{{"*.0.attn.out", quant.Int8}} }, ""},
		"clipped int8": {
			func(m *Model) { m.STE, m.LayerModes = Clipped, []LayerMode{{"*.ffn.*", quant.Int8}} },
			"WithSTE: the clipped estimator is for binary and ternary weights, not int8 as blocks.0.ffn.up has",
		},
		"clipped ternary and binary": {func(m *Model) { m.STE, m.LayerModes = Clipped, []LayerMode{{"*.ffn.*", quant.Binary}} }, ""},
		"clipped and float":          {func(m *Model) { m.STE, m.LayerModes = Clipped, []LayerMode{{"*.ffn.*", quant.Float}} }, ""},
		"clipped int4 overruled": {func(m *Model) {
			m.STE, m.Quantize, m.LayerModes = Clipped, quant.Int4, []LayerMode{{"*", quant.Binary}}
		}, ""},
		"clipped, every layer float": {
			func(m *Model) {
				m.STE, m.Activations, m.LayerModes = Clipped, FloatActivations, []LayerMode{{"*", quant.Float}}
			},
			"WithSTE: the clipped estimator is for binary and ternary weights, not float as blocks.0.attn.qkv has",
		},
	}
	for name, tt := range tests {
		m := defaults()
		tt.change(&m)
		if tt.want == "" {
			assert.NoError(t, m.Validate(), name)
		} else {
			assert.EqualError(t, m.Validate(), tt.want, name)
		}
	}
	m := defaults()
	m.LayerModes = []LayerMode{{"zz[", 9}, {"*", quant.Float}}
	assert.NoError(t, m.ValidateLinear(), "a layer alone has the one mode")
}

// TestValidateLayers_block: the patterns of a block alone are for its own names.
func TestValidateLayers_block(t *testing.T) {
	m := defaults()
	m.LayerModes = []LayerMode{{"mine.ffn.*", quant.Int8}}
	assert.NoError(t, m.ValidateBlock("mine"))
	assert.EqualError(t, m.ValidateBlock("other"), `WithLayerMode: pattern "mine.ffn.*": no layer has such a name: want one of other.attn.qkv to other.ffn.down`)
	assert.Error(t, m.Validate())
	for _, p := range m.BlockParams("mine") {
		want := quant.Float
		switch {
		case strings.HasPrefix(p.Name, "mine.ffn.") && len(p.Shape) == 2:
			want = quant.Int8
		case len(p.Shape) == 2:
			want = quant.Ternary
		}
		assert.Equal(t, want, p.Mode, p.Name)
	}
}

// TestValidateLayers_unbounded: with a number of layers out of bounds, patterns are
// judged by themselves.
func TestValidateLayers_unbounded(t *testing.T) {
	m := defaults()
	m.NumLayers, m.LayerModes = 1<<30, []LayerMode{{"zz", quant.Int8}, {"[", quant.Int8}}
	assert.EqualError(t, m.Validate(), "WithNumLayers: number of layers 1073741824 is outside 1..32768\n"+
		`WithLayerMode: pattern "[": syntax error in pattern`)
}
