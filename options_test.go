package qat_test

import (
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

func modesOf(params []qat.Param) map[string]qat.Mode {
	modes := map[string]qat.Mode{}
	for _, p := range params {
		if p.Mode != qat.Float {
			modes[p.Name] = p.Mode
		}
	}
	return modes
}

// Patterns are for a model's layers without its name, and for a block's with it.
func TestWithLayerMode(t *testing.T) {
	options := []qat.Option{qat.WithName("m"), qat.WithHiddenSize(22), qat.WithNumHeads(2), qat.WithQuantize(qat.Int4)}
	m, err := qat.Build(G.NewGraph(), append(options, qat.WithEmbedDim(11), qat.WithNumLayers(2),
		qat.WithLayerMode("blocks.1.*", qat.Int8), qat.WithLayerMode("*.ffn.*", qat.Binary), qat.WithLayerMode("blocks.0.ffn.up", qat.Float))...)
	require.NoError(t, err)
	assert.Equal(t, map[string]qat.Mode{
		"m.blocks.0.attn.qkv.weight": qat.Int4, "m.blocks.0.attn.out.weight": qat.Int4, "m.blocks.0.ffn.down.weight": qat.Binary,
		"m.blocks.1.attn.qkv.weight": qat.Int8, "m.blocks.1.attn.out.weight": qat.Int8,
		"m.blocks.1.ffn.up.weight": qat.Binary, "m.blocks.1.ffn.down.weight": qat.Binary,
	}, modesOf(m.Params()))
	assert.Equal(t, "int4,blocks.1.*=int8,*.ffn.*=binary,blocks.0.ffn.up=float", m.Spec().WeightModes())

	b, err := qat.Block(random(G.NewGraph(), 1, "x", 3, 11, 22), append(options, qat.WithLayerMode("m.attn.*", qat.Ternary))...)
	require.NoError(t, err)
	assert.Equal(t, map[string]qat.Mode{
		"m.attn.qkv.weight": qat.Ternary, "m.attn.out.weight": qat.Ternary, "m.ffn.up.weight": qat.Int4, "m.ffn.down.weight": qat.Int4,
	}, modesOf(b.Params()))
}

// A layer computes by its own mode: with every layer's given, what WithQuantize says
// changes nothing.
func TestLayerModeComputes(t *testing.T) {
	run := func(options ...qat.Option) []float32 {
		m := ok(qat.Build(G.NewGraph(), append(options, qat.WithEmbedDim(17), qat.WithHiddenSize(22), qat.WithNumHeads(2), qat.WithNumLayers(2),
			qat.WithWindowSize(13), qat.WithActivations(qat.Int8Activations))...))
		m.SetTraining(false)
		let(t, m.Input(), numbers(1, 13*17))
		return forward(t, m.Output())
	}
	seen := map[float32]qat.Mode{}
	for _, mode := range quantized {
		for _, other := range modes {
			requireBits(t, mode.String(), run(qat.WithQuantize(other), qat.WithLayerMode("*", mode)), run(qat.WithQuantize(mode)))
		}
		y := run(qat.WithQuantize(mode))[0]
		assert.NotContains(t, seen, y, "%v and %v compute the same", mode, seen[y])
		seen[y] = mode
	}
}

// Float activations are implied where every layer is float, and only there.
func TestImpliedActivations(t *testing.T) {
	for name, c := range map[string]struct {
		options []qat.Option
		want    spec.Activations
	}{
		"default":           {nil, qat.Int8Activations},
		"float":             {[]qat.Option{qat.WithQuantize(qat.Float)}, qat.FloatActivations},
		"every layer":       {[]qat.Option{qat.WithLayerMode("*", qat.Float)}, qat.FloatActivations},
		"some layers":       {[]qat.Option{qat.WithLayerMode("*.ffn.*", qat.Float)}, qat.Int8Activations},
		"float but for one": {[]qat.Option{qat.WithQuantize(qat.Float), qat.WithLayerMode("*.0.ffn.up", qat.Int8)}, qat.Int8Activations},
		"asked for":         {[]qat.Option{qat.WithActivations(qat.FloatActivations)}, qat.FloatActivations},
	} {
		m, err := qat.Build(G.NewGraph(), append(c.options, qat.WithEmbedDim(11), qat.WithNumLayers(2))...)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, m.Spec().Activations, name)
	}
	_, err := qat.Block(random(G.NewGraph(), 1, "x", 3, 11, 44), qat.WithLayerMode("block.*", qat.Float))
	require.NoError(t, err, "a block of float layers")
	_, err = qat.Block(random(G.NewGraph(), 1, "x", 3, 11, 44), qat.WithLayerMode("block.*", qat.Float), qat.WithActivations(qat.Int8Activations))
	require.ErrorContains(t, err, "WithActivations: int8 activations")
}

// Options can be used again, and a spec that was given is not changed.
func TestLayerModesAreCopied(t *testing.T) {
	given := make([]spec.LayerMode, 1, 8)
	given[0] = spec.LayerMode{Pattern: "*.ffn.*", Mode: qat.Int8}
	s := spec.Model{EmbedDim: 11, HiddenSize: 22, NumHeads: 1, NumLayers: 2, WindowSize: 13, Quantize: qat.Ternary, LayerModes: given}
	withSpec := qat.WithSpec(s)
	a := ok(qat.Build(G.NewGraph(), withSpec, qat.WithLayerMode("blocks.0.*", qat.Binary)))
	b := ok(qat.Build(G.NewGraph(), withSpec, qat.WithLayerMode("blocks.1.*", qat.Int4)))
	assert.Equal(t, "ternary,*.ffn.*=int8,blocks.0.*=binary", a.Spec().WeightModes())
	assert.Equal(t, "ternary,*.ffn.*=int8,blocks.1.*=int4", b.Spec().WeightModes())
	assert.Equal(t, spec.LayerMode{}, given[:2][1], "the caller's slice")
	c := ok(qat.Build(G.NewGraph(), withSpec))
	given[0].Mode = qat.Float
	for _, m := range []*qat.Model{a, c} {
		assert.Equal(t, qat.Int8, m.Spec().LayerModes[0].Mode)
	}
}

// The clipped estimator leaves float layers among others alone.
func TestClippedSparesFloatLayers(t *testing.T) {
	const float = "block.ffn.up.weight"
	run := func(ste spec.STE) map[string][]float32 {
		x := random(G.NewGraph(), 1, "x", 3, 11, 22)
		b := ok(qat.Block(x, qat.WithNumHeads(2), qat.WithSTE(ste), qat.WithLayerMode("*.up", qat.Float)))
		scatter(t, b, 2)
		w := numbers(3, 22*88)
		for i := range w {
			w[i] *= 100
		}
		require.NoError(t, b.SetParam(float, w))
		_, grads := gradients(t, "tape", circuit{out: b.Output(), leaves: b.Learnables()})
		named := map[string][]float32{}
		for i, p := range b.Params() {
			named[p.Name] = grads[i]
		}
		return named
	}
	clipped, whole := run(qat.Clipped), run(qat.Identity)
	requireBits(t, float, clipped[float], whole[float])
	assert.NotEqual(t, whole["block.attn.qkv.weight"], clipped["block.attn.qkv.weight"], "the estimator clips others")
}
