package qat_test

import (
	"flag"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"pgregory.net/rapid"
)

// drawOptions draws options for a builder, each sensible or, in half of the sets,
// perhaps not.
func drawOptions(t *rapid.T, g *G.ExprGraph) (options []qat.Option) {
	wild := rapid.Bool().Draw(t, "wild")
	bad := func(name string) bool { return wild && rapid.IntRange(1, 20).Draw(t, name+" bad?") == 13 }
	maybe := func(name string, chance int, o func() qat.Option) {
		if rapid.IntRange(1, 100).Draw(t, name+"?") <= chance { // IntRange favours small numbers
			options = append(options, o())
		}
	}
	size := func(name string, good ...int) int {
		if bad(name) {
			return rapid.SampledFrom([]int{0, -1, -13, 1 << 16, 1 << 40, 1 << 62}).Draw(t, name)
		}
		return rapid.SampledFrom(good).Draw(t, name)
	}
	enum := func(name string, n int) uint8 {
		if bad(name) {
			n = 255
		}
		return uint8(rapid.IntRange(0, n).Draw(t, name))
	}
	nodeOf := func(name string) *G.Node {
		nodes := g.AllNodes()
		if !wild {
			nodes = g.ByName(name)
		}
		return nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, name)]
	}
	input := rapid.Bool().Draw(t, "input")
	if input {
		options = append(options, qat.WithInput(nodeOf("x")))
	}
	if !input || wild {
		maybe("embed", 95, func() qat.Option { return qat.WithEmbedDim(size("embed", 1, 11, 12, 13)) })
		maybe("window", 97, func() qat.Option { return qat.WithWindowSize(size("window", 1, 2, 11)) })
		maybe("batch", 70, func() qat.Option { return qat.WithBatchSize(size("batch", 1, 3, 11)) })
	}
	if input || wild {
		maybe("lengths", 15, func() qat.Option { return qat.WithLengths(nodeOf("lengths")) })
	}
	if wild {
		maybe("nil", 1, func() qat.Option { return nil })
		maybe("dropout", 20, func() qat.Option { return qat.WithDropout(rapid.Float64().Draw(t, "p")) })
		maybe("ste", 20, func() qat.Option { return qat.WithSTE(spec.STE(enum("ste", 1))) })
		maybe("activations", 20, func() qat.Option { return qat.WithActivations(spec.Activations(enum("activations", 1))) })
	}
	maybe("hidden", 97, func() qat.Option { return qat.WithHiddenSize(size("hidden", 12, 16, 24)) })
	maybe("heads", 90, func() qat.Option { return qat.WithNumHeads(size("heads", 1, 2, 4)) })
	maybe("layers", 97, func() qat.Option { return qat.WithNumLayers(size("layers", 1, 2, 3)) })
	maybe("dropout", 50, func() qat.Option {
		return qat.WithDropout(rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.999}).Draw(t, "p"))
	})
	maybe("mode", 70, func() qat.Option { return qat.WithQuantize(qat.Mode(enum("mode", 4))) })
	maybe("granularity", 30, func() qat.Option { return qat.WithGranularity(qat.Granularity(enum("granularity", 1))) })
	for range rapid.IntRange(0, 2).Draw(t, "patterns") {
		patterns := []string{"*", "*.ffn.*", "blocks.0.attn.qkv", "blocks.[01].*.up"}
		if bad("pattern") {
			patterns = []string{"", "[", "head", "blocks.7.*"}
		}
		options = append(options, qat.WithLayerMode(rapid.SampledFrom(patterns).Draw(t, "pattern"), qat.Mode(enum("its mode", 4))))
	}
	maybe("numerics", 30, func() qat.Option { return qat.WithNumerics(spec.Numerics(enum("numerics", 1))) })
	maybe("pooling", 50, func() qat.Option { return qat.WithPooling(spec.Pooling(enum("pooling", 2))) })
	maybe("positions", 50, func() qat.Option { return qat.WithPositions(spec.Positions(enum("positions", 2))) })
	maybe("name", 30, func() qat.Option {
		return qat.WithName(rapid.SampledFrom([]string{"m", "another", "x", "", "other"}).Draw(t, "name"))
	})
	maybe("seed", 20, func() qat.Option { return qat.WithSeed(rapid.Uint64().Draw(t, "seed")) })
	return options
}

// TestBuildNeverPanics: whatever the options, Build fails and leaves the graph as
// it was, or makes a model that runs forward and backward.
func TestBuildNeverPanics(t *testing.T) {
	require.NoError(t, flag.Set("rapid.seed", "1"))
	built, failed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := G.NewGraph()
		placeholder(g, "x", 3, 11, 12)
		placeholder(g, "lengths", 3)
		placeholder(g, "other.final_norm.weight", 12)
		before := len(g.AllNodes())
		m, err := qat.Build(g, drawOptions(t, g)...)
		if err != nil {
			failed++
			require.Nil(t, m)
			require.Len(t, g.AllNodes(), before, "nodes were added")
			return
		}
		built++
		loss := ok(qat.MeanSquaredError(m.Output(), random(g, 1, "target", m.Output().Shape()...)))
		_, err = G.Grad(loss, m.Learnables()...)
		require.NoError(t, err)
		for _, n := range g.Inputs() {
			if n.Value() != nil {
				continue
			}
			values := numbers(2, n.Shape().TotalSize())
			if n.Name() == "lengths" {
				values = []float32{1, float32(m.Spec().WindowSize), 1}
			}
			must(G.Let(n, f32(n.Shape(), values)))
		}
		vm := G.NewTapeMachine(g, G.BindDualValues(m.Learnables()...))
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		for _, n := range m.Learnables() {
			require.Len(t, floats(ok(n.Grad())), n.Shape().TotalSize())
		}
	})
	require.NotZero(t, built, "every set of options failed")
	require.NotZero(t, failed, "no set of options failed")
	t.Logf("%d built, %d failed", built, failed)
}
