package packed

import (
	"bytes"
	"flag"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// init seeds rapid, which would take the clock; -rapid.seed overrides it.
func init() {
	if err := flag.Set("rapid.seed", "67"); err != nil {
		panic(err)
	}
}

// smallSpec has weights of 147, 49, 196 and 196 codes: spare bits and digits in most.
func smallSpec(mode quant.Mode) spec.Model {
	s := spec.Model{EmbedDim: 3, HiddenSize: 7, NumHeads: 1, NumLayers: 1, WindowSize: 11, Quantize: mode, Dropout: 0.1}
	if mode == quant.Float {
		s.Activations = spec.FloatActivations
	}
	return s
}

// mixedSpec has a layer of every mode.
func mixedSpec() spec.Model {
	s := smallSpec(quant.Ternary)
	s.NumLayers, s.Positions, s.Granularity = 2, spec.Learned, quant.PerChannel
	s.LayerModes = []spec.LayerMode{
		{Pattern: "blocks.0.attn.qkv", Mode: quant.Binary}, {Pattern: "*.attn.out", Mode: quant.Int4},
		{Pattern: "*.ffn.up", Mode: quant.Int8}, {Pattern: "blocks.1.*.qkv", Mode: quant.Float},
	}
	return s
}

// random is a model of any valid codes and values.
func random(t require.TestingT, s spec.Model, head *Head) *Model {
	r := rand.New(rand.NewPCG(17, 19))
	m := &Model{Spec: s, Head: head}
	for _, p := range m.params() {
		n, err := product(p.Shape...)
		require.NoError(t, err)
		values := make([]float32, n)
		if p.Mode == quant.Float {
			for i := range values {
				values[i] = float32(r.NormFloat64())
			}
			m.Tensors = append(m.Tensors, Tensor{Name: p.Name, Shape: p.Shape, Values: values})
			continue
		}
		for i := range values {
			values[i] = float32(randomCode(r, p.Mode))
		}
		scales := make([]float32, s.Granularity.Scales(p.Shape[1]))
		for i := range scales {
			if scales[i] = r.Float32(); noScale(s.Numerics, p.Mode) {
				scales[i] = 1
			}
		}
		w, err := Pack(p.Name, p.Mode, p.Shape[0], p.Shape[1], values, scales)
		require.NoError(t, err)
		m.Weights = append(m.Weights, w)
	}
	return m
}

func randomCode(r *rand.Rand, mode quant.Mode) int {
	if mode == quant.Binary {
		return 2*r.IntN(2) - 1
	}
	return r.IntN(2*mode.MaxCode()+1) - mode.MaxCode()
}

// full is a model with all that a model can have.
func full(t require.TestingT) *Model {
	s := mixedSpec()
	s.EmbedDim = 3 * 2
	m := random(t, s, &Head{Classes: []string{"<a & b>", "é", "\u2028"}, Width: 3})
	inputs := preprocess.Identity(6)
	m.Input = &preprocess.Pipeline{
		Channels: []string{"x", "y"}, Frame: 2, Hop: 5, Center: true, Window: 11, Inputs: &inputs,
		Scale: preprocess.Scaler{Mean: []float64{1e-7, -1.0 / 3}, Std: []float64{1e21, 0.5}},
	}
	return m
}

func encoded(t require.TestingT, m *Model) []byte {
	var b bytes.Buffer
	require.NoError(t, m.Encode(&b))
	return b.Bytes()
}
