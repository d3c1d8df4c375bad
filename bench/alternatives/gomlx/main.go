// Command gomlx times a training step of GoMLX on its backend in pure Go.
package main

import (
	"log"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/layers"
	"github.com/gomlx/gomlx/pkg/ml/layers/activations"
	"github.com/gomlx/gomlx/pkg/ml/train"
	"github.com/gomlx/gomlx/pkg/ml/train/losses"
	"github.com/gomlx/gomlx/pkg/ml/train/optimizers"
	"github.com/qat-go/qat/bench/alternatives"
)

func main() {
	c, seconds := alternatives.Flags()
	backend, err := simplego.New("")
	if err != nil {
		log.Fatal(err)
	}
	model := func(ctx *context.Context, _ any, inputs []*Node) []*Node {
		h := inputs[0]
		if c.Embed != c.Hidden {
			h = layers.Dense(ctx.In("input"), h, true, c.Hidden)
		}
		for i := range c.Layers {
			h = block(ctx.Inf("block_%d", i), h, c)
		}
		h = layers.LayerNormalization(ctx.In("final"), h, -1).Done()
		// A slice has no gradient on this backend, which lacks Pad.
		only := make([]float32, c.Steps)
		only[c.Steps-1] = 1
		last := Einsum("bsh,s->bh", h, Const(h.Graph(), only))
		return []*Node{layers.Dense(ctx.In("head"), last, true, c.Classes)}
	}
	trainer := train.NewTrainer(backend, context.New(), model, losses.SparseCategoricalCrossEntropyLogits, optimizers.Adam().LearningRate(1e-3).Done(), nil, nil)
	x, labels := make([]float32, c.Batch*c.Steps*c.Embed), make([]int32, c.Batch)
	for i := range x {
		x[i] = float32(rand.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(i % c.Classes)
	}
	alternatives.Measure(seconds, func() float64 {
		metrics, err := trainer.TrainStep(nil,
			[]*tensors.Tensor{tensors.FromFlatDataAndDimensions(x, c.Batch, c.Steps, c.Embed)},
			[]*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, c.Batch, 1)})
		if err != nil {
			log.Fatal(err)
		}
		return float64(tensors.ToScalar[float32](metrics[0]))
	})
}

// block is a pre-norm transformer block without dropout.
func block(ctx *context.Context, h *Node, c alternatives.Config) *Node {
	size := c.Hidden / c.Heads
	x := layers.LayerNormalization(ctx.In("norm_1"), h, -1).Done()
	part := make([]*Node, 3) // queries, keys, values
	for i := range part {
		part[i] = Reshape(layers.Dense(ctx.Inf("qkv_%d", i), x, true, c.Hidden), c.Batch, c.Steps, c.Heads, size)
	}
	scores := MulScalar(Einsum("bqhd,bkhd->bhqk", part[0], part[1]), 1/math.Sqrt(float64(size)))
	mask := BroadcastToDims(Reshape(LowerTriangular(h.Graph(), c.Steps), 1, 1, c.Steps, c.Steps), scores.Shape().Dimensions...)
	weights := MaskedSoftmax(scores, mask, -1)
	out := Reshape(Einsum("bhqk,bkhd->bqhd", weights, part[2]), c.Batch, c.Steps, c.Hidden)
	h = Add(h, layers.Dense(ctx.In("out"), out, true, c.Hidden))
	up := layers.Dense(ctx.In("up"), layers.LayerNormalization(ctx.In("norm_2"), h, -1).Done(), true, 4*c.Hidden)
	return Add(h, layers.Dense(ctx.In("down"), activations.Swish(up), true, c.Hidden))
}
