package qat_test

import (
	"fmt"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// TestTrimmedEqualsFull: a model that returns the last step computes only that one
// in its last block, and its bits are those of a model that computes all of them.
func TestTrimmedEqualsFull(t *testing.T) {
	for _, size := range []struct{ batch, steps, embed, hidden, heads int }{
		{1, 8, 8, 64, 4}, {32, 8, 8, 64, 4}, {11, 13, 22, 22, 1}, {3, 17, 11, 26, 2}, {11, 1, 13, 22, 2},
	} {
		for i, mode := range append(modes, quantized...) {
			granularity := granularities[i/len(modes)]
			for _, training := range []bool{false, true} {
				for _, positions := range []spec.Positions{qat.NoPositions, qat.Learned} {
					name := fmt.Sprintf("%v/%v/%v/training_%v/%v", size, mode, granularity, training, positions)
					t.Run(name, func(t *testing.T) {
						build := func(pooling spec.Pooling, options ...qat.Option) *qat.Model {
							m, err := qat.Build(G.NewGraph(), append(options, qat.WithPooling(pooling), qat.WithQuantize(mode), qat.WithGranularity(granularity), qat.WithPositions(positions),
								qat.WithBatchSize(size.batch), qat.WithWindowSize(size.steps), qat.WithEmbedDim(size.embed),
								qat.WithHiddenSize(size.hidden), qat.WithNumHeads(size.heads), qat.WithNumLayers(2), qat.WithDropout(0.3))...)
							require.NoError(t, err)
							return m
						}
						trimmed := build(qat.LastTimestep)
						scatter(t, trimmed, 1)
						full := build(qat.AllTimesteps, qat.WithParamsFrom(trimmed))
						var outputs [2][]float32
						for i, m := range []*qat.Model{trimmed, full} {
							m.SetTraining(training)
							let(t, m.Input(), numbers(2, size.batch*size.steps*size.embed))
							outputs[i] = forward(t, m.Output())
						}
						requireBits(t, "output", outputs[0], lastSteps(outputs[1], size.batch, size.steps, size.hidden))
					})
				}
			}
		}
	}
}

// lastSteps returns the last of the steps of x [batch, steps, cols].
func lastSteps(x []float32, batch, steps, cols int) (last []float32) {
	for b := range batch {
		last = append(last, x[((b+1)*steps-1)*cols:(b+1)*steps*cols]...)
	}
	return last
}

// The trimmed block's gradients are those of the full one, with an upstream
// gradient of 0 for the steps that are not returned.
func TestTrimmedGradient(t *testing.T) {
	const batch, steps, embed, hidden = 11, 13, 17, 22
	for i, mode := range append(modes, quantized...) {
		granularity := granularities[i/len(modes)]
		t.Run(fmt.Sprint(mode, "/", granularity), func(t *testing.T) {
			run := func(pooling spec.Pooling) [][]float32 {
				m, err := qat.Build(G.NewGraph(), qat.WithPooling(pooling), qat.WithQuantize(mode), qat.WithGranularity(granularity), qat.WithBatchSize(batch),
					qat.WithWindowSize(steps), qat.WithEmbedDim(embed), qat.WithHiddenSize(hidden), qat.WithNumHeads(2),
					qat.WithNumLayers(2), qat.WithDropout(0.3))
				require.NoError(t, err)
				scatter(t, m, 1)
				let(t, m.Input(), numbers(2, batch*steps*embed))
				c := circuit{out: m.Output(), leaves: append(m.Learnables(), m.Input()), cotangent: numbers(3, batch*hidden)}
				if pooling == qat.AllTimesteps {
					last := c.cotangent
					c.cotangent = make([]float32, batch*steps*hidden)
					for b := range batch {
						copy(c.cotangent[((b+1)*steps-1)*hidden:], last[b*hidden:(b+1)*hidden])
					}
				}
				_, grads := gradients(t, "tape", c)
				return grads
			}
			trimmed, full := run(qat.LastTimestep), run(qat.AllTimesteps)
			for i := range full {
				requireClose(t, fmt.Sprint("gradient ", i), trimmed[i], toFloat64(full[i]), modelTolerance)
			}
		})
	}
}

// A trimmed block's nodes hold one step.
func TestTrimmedShapes(t *testing.T) {
	g := G.NewGraph()
	_, err := qat.Build(g, qat.WithBatchSize(11), qat.WithWindowSize(13), qat.WithEmbedDim(17), qat.WithHiddenSize(22),
		qat.WithNumHeads(1), qat.WithNumLayers(2))
	require.NoError(t, err)
	for name, steps := range map[string]int{
		"blocks.0.attn:attention": 13, "blocks.0.ffn.up:linear": 13, "blocks.0.ffn.down:linear": 13,
		"blocks.1.attn.qkv:linear": 13, "blocks.1.attn:attention": 1, "blocks.1.attn.out:linear": 1,
		"blocks.1.ffn.up:linear": 1, "blocks.1.ffn.down:linear": 1, "final_norm:layer_norm": 1,
	} {
		nodes := g.ByName(name)
		require.Len(t, nodes, 1, name)
		assert.Equal(t, steps, nodes[0].Shape()[1], name)
	}
}
