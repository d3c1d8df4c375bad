package qat_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// badCase is a call that has to fail with every one of the wanted texts in one
// error, leaving the graph as it was.
type badCase struct {
	name string
	call func(g *G.ExprGraph) error
	want []string
}

func build(options ...qat.Option) func(*G.ExprGraph) error {
	return func(g *G.ExprGraph) error { _, err := qat.Build(g, options...); return err }
}

// node returns the one that setUp left in g.
func node(g *G.ExprGraph, name string) *G.Node { return g.ByName(name)[0] }

func setUp() *G.ExprGraph {
	g := G.NewGraph()
	placeholder(g, "x", 11, 13, 22)
	placeholder(g, "x2", 11, 13)
	placeholder(g, "x4", 1, 2, 3, 4)
	placeholder(g, "y", 11)
	placeholder(g, "short", 3)
	placeholder(g, "blocks.0.ffn.up.weight", 2, 2)
	placeholder(g, "input", 2, 2)
	placeholder(g, "taken.weight", 2, 2)
	G.NewTensor(g, tensor.Float64, 3, G.WithShape(11, 13, 22), G.WithName("x64"))
	G.NewScalar(g, tensor.Float32, G.WithName("scalar"))
	return g
}

func runBadCases(t *testing.T, cases []badCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := setUp()
			before := len(g.AllNodes())
			var err error
			require.NotPanics(t, func() { err = c.call(g) })
			require.Error(t, err)
			for _, want := range c.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.Equal(t, 1, strings.Count(err.Error(), "qat: "), "one error: %v", err)
			assert.Len(t, g.AllNodes(), before, "nodes were added")
		})
	}
}

// tampered is a model whose last parameter has another node.
type tampered struct {
	*qat.Model
	last *G.Node
}

func (s tampered) Params() []qat.Param {
	params := s.Model.Params()
	params[len(params)-1].Node = s.last
	return params
}

func TestBuildBadInput(t *testing.T) {
	e := qat.WithEmbedDim(11)
	elsewhere := random(G.NewGraph(), 1, "x", 11, 13, 22)
	other := ok(qat.Build(G.NewGraph(), e, qat.WithNumLayers(1)))
	withInput := func(name string, options ...qat.Option) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error { return build(append(options, qat.WithInput(node(g, name)))...)(g) }
	}
	withLengths := func(name string) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error {
			return build(qat.WithInput(node(g, "x")), qat.WithNumHeads(2), qat.WithLengths(node(g, name)))(g)
		}
	}
	runBadCases(t, []badCase{
		{"nothing", build(), []string{"WithEmbedDim or WithInput is missing"}},
		{"embed_0", build(qat.WithEmbedDim(0)), []string{"WithEmbedDim", "0"}},
		{"embed_negative", build(qat.WithEmbedDim(-3)), []string{"WithEmbedDim: embed size -3 is outside 1..32768"}},
		{"hidden", build(e, qat.WithHiddenSize(-7)), []string{"WithHiddenSize: hidden size -7 is outside 1..32768"}},
		{"hidden_huge", build(e, qat.WithHiddenSize(1<<40)), []string{"WithHiddenSize: hidden size 1099511627776"}},
		{"heads", build(e, qat.WithNumHeads(0)), []string{"WithNumHeads: number of heads 0"}},
		{"heads_divide", build(e, qat.WithHiddenSize(96), qat.WithNumHeads(5)), []string{"WithNumHeads: hidden size 96 is not a multiple of 5 heads"}},
		{"layers", build(e, qat.WithNumLayers(0)), []string{"WithNumLayers: number of layers 0"}},
		{"window", build(e, qat.WithWindowSize(-1)), []string{"WithWindowSize: window -1"}},
		{"batch", build(e, qat.WithBatchSize(0)), []string{"WithBatchSize: batch size 0"}},
		{"batch_huge", build(e, qat.WithBatchSize(1<<50)), []string{"WithBatchSize", "more than"}},
		{"source_empty_node", build(e, qat.WithName("m"), qat.WithNumLayers(1), qat.WithParamsFrom(tampered{other, nil})), []string{"WithParamsFrom: final_norm.bias has no node"}},
		{"source_no_value", build(e, qat.WithName("m"), qat.WithNumLayers(1), qat.WithParamsFrom(tampered{other, placeholder(G.NewGraph(), "final_norm.bias", 256)})), []string{"WithParamsFrom: final_norm.bias holds no float32 values"}},
		{"too_many_parameters", build(e, qat.WithHiddenSize(16384), qat.WithNumHeads(1), qat.WithNumLayers(1), qat.WithWindowSize(2)), []string{"WithHiddenSize, WithNumLayers: the model has 3221667840 parameters, more than 1073741824"}},
		{"too_many_layers", build(e, qat.WithNumLayers(32768)), []string{"parameters, more than"}},
		{"float_int8", build(e, qat.WithQuantize(qat.Float), qat.WithActivations(qat.Int8Activations)), []string{"WithActivations: int8 activations are for quantized weights"}},
		{"batch_and_input", withInput("x2", qat.WithBatchSize(0)), []string{"WithBatchSize: batch size 0", "WithInput: a node of shape (11, 13), want 3 axes"}},
		{"batch_and_embed", build(qat.WithBatchSize(-1)), []string{"WithBatchSize: batch size -1", "WithEmbedDim or WithInput is missing"}},
		{"spec_window", withInput("x", qat.WithSpec(qat.RecommendedDefaults())), []string{"WithSpec: window 60, but the input node has 13"}},
		{"name_and_dropout", build(e, qat.WithDropout(3)), []string{`the graph has a node "blocks.0.ffn.up.weight" already`, "WithDropout: dropout 3"}},
		{"dropout_1", build(e, qat.WithDropout(1)), []string{"WithDropout: dropout 1 is outside [0, 1)"}},
		{"dropout_negative", build(e, qat.WithDropout(-0.1)), []string{"WithDropout: dropout -0.1"}},
		{"dropout_nan", build(e, qat.WithDropout(math.NaN())), []string{"WithDropout: dropout NaN"}},
		{"mode", build(e, qat.WithQuantize(9)), []string{"WithQuantize: unknown mode 9"}},
		{"granularity", build(e, qat.WithGranularity(9)), []string{"WithGranularity: unknown granularity 9: want one of tensor, channel"}},
		{"edifice_channel", build(e, qat.WithNumerics(qat.Edifice), qat.WithGranularity(qat.PerChannel)), []string{"WithGranularity: the Edifice numerics have one scale a weight"}},
		{"layer_mode", build(e, qat.WithLayerMode("*", 9)), []string{`WithLayerMode: pattern "*": unknown mode 9`}},
		{"layer_pattern", build(e, qat.WithLayerMode("blocks.[", qat.Int8)), []string{`WithLayerMode: pattern "blocks.[": syntax error in pattern`}},
		{"layer_none", build(e, qat.WithName("m"), qat.WithLayerMode("m.blocks.0.*", qat.Int8), qat.WithLayerMode("head", qat.Int8)), []string{
			`WithLayerMode: pattern "m.blocks.0.*": no layer has such a name: want one of blocks.0.attn.qkv to blocks.3.ffn.down`, `pattern "head"`}},
		{"layer_float_int8", build(e, qat.WithLayerMode("*", qat.Float), qat.WithActivations(qat.Int8Activations)), []string{"WithActivations: int8 activations are for quantized weights"}},
		{"layer_clipped", build(e, qat.WithSTE(qat.Clipped), qat.WithLayerMode("*.up", qat.Int4)), []string{"WithSTE: the clipped estimator is for binary and ternary weights, not int4 as blocks.0.ffn.up has"}},
		{"numerics", build(e, qat.WithNumerics(9)), []string{"unknown numerics 9"}},
		{"activations", build(e, qat.WithActivations(9)), []string{"unknown activations 9"}},
		{"ste", build(e, qat.WithSTE(9)), []string{"unknown ste 9"}},
		{"pooling", build(e, qat.WithPooling(9)), []string{"unknown pooling 9"}},
		{"positions", build(e, qat.WithPositions(9)), []string{"unknown positions 9"}},
		{"edifice_int8", build(e, qat.WithNumerics(qat.Edifice), qat.WithActivations(qat.Int8Activations)), []string{"WithActivations: int8 activations do not exist in the Edifice numerics"}},
		{"clipped_int4", build(e, qat.WithSTE(qat.Clipped), qat.WithQuantize(qat.Int4)), []string{"WithSTE: the clipped estimator is for binary and ternary weights, not int4"}},
		{"rotary_odd", build(e, qat.WithPositions(qat.Rotary), qat.WithHiddenSize(22), qat.WithNumHeads(2)), []string{"WithPositions", "even head size", "22/2 = 11"}},
		{"nil_option", build(e, nil), []string{"an option is nil"}},
		{"input_nil", build(qat.WithInput(nil)), []string{"WithInput: the node is nil"}},
		{"input_axes", withInput("x2"), []string{"WithInput: a node of shape (11, 13)"}},
		{"input_float64", withInput("x64"), []string{"WithInput", "want a float32 tensor"}},
		{"input_scalar", withInput("scalar"), []string{"WithInput"}},
		{"input_elsewhere", build(qat.WithInput(elsewhere)), []string{"WithInput: the node is in another graph"}},
		{"input_differs", withInput("x", qat.WithBatchSize(3), qat.WithWindowSize(5), e), []string{
			"WithBatchSize: batch size 3, but the input node has 11", "WithWindowSize: window 5, but the input node has 13", "WithEmbedDim: embed size 11, but the input node has 22"}},
		{"lengths_nil", build(e, qat.WithLengths(nil)), []string{"WithLengths: the node is nil"}},
		{"lengths_axes", withLengths("x2"), []string{"WithLengths: a node of shape (11, 13)"}},
		{"lengths_count", withLengths("short"), []string{"WithLengths: 3 lengths for a batch of 11"}},
		{"lengths_elsewhere", build(e, qat.WithLengths(random(G.NewGraph(), 1, "n", 1))), []string{"WithLengths: the node is in another graph"}},
		{"source_nil", build(e, qat.WithParamsFrom(nil)), []string{"WithParamsFrom: the source is nil"}},
		{"source_nil_model", build(e, qat.WithParamsFrom((*qat.Model)(nil))), []string{"WithParamsFrom: the source is nil"}},
		{"source_count", build(e, qat.WithName("m"), qat.WithParamsFrom(other)), []string{"WithParamsFrom: the source has 16 parameters, want 52"}},
		{"source_shape", build(e, qat.WithName("m"), qat.WithNumLayers(1), qat.WithHiddenSize(64), qat.WithParamsFrom(other)), []string{"WithParamsFrom: input_projection.weight has shape (11, 256), want [11 64]"}},
		{"name_taken", build(e), []string{`WithName: the graph has a node "blocks.0.ffn.up.weight" already`, `"input"`}},
		{"spec", build(qat.WithSpec(spec.Model{EmbedDim: 3})), []string{"WithHiddenSize", "WithNumHeads", "WithNumLayers", "WithWindowSize"}},
		{"many", build(qat.WithHiddenSize(0), qat.WithNumHeads(-1), qat.WithNumLayers(0), qat.WithWindowSize(0), qat.WithBatchSize(-4), qat.WithDropout(2),
			qat.WithQuantize(77), qat.WithEmbedDim(-1), qat.WithPooling(5), qat.WithPositions(6), qat.WithNumerics(7), qat.WithActivations(8), qat.WithSTE(9), nil, qat.WithLengths(nil)), []string{
			"WithHiddenSize", "WithNumHeads", "WithNumLayers", "WithWindowSize", "WithBatchSize", "WithDropout", "WithQuantize", "WithEmbedDim",
			"pooling 5", "positions 6", "numerics 7", "activations 8", "ste 9", "an option is nil", "WithLengths"}},
		{"nil_graph", func(*G.ExprGraph) error { return build(e)(nil) }, []string{"the graph is nil"}},
	})
}

func TestLayerBadInput(t *testing.T) {
	quantLinear := func(x string, out int, options ...qat.Option) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error { _, err := qat.QuantLinear(node(g, x), out, options...); return err }
	}
	dense := func(x string, out int, options ...qat.Option) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error { _, err := qat.Dense(node(g, x), out, options...); return err }
	}
	block := func(x string, options ...qat.Option) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error { _, err := qat.Block(node(g, x), options...); return err }
	}
	fake := func(x string, mode qat.Mode, options ...qat.Option) func(*G.ExprGraph) error {
		return func(g *G.ExprGraph) error { _, err := qat.FakeQuantize(node(g, x), mode, options...); return err }
	}
	h2 := qat.WithNumHeads(2)
	runBadCases(t, []badCase{
		{"QuantLinear/nil", func(*G.ExprGraph) error { _, err := qat.QuantLinear(nil, 3); return err }, []string{"QuantLinear: x: the node is nil"}},
		{"QuantLinear/out", quantLinear("x", 0), []string{"outFeatures 0 is not positive"}},
		{"QuantLinear/out_huge", quantLinear("x", 1<<60), []string{"outFeatures", "more than"}},
		{"QuantLinear/axes", quantLinear("x4", 3), []string{"x: a node of shape (1, 2, 3, 4)"}},
		{"QuantLinear/vector", quantLinear("y", 3), []string{"x: a node of shape (11)"}},
		{"QuantLinear/scalar", quantLinear("scalar", 3), []string{"x: a node of type float32"}},
		{"QuantLinear/float64", quantLinear("x64", 3), []string{"want a float32 tensor"}},
		{"QuantLinear/name", quantLinear("x", 3, qat.WithName("taken")), []string{`WithName: the graph has a node "taken.weight" already`}},
		{"QuantLinear/edifice", quantLinear("x", 3, qat.WithNumerics(qat.Edifice), qat.WithActivations(qat.Int8Activations)), []string{"WithActivations"}},
		{"QuantLinear/many", quantLinear("x4", -1, qat.WithQuantize(9), nil), []string{"outFeatures -1", "x:", "WithQuantize", "an option is nil"}},
		{"Dense/out", dense("x", -2), []string{"Dense: ", "outFeatures -2 is not positive"}},
		{"Dense/out_huge", dense("x", 1<<60), []string{"outFeatures", "more than"}},
		{"Dense/nil", func(*G.ExprGraph) error { _, err := qat.Dense(nil, 3); return err }, []string{"x: the node is nil"}},
		{"Dense/name", dense("x", 3, qat.WithName("taken")), []string{"taken.weight"}},
		{"Block/nil", func(*G.ExprGraph) error { _, err := qat.Block(nil); return err }, []string{"x: the node is nil"}},
		{"Block/axes", block("x2"), []string{"x: a node of shape (11, 13)"}},
		{"Block/heads", block("x"), []string{"WithNumHeads: hidden size 22 is not a multiple of 4 heads"}},
		{"Block/hidden", block("x", h2, qat.WithHiddenSize(24)), []string{"WithHiddenSize: hidden size 24, but x has 22"}},
		{"Block/learned", block("x", h2, qat.WithPositions(qat.Learned)), []string{"WithPositions: learned positions"}},
		{"Block/layer_none", block("x", h2, qat.WithLayerMode("blocks.0.*", qat.Int8)), []string{`WithLayerMode: pattern "blocks.0.*": no layer has such a name: want one of block.attn.qkv to block.ffn.down`}},
		{"Block/dropout", block("x", h2, qat.WithDropout(1.5)), []string{"WithDropout"}},
		{"Block/lengths", func(g *G.ExprGraph) error {
			_, err := qat.Block(node(g, "x"), h2, qat.WithLengths(node(g, "short")))
			return err
		}, []string{"WithLengths: 3 lengths for a batch of 11"}},
		{"FakeQuantize/nil", func(*G.ExprGraph) error { _, err := qat.FakeQuantize(nil, qat.Ternary); return err }, []string{"weight: the node is nil"}},
		{"FakeQuantize/mode", fake("x", 9), []string{"WithQuantize: unknown mode 9"}},
		{"FakeQuantize/clipped", fake("x", qat.Int8, qat.WithSTE(qat.Clipped)), []string{"WithSTE"}},
		{"FakeQuantize/granularity", fake("x", qat.Int8, qat.WithGranularity(9)), []string{"WithGranularity: unknown granularity 9"}},
		{"FakeQuantize/edifice", fake("x", qat.Int8, qat.WithNumerics(qat.Edifice), qat.WithGranularity(qat.PerChannel)), []string{"WithGranularity: the Edifice"}},
		{"FakeQuantize/scalar", fake("scalar", qat.Int8), []string{"weight: a node of type float32"}},
		{"CrossEntropy/nil", func(*G.ExprGraph) error { _, err := qat.CrossEntropy(nil, nil); return err }, []string{"logits: the node is nil", "labels: the node is nil"}},
		{"CrossEntropy/count", func(g *G.ExprGraph) error { _, err := qat.CrossEntropy(node(g, "x2"), node(g, "short")); return err }, []string{"labels: shape (3), want (11)"}},
		{"CrossEntropy/axes", func(g *G.ExprGraph) error { _, err := qat.CrossEntropy(node(g, "x"), node(g, "x2")); return err }, []string{"logits: a node of shape", "labels: a node of shape"}},
		{"CrossEntropy/elsewhere", func(g *G.ExprGraph) error {
			_, err := qat.CrossEntropy(node(g, "x2"), placeholder(G.NewGraph(), "y", 11))
			return err
		}, []string{"labels: the node is in another graph"}},
		{"MeanSquaredError/nil", func(*G.ExprGraph) error { _, err := qat.MeanSquaredError(nil, nil); return err }, []string{"predictions: the node is nil", "targets: the node is nil"}},
		{"MeanSquaredError/shape", func(g *G.ExprGraph) error { _, err := qat.MeanSquaredError(node(g, "x"), node(g, "x2")); return err }, []string{"targets: shape (11, 13), want (11, 13, 22)"}},
		{"MeanSquaredError/elsewhere", func(g *G.ExprGraph) error {
			_, err := qat.MeanSquaredError(node(g, "y"), placeholder(G.NewGraph(), "y", 11))
			return err
		}, []string{"targets: the node is in another graph"}},
	})
}

// An option that means nothing to a builder is an error that says so.
func TestMeaninglessOptions(t *testing.T) {
	n := random(G.NewGraph(), 1, "n", 11)
	options := map[string]qat.Option{
		"WithEmbedDim": qat.WithEmbedDim(22), "WithHiddenSize": qat.WithHiddenSize(22), "WithNumHeads": qat.WithNumHeads(2),
		"WithNumLayers": qat.WithNumLayers(1), "WithQuantize": qat.WithQuantize(qat.Int8), "WithDropout": qat.WithDropout(0.5),
		"WithWindowSize": qat.WithWindowSize(13), "WithBatchSize": qat.WithBatchSize(11), "WithInput": qat.WithInput(n),
		"WithLengths": qat.WithLengths(n), "WithName": qat.WithName("m"), "WithSeed": qat.WithSeed(1),
		"WithNumerics": qat.WithNumerics(qat.BitNet), "WithActivations": qat.WithActivations(qat.FloatActivations),
		"WithSTE": qat.WithSTE(qat.Identity), "WithPooling": qat.WithPooling(qat.Mean), "WithPositions": qat.WithPositions(qat.NoPositions),
		"WithSpec": qat.WithSpec(qat.RecommendedDefaults()), "WithParamsFrom": qat.WithParamsFrom((*qat.Layer)(nil)),
		"WithLayerMode": qat.WithLayerMode("*", qat.Int8), "WithGranularity": qat.WithGranularity(qat.PerChannel),
	}
	meant := map[string][]string{
		"Dense":        {"WithName", "WithSeed", "WithParamsFrom"},
		"QuantLinear":  {"WithName", "WithSeed", "WithParamsFrom", "WithQuantize", "WithGranularity", "WithNumerics", "WithActivations", "WithSTE"},
		"FakeQuantize": {"WithName", "WithGranularity", "WithNumerics", "WithSTE"},
		"Block": {"WithName", "WithSeed", "WithParamsFrom", "WithQuantize", "WithNumerics", "WithActivations", "WithSTE",
			"WithHiddenSize", "WithNumHeads", "WithDropout", "WithPositions", "WithLengths", "WithLayerMode", "WithGranularity"},
	}
	builders := map[string]func(x *G.Node, o qat.Option) error{
		"Dense":        func(x *G.Node, o qat.Option) error { _, err := qat.Dense(x, 3, o); return err },
		"QuantLinear":  func(x *G.Node, o qat.Option) error { _, err := qat.QuantLinear(x, 3, o); return err },
		"FakeQuantize": func(x *G.Node, o qat.Option) error { _, err := qat.FakeQuantize(x, qat.Int4, o); return err },
		"Block":        func(x *G.Node, o qat.Option) error { _, err := qat.Block(x, o); return err },
	}
	for builder, call := range builders {
		for name, option := range options {
			g := setUp()
			before := len(g.AllNodes())
			err := call(node(g, "x"), option)
			message := name + " means nothing to " + builder
			if slices.Contains(meant[builder], name) {
				if err != nil {
					assert.NotContains(t, err.Error(), "means nothing")
				}
				continue
			}
			require.Error(t, err, message)
			assert.Contains(t, err.Error(), message)
			assert.Len(t, g.AllNodes(), before, message)
		}
	}
}

// A parameter that is not finite, however it got there, is an error that names it.
func TestNotFiniteParam(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	for _, bad := range []float32{nan, inf, -inf} {
		for _, mode := range modes {
			m := ok(qat.Build(G.NewGraph(), qat.WithEmbedDim(11), qat.WithHiddenSize(26), qat.WithNumHeads(2), qat.WithNumLayers(1),
				qat.WithBatchSize(3), qat.WithWindowSize(5), qat.WithPositions(qat.Learned), qat.WithQuantize(mode)))
			let(t, m.Input(), numbers(1, 3*5*11))
			for _, p := range m.Params() {
				values := ok(m.ParamValue(p.Name))
				at, place := len(values)-2, "element [" // in the last row, the last but one
				was := values[at]
				values[at] = bad
				err := m.SetParam(p.Name, values)
				require.ErrorIs(t, err, quant.ErrNotFinite)
				assert.Contains(t, err.Error(), p.Name)
				assert.Contains(t, err.Error(), place)

				data := p.Node.Value().Data().([]float32)
				require.Equal(t, was, data[at], "SetParam changed it")
				data[at] = bad
				_, err = tryForward(m.Output())
				require.Error(t, err, "%s %v", p.Name, mode)
				assert.Contains(t, err.Error(), p.Name)
				assert.Contains(t, err.Error(), "not a finite number")
				data[at] = was
			}
			_, err := tryForward(m.Output())
			require.NoError(t, err)
		}
	}
}

// So is an input; the error has its coordinates.
func TestNotFiniteInput(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		values := numbers(1, 3*11*26)
		values[(2*11+7)*26+5] = bad
		values[(2*11+7)*26+6] = bad
		for _, mode := range modes {
			for name, add := range map[string]func(x *G.Node) (*qat.Layer, error){
				"Dense":       func(x *G.Node) (*qat.Layer, error) { return qat.Dense(x, 13) },
				"QuantLinear": func(x *G.Node) (*qat.Layer, error) { return qat.QuantLinear(x, 13, qat.WithQuantize(mode)) },
				"QuantLinear_edifice": func(x *G.Node) (*qat.Layer, error) {
					return qat.QuantLinear(x, 13, qat.WithQuantize(mode), qat.WithNumerics(qat.Edifice))
				},
				"Block": func(x *G.Node) (*qat.Layer, error) {
					return qat.Block(x, qat.WithNumHeads(2), qat.WithQuantize(mode))
				},
				"Build": func(x *G.Node) (*qat.Layer, error) {
					m, err := qat.Build(x.Graph(), qat.WithInput(x), qat.WithNumHeads(2), qat.WithHiddenSize(22), qat.WithQuantize(mode))
					return &m.Layer, err
				},
			} {
				x := placeholder(G.NewGraph(), "x", 3, 11, 26)
				let(t, x, values)
				_, err := tryForward(ok(add(x)).Output())
				require.Error(t, err, "%s %v", name, mode)
				assert.Contains(t, err.Error(), "input: element [2 7 5] is", name)
				assert.Contains(t, err.Error(), "not a finite number", name)
			}
		}
	}
}

func TestBadLabels(t *testing.T) {
	g := G.NewGraph()
	x, y := random(g, 1, "x", 11, 13), placeholder(g, "y", 11)
	loss := ok(qat.CrossEntropy(x, y))
	for _, bad := range []float64{-1, 13, 0.5, math.NaN(), math.Inf(1), 1e30} {
		labels := make([]float32, 11)
		labels[7] = float32(bad)
		let(t, y, labels)
		_, err := tryForward(loss)
		require.Error(t, err, "%v", bad)
		assert.Contains(t, err.Error(), "labels: element 7 is")
		assert.Contains(t, err.Error(), "want a whole number from 0 to 12")
	}
	let(t, y, make([]float32, 11))
	x.Value().Data().([]float32)[5*13+3] = float32(math.NaN())
	_, err := tryForward(loss)
	require.ErrorContains(t, err, "logits: element [5 3] is NaN")
}

func TestBadTargets(t *testing.T) {
	g := G.NewGraph()
	x, y := random(g, 1, "x", 11, 13), random(g, 2, "y", 11, 13)
	loss := ok(qat.MeanSquaredError(x, y))
	y.Value().Data().([]float32)[5*13+3] = float32(math.Inf(1))
	_, err := tryForward(loss)
	require.ErrorContains(t, err, "targets: element [5 3] is +Inf")
}
