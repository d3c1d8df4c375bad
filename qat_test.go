package qat_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The public contract: these names and types are what users' programs are
// written against.
var (
	_ func(*G.ExprGraph, ...qat.Option) (*qat.Model, error)   = qat.Build
	_ func(*G.Node, ...qat.Option) (*qat.Layer, error)        = qat.Block
	_ func(*G.Node, int, ...qat.Option) (*qat.Layer, error)   = qat.QuantLinear
	_ func(*G.Node, int, ...qat.Option) (*qat.Layer, error)   = qat.Dense
	_ func(*G.Node, qat.Mode, ...qat.Option) (*G.Node, error) = qat.FakeQuantize
	_ func(logits, labels *G.Node) (*G.Node, error)           = qat.CrossEntropy
	_ func(predictions, targets *G.Node) (*G.Node, error)     = qat.MeanSquaredError
	_ func(...qat.Option) int                                 = qat.OutputSize
	_ func() spec.Model                                       = qat.RecommendedDefaults
	_ func(string) (qat.Mode, error)                          = qat.ParseMode
	_ func(*qat.Model) *G.Node                                = (*qat.Model).Input
	_ func(*qat.Model) spec.Model                             = (*qat.Model).Spec
	_ parameterised                                           = (*qat.Model)(nil)
	_ parameterised                                           = (*qat.Layer)(nil)
	_ qat.ParamSource                                         = (*qat.Model)(nil)
	_                                                         = qat.Param{Name: "", Node: (*G.Node)(nil), Mode: qat.Float}
	_ encoding.TextMarshaler                                  = qat.Ternary
	_ encoding.TextUnmarshaler                                = (*qat.Mode)(nil)
	_ fmt.Stringer                                            = qat.Ternary
	_                                                         = []func(int) qat.Option{qat.WithEmbedDim, qat.WithHiddenSize, qat.WithNumHeads, qat.WithNumLayers, qat.WithWindowSize, qat.WithBatchSize}
	_ func(qat.Mode) qat.Option                               = qat.WithQuantize
	_ func(string, qat.Mode) qat.Option                       = qat.WithLayerMode
	_ func(qat.Granularity) qat.Option                        = qat.WithGranularity
	_                                                         = []qat.Granularity{qat.PerTensor, qat.PerChannel}
	_ func(float64) qat.Option                                = qat.WithDropout
	_                                                         = []func(*G.Node) qat.Option{qat.WithInput, qat.WithLengths}
	_ func(string) qat.Option                                 = qat.WithName
	_ func(uint64) qat.Option                                 = qat.WithSeed
	_ func(spec.Model) qat.Option                             = qat.WithSpec
	_ func(qat.ParamSource) qat.Option                        = qat.WithParamsFrom
	_                                                         = []qat.Option{qat.WithNumerics(qat.BitNet), qat.WithNumerics(qat.Edifice)}
	_                                                         = []qat.Option{qat.WithActivations(qat.Int8Activations), qat.WithActivations(qat.FloatActivations)}
	_                                                         = []qat.Option{qat.WithSTE(qat.Identity), qat.WithSTE(qat.Clipped)}
	_                                                         = []qat.Option{qat.WithPooling(qat.LastTimestep), qat.WithPooling(qat.Mean), qat.WithPooling(qat.AllTimesteps)}
	_                                                         = []qat.Option{qat.WithPositions(qat.NoPositions), qat.WithPositions(qat.Rotary), qat.WithPositions(qat.Learned)}
)

func TestBuildDefaults(t *testing.T) {
	m, err := qat.Build(G.NewGraph(), qat.WithEmbedDim(256))
	require.NoError(t, err)

	var want map[string]struct {
		Count  int
		Params []struct {
			Layer, Param string
			Shape        []int
		}
	}
	require.NoError(t, json.Unmarshal(readFile(t, "testdata/edifice/default_model.json"), &want))
	reference := want["default_embed256"]
	require.Equal(t, 3_159_552, reference.Count)

	shapes := map[string][]int{}
	total := 0
	for _, p := range m.Params() {
		shapes[p.Name] = p.Node.Shape()
		total += p.Node.Shape().TotalSize()
	}
	assert.Equal(t, reference.Count, total)
	assert.Len(t, shapes, len(reference.Params))
	for _, p := range reference.Params {
		assert.Equal(t, p.Shape, shapes[edificeName(t, p.Layer+"/"+p.Param)], p.Layer+"/"+p.Param)
	}
	assert.Equal(t, tensor.Shape{1, 60, 256}, m.Input().Shape())
	assert.Equal(t, tensor.Shape{1, 256}, m.Output().Shape())

	defaults := qat.RecommendedDefaults()
	assert.Equal(t, spec.Model{HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: qat.Ternary, Dropout: 0.1}, defaults)
	assert.Contains(t, fmt.Sprint(defaults), "hidden 256, heads 4, layers 4, window 60, ternary weights, int8 activations, dropout 0.1")
	defaults.EmbedDim = 256
	assert.Equal(t, defaults, m.Spec())
}

// Names, shapes and order of a model's parameters, which files and solvers use.
func TestParamNames(t *testing.T) {
	m, err := qat.Build(G.NewGraph(), qat.WithEmbedDim(11), qat.WithHiddenSize(26), qat.WithNumHeads(2),
		qat.WithNumLayers(2), qat.WithWindowSize(13), qat.WithPositions(qat.Learned), qat.WithName("m"), qat.WithQuantize(qat.Int4))
	require.NoError(t, err)
	var got []string
	for _, p := range m.Params() {
		got = append(got, fmt.Sprint(strings.TrimPrefix(p.Name, "m."), p.Node.Shape(), p.Mode))
		assert.Equal(t, p.Name, p.Node.Name())
	}
	want := []string{"input_projection.weight(11, 26) float", "input_projection.bias(26) float", "positions.weight(13, 26) float"}
	for i := range 2 {
		for _, s := range []string{
			"attn_norm.weight(26) float", "attn_norm.bias(26) float",
			"attn.qkv.weight(26, 78) int4", "attn.qkv.bias(78) float", "attn.out.weight(26, 26) int4", "attn.out.bias(26) float",
			"ffn_norm.weight(26) float", "ffn_norm.bias(26) float",
			"ffn.up.weight(26, 104) int4", "ffn.up.bias(104) float", "ffn.down.weight(104, 26) int4", "ffn.down.bias(26) float",
		} {
			want = append(want, fmt.Sprintf("blocks.%d.%s", i, s))
		}
	}
	want = append(want, "final_norm.weight(26) float", "final_norm.bias(26) float")
	assert.Equal(t, want, got)

	nodes := m.Learnables()
	require.Len(t, nodes, len(want))
	for i, p := range m.Params() {
		assert.Same(t, p.Node, nodes[i])
	}

	g := G.NewGraph()
	head, err := qat.Dense(random(g, 1, "x", 11, 13), 17, qat.WithName("head"))
	require.NoError(t, err)
	assert.Equal(t, "head.weight", head.Params()[0].Name)
	assert.Equal(t, "head.bias", head.Params()[1].Name)
	assert.Equal(t, tensor.Shape{13, 17}, head.Params()[0].Node.Shape())
}

func TestInitialValues(t *testing.T) {
	m, err := qat.Build(G.NewGraph(), qat.WithEmbedDim(11), qat.WithHiddenSize(64), qat.WithNumLayers(1))
	require.NoError(t, err)
	each := func(name string, check func(v float32) bool) {
		values, err := m.ParamValue(name)
		require.NoError(t, err)
		for i, v := range values {
			require.Truef(t, check(v), "%s: element %d is %v", name, i, v)
		}
	}
	each("final_norm.weight", func(v float32) bool { return v == 1 })
	each("final_norm.bias", func(v float32) bool { return v == 0 })
	each("blocks.0.attn.qkv.bias", func(v float32) bool { return v == 0 })
	// Glorot-uniform: within sqrt(6/(in+out)), and mean |w| half of that.
	const limit = 0.15309311 // sqrt(6/256)
	each("blocks.0.attn.qkv.weight", func(v float32) bool { return v >= -limit && v <= limit })
	values, err := m.ParamValue("blocks.0.attn.qkv.weight")
	require.NoError(t, err)
	var sum float64
	for _, v := range values {
		sum += max(float64(v), -float64(v))
	}
	const meanTolerance = 0.02 // 4 standard errors of 12,288 uniform numbers
	assert.InEpsilon(t, limit/2, sum/float64(len(values)), meanTolerance)
}

func TestOutputShape(t *testing.T) {
	for pooling, want := range map[spec.Pooling]tensor.Shape{
		qat.LastTimestep: {11, 26}, qat.Mean: {11, 26}, qat.AllTimesteps: {11, 13, 26},
	} {
		t.Run(pooling.String(), func(t *testing.T) {
			options := []qat.Option{qat.WithEmbedDim(17), qat.WithBatchSize(11), qat.WithWindowSize(13),
				qat.WithHiddenSize(26), qat.WithNumHeads(2), qat.WithNumLayers(1), qat.WithPooling(pooling)}
			m, err := qat.Build(G.NewGraph(), options...)
			require.NoError(t, err)
			assert.Equal(t, want, m.Output().Shape())
			assert.Equal(t, 26, qat.OutputSize(options...))
			let(t, m.Input(), numbers(1, 11*13*17))
			assert.Len(t, forward(t, m.Output()), want.TotalSize())
		})
	}
	assert.Equal(t, 256, qat.OutputSize())
}

// A spec taken from a model, through JSON, builds the same model; later options win.
func TestWithSpec(t *testing.T) {
	m, err := qat.Build(G.NewGraph(), qat.WithEmbedDim(11), qat.WithHiddenSize(22), qat.WithNumHeads(1), qat.WithNumLayers(1),
		qat.WithWindowSize(13), qat.WithQuantize(qat.Binary), qat.WithSTE(qat.Clipped), qat.WithActivations(qat.FloatActivations),
		qat.WithPooling(qat.Mean), qat.WithPositions(qat.Rotary), qat.WithDropout(0),
		qat.WithGranularity(qat.PerChannel), qat.WithLayerMode("*.ffn.*", qat.Ternary), qat.WithLayerMode("*.up", qat.Float))
	require.NoError(t, err)
	text, err := json.Marshal(m.Spec())
	require.NoError(t, err)
	var s spec.Model
	require.NoError(t, json.Unmarshal(text, &s))
	assert.Equal(t, m.Spec(), s)
	again, err := qat.Build(G.NewGraph(), qat.WithSpec(s))
	require.NoError(t, err)
	assert.Equal(t, m.Spec(), again.Spec())
	for i, p := range again.Params() {
		was := m.Params()[i]
		assert.Equal(t, was.Name, p.Name)
		requireBits(t, p.Name, ok(again.ParamValue(p.Name)), ok(m.ParamValue(was.Name)))
	}
	later, err := qat.Build(G.NewGraph(), qat.WithSpec(s), qat.WithHiddenSize(24))
	require.NoError(t, err)
	assert.Equal(t, 24, later.Spec().HiddenSize)
	assert.Equal(t, 24, qat.OutputSize(qat.WithSpec(s), qat.WithHiddenSize(24)))
}

func TestSetParam(t *testing.T) {
	m, err := qat.Build(G.NewGraph(), qat.WithEmbedDim(12), qat.WithHiddenSize(12), qat.WithNumLayers(1))
	require.NoError(t, err)
	const name = "blocks.0.ffn.up.weight"
	values := numbers(1, 12*48)
	given := append([]float32(nil), values...)
	require.NoError(t, m.SetParam(name, given))
	given[0] = 77 // SetParam copied
	got, err := m.ParamValue(name)
	require.NoError(t, err)
	requireBits(t, name, got, values)
	got[1] = 78 // and ParamValue copies
	requireBits(t, name, ok(m.ParamValue(name)), values)

	_, err = m.ParamValue("nothing")
	require.ErrorContains(t, err, `no parameter "nothing"`)
	require.ErrorContains(t, m.SetParam("nothing", values), `no parameter "nothing"`)
	require.ErrorContains(t, m.SetParam(name, values[1:]), name+": 575 values, want 576 for shape (12, 48)")
	requireBits(t, name, ok(m.ParamValue(name)), values)
}

func TestModeText(t *testing.T) {
	for _, mode := range modes {
		text, err := mode.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, mode.String(), string(text))
		var back qat.Mode
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, mode, back)
		parsed, err := qat.ParseMode(strings.ToUpper(mode.String()))
		require.NoError(t, err)
		assert.Equal(t, mode, parsed)
	}
	_, err := qat.ParseMode("int3")
	require.ErrorContains(t, err, `"int3"`)
	_, err = qat.Mode(9).MarshalText()
	require.ErrorContains(t, err, "9")
}
