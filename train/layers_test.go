package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// setWeight fills the weight of a name with values, again and again.
func setWeight(t *testing.T, c *Model, name string, values ...float32) {
	t.Helper()
	w, err := c.main.model.ParamValue(name)
	require.NoError(t, err)
	for i := range w {
		w[i] = values[i%len(values)]
	}
	require.NoError(t, c.main.model.SetParam(name, w))
}

func statsTrainer(t *testing.T, mode quant.Mode, numerics spec.Numerics) *Trainer {
	t.Helper()
	c := toyConfig()
	c.Model.Quantize, c.Model.Numerics = mode, numerics
	if numerics == spec.Edifice {
		c.Model.Activations = spec.FloatActivations
	}
	return trainerOf(t, c, toySet(53, 1))
}

// TestLayerStats_byHand has weights whose codes are plain to see. Scales are
// powers of two, or the tolerance is float32's.
func TestLayerStats_byHand(t *testing.T) {
	const near = 1e-6
	for _, c := range []struct {
		name     string
		mode     quant.Mode
		numerics spec.Numerics
		weight   []float32
		scale    float64
		shares   map[int]float64 // by code
		snr      float64
	}{
		{"binary", quant.Binary, spec.BitNet, []float32{1, -1, 3, -3}, 2, map[int]float64{-1: 0.5, 1: 0.5}, 10 * math.Log10(20.0/4)},
		{"ternary", quant.Ternary, spec.BitNet, []float32{2, -2, 0, 0}, 1, map[int]float64{-1: 0.25, 0: 0.5, 1: 0.25}, 10 * math.Log10(8.0/2)},
		{"int4", quant.Int4, spec.BitNet, []float32{7, -7, 1.25, 0}, 1, map[int]float64{-7: 0.25, 0: 0.25, 1: 0.25, 7: 0.25}, 10 * math.Log10((98+1.5625)/0.0625)},
		{"int8", quant.Int8, spec.BitNet, []float32{127, -127, 1.25, 0}, 1, map[int]float64{-127: 0.25, 0: 0.25, 1: 0.25, 127: 0.25}, 10 * math.Log10((2*127*127+1.5625)/0.0625)},
		{"edifice binary", quant.Binary, spec.Edifice, []float32{2, -2, 2, -2}, 1, map[int]float64{-1: 0.5, 1: 0.5}, 10 * math.Log10(4)},
		{"edifice ternary", quant.Ternary, spec.Edifice, []float32{2, -2, 0, 0}, 1, map[int]float64{-1: 0.25, 0: 0.5, 1: 0.25}, 10 * math.Log10(4)},
		{"edifice int4", quant.Int4, spec.Edifice, []float32{7, -7, 1.25, 0}, 1, map[int]float64{-7: 0.25, 0: 0.25, 1: 0.25, 7: 0.25}, 10 * math.Log10((98+1.5625)/0.0625)},
		{"edifice int8", quant.Int8, spec.Edifice, []float32{127, -127, 1.25, 0}, 1, map[int]float64{-127: 0.25, 0: 0.25, 1: 0.25, 127: 0.25}, 10 * math.Log10((2*127*127+1.5625)/0.0625)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := statsTrainer(t, c.mode, c.numerics)
			const name = "blocks.1.ffn.up.weight"
			setWeight(t, tr.Model, name, c.weight...)
			all, err := tr.LayerStats()
			require.NoError(t, err)
			require.Len(t, all, 8)
			s := all[6]
			assert.Equal(t, name, s.Name)
			assert.Equal(t, []int{16, 64}, s.Shape)
			assert.Equal(t, c.mode, s.Mode)
			require.Len(t, s.Scales, 1)
			assert.InEpsilon(t, c.scale, s.Scales[0], near)
			assert.Equal(t, 16*64, s.Len())
			assert.Equal(t, c.mode.PackedBytes(16*64, 1), s.PackedBytes)
			entropy := 0.0
			require.Len(t, s.Codes, 2*c.mode.MaxCode()+1)
			for i, n := range s.Codes {
				p := c.shares[i-c.mode.MaxCode()]
				assert.Equal(t, p*16*64, float64(n), "code %d", i-c.mode.MaxCode())
				if p > 0 {
					entropy -= p * math.Log2(p)
				}
			}
			assert.Equal(t, c.shares[0], s.Sparsity())
			assert.InDelta(t, entropy, s.Entropy(), 1e-12, "a float64 sum")
			// Edifice's 1e-6 beside the scale moves the noise by that part of it.
			assert.InDelta(t, c.snr, s.SNR(), 1e-3)
		})
	}
}

// TestLayerStats_modes: each layer by its own mode and scales.
func TestLayerStats_modes(t *testing.T) {
	tr := trainerOf(t, mixedConfig(), toySet(53, 1))
	const name, down = "blocks.0.ffn.up.weight", "blocks.0.ffn.down.weight"
	w := make([]float32, 16*64)
	for i := range w {
		row, column := i/64, i%64
		w[i] = float32(column + 1) // column j: 15 of j+1, and 7 times as much
		if row == 3 {
			w[i] *= -7
		}
	}
	require.NoError(t, tr.main.model.SetParam(name, w))
	all, err := tr.LayerStats()
	require.NoError(t, err)
	var names []string
	for _, s := range all {
		names = append(names, s.Name+" "+s.Mode.String())
	}
	assert.Equal(t, []string{
		"blocks.0.attn.qkv.weight binary", "blocks.0.attn.out.weight ternary", "blocks.0.ffn.up.weight int4", "blocks.0.ffn.down.weight int8",
		"blocks.1.attn.qkv.weight binary", "blocks.1.attn.out.weight ternary",
	}, names, "float layers have no codes")
	up := all[2]
	require.Len(t, up.Scales, 64)
	for j, s := range up.Scales {
		assert.Equal(t, float32(j+1), s, "column %d", j)
	}
	want := make([]int, 15)
	want[0], want[8] = 64, 15*64 // codes -7 and 1
	assert.Equal(t, want, up.Codes)
	assert.Zero(t, up.Noise, "every weight is a multiple of its column's scale")
	assert.Equal(t, 16*64/2+4*64, up.PackedBytes)
	assert.Len(t, all[3].Scales, 16)
	assert.Equal(t, 64*16+4*16, all[3].PackedBytes)

	codes, err := tr.Codes()
	require.NoError(t, err)
	require.Len(t, codes, 6)
	assert.Equal(t, down, codes[3].Name)
	assert.Equal(t, quant.Int8, codes[3].Mode)
	for i, code := range codes[2].Codes {
		assert.Equal(t, map[bool]int8{true: -7, false: 1}[i/64 == 3], code)
	}
	assert.NoError(t, codes.SetTensors(codes.Tensors()))
}

func TestLayerStats_edges(t *testing.T) {
	tr := statsTrainer(t, quant.Float, spec.BitNet)
	all, err := tr.LayerStats()
	require.NoError(t, err)
	assert.Empty(t, all, "float weights have no codes")

	const name = "blocks.0.attn.out.weight"
	tr = statsTrainer(t, quant.Ternary, spec.BitNet)
	setWeight(t, tr.Model, name, 0)
	all, err = tr.LayerStats()
	require.NoError(t, err)
	assert.True(t, math.IsInf(all[1].SNR(), 1), "no noise")
	assert.Equal(t, 1.0, all[1].Sparsity())
	assert.Zero(t, all[1].Entropy())

	for _, numerics := range []spec.Numerics{spec.BitNet, spec.Edifice} {
		tr = statsTrainer(t, quant.Int4, numerics)
		for _, p := range tr.main.model.Params() {
			if p.Name == name {
				p.Node.Value().(*tensor.Dense).Float32s()[7] = float32(math.Inf(1))
			}
		}
		_, err = tr.LayerStats()
		assert.ErrorIs(t, err, quant.ErrNotFinite)
		assert.ErrorContains(t, err, "train: "+name)
	}
}

// TestLayerStats_trained has every mode and numerics: the counts add up, and more
// bits are nearer to the weights.
func TestLayerStats_trained(t *testing.T) {
	least := map[quant.Mode]float64{quant.Binary: 3, quant.Ternary: 4, quant.Int4: 15, quant.Int8: 35}
	for mode, want := range least {
		tr := statsTrainer(t, mode, spec.BitNet)
		finish(t, tr)
		all, err := tr.LayerStats()
		require.NoError(t, err)
		for _, s := range all {
			assert.Equal(t, s.Shape[0]*s.Shape[1], s.Len(), s.Name)
			assert.Greater(t, s.SNR(), want, "%v %s", mode, s.Name)
			assert.LessOrEqual(t, s.Entropy(), math.Log2(float64(len(s.Codes))), s.Name)
		}
	}
}
