package spec

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
)

// defaults is the model that the options make when only the embed size is given.
func defaults() Model {
	return Model{EmbedDim: 256, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: quant.Ternary, Dropout: 0.1}
}

func TestValidate(t *testing.T) {
	valid := map[string]func(*Model){
		"defaults": func(*Model) {},
		"smallest": func(m *Model) {
			*m = Model{Activations: FloatActivations, EmbedDim: 1, HiddenSize: 1, NumHeads: 1, NumLayers: 1, WindowSize: 1}
		},
		"largest": func(m *Model) {
			m.EmbedDim, m.HiddenSize, m.NumLayers, m.WindowSize = maxSize, maxSize, maxSize, maxSize
		},
		"dropout 0":           func(m *Model) { m.Dropout = 0 },
		"dropout below 1":     func(m *Model) { m.Dropout = math.Nextafter(1, 0) },
		"edifice":             func(m *Model) { m.Numerics, m.Activations = Edifice, FloatActivations },
		"clipped ternary":     func(m *Model) { m.STE = Clipped },
		"clipped binary":      func(m *Model) { m.STE, m.Quantize = Clipped, quant.Binary },
		"rotary, even head":   func(m *Model) { m.Positions, m.HiddenSize, m.NumHeads = Rotary, 66, 3 },
		"odd head, no rotary": func(m *Model) { m.HiddenSize, m.NumHeads = 33, 3 },
		"learned":             func(m *Model) { m.Positions = Learned },
		"every pooling":       func(m *Model) { m.Pooling = AllTimesteps },
		"one head a channel":  func(m *Model) { m.HiddenSize, m.NumHeads = 13, 13 },
		"float":               func(m *Model) { m.Quantize, m.Activations = quant.Float, FloatActivations },
		"per channel":         func(m *Model) { m.Granularity = quant.PerChannel },
	}
	for name, change := range valid {
		m := defaults()
		change(&m)
		assert.NoError(t, m.Validate(), name)
		assert.NoError(t, m.ValidateBlock("block"), name)
		assert.NoError(t, m.ValidateLinear(), name)
	}
}

// level is the smallest part of a model that a fault is a fault of.
type level int

const (
	ofModel level = iota
	ofBlock
	ofLinear
)

// faults are all that Validate can find, each alone, with its whole message.
var faults = map[string]struct {
	change func(*Model)
	level  level
	want   string
}{
	"embed 0":         {func(m *Model) { m.EmbedDim = 0 }, ofModel, "WithEmbedDim: embed size 0 is outside 1..32768"},
	"embed negative":  {func(m *Model) { m.EmbedDim = -3 }, ofModel, "WithEmbedDim: embed size -3 is outside 1..32768"},
	"embed large":     {func(m *Model) { m.EmbedDim = 32769 }, ofModel, "WithEmbedDim: embed size 32769 is outside 1..32768"},
	"window 0":        {func(m *Model) { m.WindowSize = 0 }, ofModel, "WithWindowSize: window 0 is outside 1..32768"},
	"window large":    {func(m *Model) { m.WindowSize = 32769 }, ofModel, "WithWindowSize: window 32769 is outside 1..32768"},
	"layers 0":        {func(m *Model) { m.NumLayers = 0 }, ofModel, "WithNumLayers: number of layers 0 is outside 1..32768"},
	"layers large":    {func(m *Model) { m.NumLayers = 32769 }, ofModel, "WithNumLayers: number of layers 32769 is outside 1..32768"},
	"hidden 0":        {func(m *Model) { m.HiddenSize = 0 }, ofBlock, "WithHiddenSize: hidden size 0 is outside 1..32768"},
	"hidden large":    {func(m *Model) { m.HiddenSize = 32772 }, ofBlock, "WithHiddenSize: hidden size 32772 is outside 1..32768"},
	"heads 0":         {func(m *Model) { m.NumHeads = 0 }, ofBlock, "WithNumHeads: number of heads 0 is outside 1..32768"},
	"heads negative":  {func(m *Model) { m.NumHeads = -4 }, ofBlock, "WithNumHeads: number of heads -4 is outside 1..32768"},
	"heads uneven":    {func(m *Model) { m.NumHeads = 5 }, ofBlock, "WithNumHeads: hidden size 256 is not a multiple of 5 heads"},
	"heads too many":  {func(m *Model) { m.HiddenSize, m.NumHeads = 11, 13 }, ofBlock, "WithNumHeads: hidden size 11 is not a multiple of 13 heads"},
	"rotary odd head": {func(m *Model) { m.HiddenSize, m.NumHeads, m.Positions = 33, 3, Rotary }, ofBlock, "WithPositions: rotary positions need an even head size, got 33/3 = 11"},
	"dropout 1":       {func(m *Model) { m.Dropout = 1 }, ofBlock, "WithDropout: dropout 1 is outside [0, 1)"},
	"dropout below 0": {func(m *Model) { m.Dropout = -0.1 }, ofBlock, "WithDropout: dropout -0.1 is outside [0, 1)"},
	"dropout NaN":     {func(m *Model) { m.Dropout = math.NaN() }, ofBlock, "WithDropout: dropout NaN is outside [0, 1)"},
	"dropout Inf":     {func(m *Model) { m.Dropout = math.Inf(1) }, ofBlock, "WithDropout: dropout +Inf is outside [0, 1)"},
	"pooling":         {func(m *Model) { m.Pooling = 9 }, ofBlock, "WithPooling: unknown pooling 9: want one of last, mean, all"},
	"positions":       {func(m *Model) { m.Positions = 9 }, ofBlock, "WithPositions: unknown positions 9: want one of none, rotary, learned"},
	"mode":            {func(m *Model) { m.Quantize = 9 }, ofLinear, "WithQuantize: unknown mode 9: want one of [float binary ternary int4 int8]"},
	"numerics":        {func(m *Model) { m.Numerics = 9 }, ofLinear, "WithNumerics: unknown numerics 9: want one of bitnet, edifice"},
	"activations":     {func(m *Model) { m.Activations = 9 }, ofLinear, "WithActivations: unknown activations 9: want one of int8, float"},
	"granularity":     {func(m *Model) { m.Granularity = 9 }, ofLinear, "WithGranularity: unknown granularity 9: want one of tensor, channel"},
	"edifice channel": {func(m *Model) { m.Numerics, m.Activations, m.Granularity = Edifice, FloatActivations, quant.PerChannel }, ofLinear, "WithGranularity: the Edifice numerics have one scale a weight: want tensor"},
	"ste":             {func(m *Model) { m.STE = 9 }, ofLinear, "WithSTE: unknown ste 9: want one of identity, clipped"},
	"edifice int8":    {func(m *Model) { m.Numerics = Edifice }, ofLinear, "WithActivations: int8 activations do not exist in the Edifice numerics: want float"},
	"clipped int4":    {func(m *Model) { m.STE, m.Quantize = Clipped, quant.Int4 }, ofLinear, "WithSTE: the clipped estimator is for binary and ternary weights, not int4"},
	"float int8":      {func(m *Model) { m.Quantize = quant.Float }, ofLinear, "WithActivations: int8 activations are for quantized weights: want float with float weights"},
	"clipped float":   {func(m *Model) { m.STE, m.Quantize, m.Activations = Clipped, quant.Float, FloatActivations }, ofLinear, "WithSTE: the clipped estimator is for binary and ternary weights, not float"},
}

func TestValidateFaults(t *testing.T) {
	for name, f := range faults {
		m := defaults()
		f.change(&m)
		assert.EqualError(t, m.Validate(), f.want, name)
		for at, err := range map[level]error{ofBlock: m.ValidateBlock("block"), ofLinear: m.ValidateLinear()} {
			if f.level >= at {
				assert.EqualError(t, err, f.want, name)
			} else {
				assert.NoError(t, err, "%s is no fault of a smaller part", name)
			}
		}
	}
}

// TestValidateJoined: every fault at once, one a line, and no more.
func TestValidateJoined(t *testing.T) {
	together := []string{"embed 0", "window large", "layers 0", "rotary odd head", "dropout NaN", "pooling", "mode", "ste", "edifice int8"}
	m := defaults()
	var want []string
	for _, name := range together {
		faults[name].change(&m)
		want = append(want, faults[name].want)
	}
	err := m.Validate()
	require.Error(t, err)
	assert.ElementsMatch(t, want, strings.Split(err.Error(), "\n"))
}

// TestValidateZero: a model with nothing set says what it needs.
func TestValidateZero(t *testing.T) {
	err := Model{}.Validate()
	require.Error(t, err)
	var options []string
	for line := range strings.Lines(err.Error()) {
		option, _, _ := strings.Cut(line, ":")
		options = append(options, option)
	}
	assert.ElementsMatch(t, []string{"WithEmbedDim", "WithWindowSize", "WithNumLayers", "WithHiddenSize", "WithNumHeads", "WithActivations"}, options,
		"a Mode of 0 is Float, whose inputs are not int8")
}

// others is a model in which no field has its default.
func others() Model {
	return Model{
		EmbedDim: 287, HiddenSize: 66, NumHeads: 3, NumLayers: 2, WindowSize: 13, Quantize: quant.Int4, Dropout: 0.25,
		Numerics: Edifice, Activations: FloatActivations, STE: Clipped, Pooling: Mean, Positions: Rotary,
		Granularity: quant.PerChannel,
		LayerModes:  []LayerMode{{"blocks.0.ffn.*", quant.Int8}, {"*.qkv", quant.Float}},
	}
}

func TestModelJSON(t *testing.T) {
	data, err := json.Marshal(defaults())
	require.NoError(t, err)
	assert.JSONEq(t, `{"embed_dim":256,"hidden_size":256,"num_heads":4,"num_layers":4,"window_size":60,"quantize":"ternary","dropout":0.1,
		"numerics":"bitnet","activations":"int8","ste":"identity","pooling":"last","positions":"none","granularity":"tensor"}`, string(data))
	data, err = json.Marshal(others())
	require.NoError(t, err)
	assert.JSONEq(t, `{"embed_dim":287,"hidden_size":66,"num_heads":3,"num_layers":2,"window_size":13,"quantize":"int4","dropout":0.25,
		"numerics":"edifice","activations":"float","ste":"clipped","pooling":"mean","positions":"rotary",
		"granularity":"channel","layer_modes":[{"pattern":"blocks.0.ffn.*","mode":"int8"},{"pattern":"*.qkv","mode":"float"}]}`, string(data))
	for _, m := range []Model{defaults(), others(), {}} {
		data, err := json.Marshal(m)
		require.NoError(t, err)
		var back Model
		require.NoError(t, json.Unmarshal(data, &back))
		assert.Equal(t, m, back)
	}
}

// TestModelJSON_old: what was saved before a field was has its zero value.
func TestModelJSON_old(t *testing.T) {
	var m Model
	require.NoError(t, json.Unmarshal([]byte(`{"embed_dim":256,"hidden_size":256,"num_heads":4,"num_layers":4,"window_size":60,"quantize":"ternary","dropout":0.1,
		"numerics":"bitnet","activations":"int8","ste":"identity","pooling":"last","positions":"none"}`), &m))
	assert.Equal(t, defaults(), m)
}

func TestModelJSONUnknown(t *testing.T) {
	for field, name := range map[string]string{"quantize": "int5", "numerics": "nx", "activations": "int4", "ste": "soft", "pooling": "max", "positions": "alibi", "granularity": "row"} {
		var m Model
		err := json.Unmarshal([]byte(`{"`+field+`":"`+name+`"}`), &m)
		require.Error(t, err, field)
		assert.Contains(t, err.Error(), `"`+name+`"`, field)
		assert.Contains(t, err.Error(), "want one of", field)
		assert.Error(t, json.Unmarshal([]byte(`{"`+field+`":1}`), &m), "%s: a number", field)
		assert.Error(t, json.Unmarshal([]byte(`{"`+field+`":""}`), &m), "%s: no name", field)
	}
	for name, m := range map[string]Model{
		"quantize": {Quantize: 9}, "numerics": {Numerics: 9}, "activations": {Activations: 9},
		"ste": {STE: 9}, "pooling": {Pooling: 9}, "positions": {Positions: 9},
		"granularity": {Granularity: 9}, "layer mode": {LayerModes: []LayerMode{{"*", 9}}},
	} {
		_, err := json.Marshal(m)
		assert.ErrorContains(t, err, "unknown", "writing %s", name)
	}
}

func TestModelString(t *testing.T) {
	assert.Equal(t, "256 -> hidden 256, heads 4, layers 4, window 60, ternary weights, int8 activations, dropout 0.1, positions none, pooling last, bitnet numerics, identity straight-through", defaults().String())
	assert.Equal(t, "287 -> hidden 66, heads 3, layers 2, window 13, int4,blocks.0.ffn.*=int8,*.qkv=float weights per channel, float activations, dropout 0.25, positions rotary, pooling mean, edifice numerics, clipped straight-through", others().String())
	assert.NotPanics(t, func() { _ = Model{Quantize: 9, Numerics: 9, Pooling: 9}.String() }, "an invalid model can be printed")
}
