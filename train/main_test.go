package train

import (
	"math/rand/v2"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toySet is n sequences of 11 steps of 3 values; the class is the channel that
// carries a ramp.
func toySet(n int, seed uint64) *dataset.Set {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &dataset.Set{Name: "toy", Steps: 11, Channels: 3, Classes: []string{"a", "b", "c"}}
	for i := range n {
		label := i % 3
		s.Labels = append(s.Labels, label)
		for t := range s.Steps {
			for c := range s.Channels {
				v := 0.3 * rng.NormFloat64()
				if c == label {
					v += float64(t) / 5
				}
				s.Values = append(s.Values, float32(v))
			}
		}
	}
	return s
}

// toyConfig is a small recipe with 4 steps of 13 and one of 1 an epoch on 53
// sequences.
func toyConfig() Config {
	c := Defaults()
	c.Model.HiddenSize, c.Model.NumHeads, c.Model.NumLayers = 16, 2, 2
	c.Model.Positions = spec.Learned
	c.Epochs, c.BatchSize = 3, 13
	c.Augment = Augment{}
	return c
}

// mixedConfig has a layer of each mode, and a scale an output.
func mixedConfig() Config {
	c := toyConfig()
	c.Model.Granularity = quant.PerChannel
	c.Model.LayerModes = []spec.LayerMode{
		{Pattern: "*.qkv", Mode: quant.Binary}, {Pattern: "*.ffn.*", Mode: quant.Float},
		{Pattern: "blocks.0.ffn.up", Mode: quant.Int4}, {Pattern: "blocks.0.ffn.down", Mode: quant.Int8},
	}
	return c
}
