package ort

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
	onnxruntime "github.com/yalue/onnxruntime_go"
)

// exact is for models whose every layer reads int8 codes: equal is equal.
const exact = 0

// floatTolerance is for models without codes, whose matrix products a runtime adds up in
// an order of its own: a few roundings of numbers near 1. It is what was promised.
const floatTolerance = 1e-5

// batch is how many series are run together.
const batch = 23

// hold runs series, [steps, channels] each, in ONNX Runtime, from a file of p, and by
// infer, and requires outputs that differ by at most tolerance*max(1, |output|), the same classes, and
// probabilities as close. It returns the largest difference.
func hold(t *testing.T, p *packed.Model, file []byte, series [][]float32, tolerance float64) float64 {
	t.Helper()
	m, err := infer.New(p)
	require.NoError(t, err)
	s := open(t, file)
	require.Equal(t, m.Channels(), s.channels())
	most := 0.0
	near := func(got, want []float32, what string, i int) {
		t.Helper()
		require.Len(t, got, len(want), what)
		for k := range want {
			d := math.Abs(float64(got[k])-float64(want[k])) / max(1, math.Abs(float64(want[k])))
			if !(d <= tolerance) {
				t.Fatalf("series %d of %d steps: %s %d: got %v, want %v", i, len(series[i])/m.Channels(), what, k, got[k], want[k])
			}
			most = max(most, d)
		}
	}
	classes := p.Head != nil && p.Head.Targets == nil
	require.Equal(t, classes, len(s.outputs) == 2, "probabilities")
	for lo := 0; lo < len(series); lo += batch {
		part := series[lo:min(lo+batch, len(series))]
		all := s.run(t, part)
		for i, x := range part {
			want, err := m.Predict(nil, x)
			require.NoError(t, err)
			got := real(t, all["outputs"], i, len(part), len(want))
			near(got, want, "output", lo+i)
			if !classes {
				continue
			}
			probabilities, err := m.Probabilities(nil, want)
			require.NoError(t, err)
			near(real(t, all["probabilities"], i, len(part), len(want)), probabilities, "probability", lo+i)
			for at := 0; at < len(want); at += m.Width() {
				require.Equal(t, largest(want[at:at+m.Width()]), largest(got[at:at+m.Width()]), "class of series %d", lo+i)
			}
		}
	}
	return most
}

// real is what is behind the padding of row i of n: so many values. Padding is 0.
func real(t *testing.T, all []float32, i, n, values int) []float32 {
	t.Helper()
	row := all[i*len(all)/n : (i+1)*len(all)/n]
	for _, v := range row[:len(row)-values] {
		require.Zero(t, v, "padding")
	}
	return row[len(row)-values:]
}

// largest is the first of the largest.
func largest(x []float32) int { return slices.Index(x, slices.Max(x)) }

// narrowest is the narrowest type that stores codes of the model.
func narrowest(s spec.Model) onnx.Weights {
	switch {
	case s.Quantize == quant.Binary || s.Quantize == quant.Ternary:
		return onnx.Int2
	case s.Quantize == quant.Int4:
		return onnx.Int4
	}
	return onnx.Int8
}

// TestSameBits: every mode, granularity, pooling and kind of positions, with and without
// head and projection, at every length: infer's bits, however the codes are stored.
func TestSameBits(t *testing.T) {
	for i, c := range samebits.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			p, err := c.Model()
			require.NoError(t, err)
			hold(t, p, exported(t, p, onnx.Int8), c.Windows(), exact)
			if w := narrowest(c.Spec); w != onnx.Int8 {
				hold(t, p, exported(t, p, w), c.Windows()[i%5:][:7], exact)
			}
			if c.Spec.Quantize == quant.Ternary {
				hold(t, p, exported(t, p, onnx.Int4), c.Windows()[i%5:][:7], exact)
			}
		})
	}
}

// TestOptimizationLevels: what ONNX Runtime makes of the graph changes no bit.
func TestOptimizationLevels(t *testing.T) {
	c := samebits.Cases()[4]
	p, err := c.Model()
	require.NoError(t, err)
	file := exported(t, p, onnx.Int8)
	want := open(t, file).run(t, c.Windows()[:batch])
	for _, level := range []onnxruntime.GraphOptimizationLevel{
		onnxruntime.GraphOptimizationLevelDisableAll, onnxruntime.GraphOptimizationLevelEnableBasic, onnxruntime.GraphOptimizationLevelEnableExtended,
	} {
		options, err := onnxruntime.NewSessionOptions()
		require.NoError(t, err)
		defer options.Destroy()
		require.NoError(t, options.SetGraphOptimizationLevel(level))
		require.Equal(t, want, openWith(t, file, options).run(t, c.Windows()[:batch]), "level %d", level)
	}
}

// TestFloatLayers: a layer with float weights among others that read codes has the bits
// that infer has on a CPU with fused multiply-adds.
func TestFloatLayers(t *testing.T) {
	c := samebits.Case{Width: 5, Frames: 19, Spec: spec.Model{
		EmbedDim: 11, HiddenSize: 26, NumHeads: 13, NumLayers: 2, WindowSize: 17, Quantize: quant.Ternary,
		LayerModes: []spec.LayerMode{{Pattern: "blocks.0.ffn.*", Mode: quant.Float}, {Pattern: "*.attn.qkv", Mode: quant.Float}},
	}}
	p, err := c.Model()
	require.NoError(t, err)
	hold(t, p, exported(t, p, onnx.Int8), c.Windows(), exact)
}

// faint is series so small that, without a projection, the variance of a step is below the
// epsilon of a norm, and not far below.
func faint(series [][]float32) (all [][]float32) {
	for _, x := range series {
		small := slices.Clone(x)
		for i := range small {
			small[i] *= 2e-3
		}
		all = append(all, small)
	}
	return all
}

// TestFloat: float weights, float activations and the Edifice numerics.
func TestFloat(t *testing.T) {
	most := 0.0
	for _, n := range []spec.Numerics{spec.BitNet, spec.Edifice} {
		for _, mode := range quant.Modes() {
			for i, pooling := range []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps} {
				for j, positions := range []spec.Positions{spec.NoPositions, spec.Rotary, spec.Learned} {
					for _, g := range []quant.Granularity{quant.PerTensor, quant.PerChannel} {
						if g == quant.PerChannel && n == spec.Edifice {
							continue
						}
						embed := 11
						if i == j { // no projection
							embed = 26
						}
						c := samebits.Case{Width: 5 * ((i + j) % 2), Frames: 19, Spec: spec.Model{
							EmbedDim: embed, HiddenSize: 26, NumHeads: 13, NumLayers: 2, WindowSize: 17, Quantize: mode,
							Granularity: g, Pooling: pooling, Positions: positions, Numerics: n, Activations: spec.FloatActivations,
						}}
						t.Run(fmt.Sprint(c.Spec), func(t *testing.T) {
							p, err := c.Model()
							require.NoError(t, err)
							series := append(c.Windows(), faint(c.Windows()[:c.Frames])...)
							most = max(most, hold(t, p, exported(t, p, narrowest(c.Spec)), series, floatTolerance))
						})
					}
				}
			}
		}
	}
	for _, mode := range quant.Modes() { // layers of many inputs
		c := samebits.Case{Width: 5, Frames: 24, Spec: spec.Model{
			EmbedDim: 11, HiddenSize: 256, NumHeads: 4, NumLayers: 2, WindowSize: 24, Quantize: mode, Activations: spec.FloatActivations,
		}}
		p, err := c.Model()
		require.NoError(t, err)
		most = max(most, hold(t, p, exported(t, p, onnx.Int8), c.Windows(), floatTolerance))
	}
	t.Logf("largest difference: %.2g", most)
}
