package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

func TestFlipRates(t *testing.T) {
	before := Codes{
		{"a", quant.Ternary, []int8{-1, 0, 1, 0, 1}},
		{"b", quant.Int8, []int8{127, -127}},
	}
	after := Codes{
		{"a", quant.Ternary, []int8{-1, 1, 1, 0, -1}},
		{"b", quant.Int8, []int8{127, -127}},
	}
	rates, err := FlipRates(before, after)
	require.NoError(t, err)
	assert.Equal(t, []float64{0.4, 0}, rates)
	none, err := FlipRates(nil, nil)
	require.NoError(t, err)
	assert.Empty(t, none)
	_, err = FlipRates(before[:1], after)
	assert.ErrorContains(t, err, "train: codes of 1 weights, want 2")
	before[1].Name = "c"
	_, err = FlipRates(before, after)
	assert.ErrorContains(t, err, "train: codes 1 are 2 int8 ones of c, want 2 int8 ones of b")
}

// TestCodes_training: a fresh snapshot is the layers' histogram, codes flip while a
// model trains, and what does not change does not flip.
func TestCodes_training(t *testing.T) {
	for _, numerics := range []spec.Numerics{spec.BitNet, spec.Edifice} {
		for _, mode := range quant.Modes() {
			t.Run(numerics.String()+"/"+mode.String(), func(t *testing.T) {
				tr := statsTrainer(t, mode, numerics)
				before, err := tr.Codes()
				require.NoError(t, err)
				finish(t, tr)
				after, err := tr.Codes()
				require.NoError(t, err)
				again, err := tr.Codes()
				require.NoError(t, err)
				assert.Equal(t, after, again)
				rates, err := FlipRates(before, after)
				require.NoError(t, err)
				stats, err := tr.LayerStats()
				require.NoError(t, err)
				require.Len(t, rates, len(stats))
				sum := 0.0
				for i, s := range stats {
					assert.Equal(t, s.Name, after[i].Name)
					counts := make([]int, len(s.Codes))
					for _, code := range after[i].Codes {
						counts[int(code)+mode.MaxCode()]++
					}
					assert.Equal(t, s.Codes, counts, s.Name)
					assert.Less(t, rates[i], 1.0, s.Name)
					sum += rates[i]
				}
				if mode != quant.Float {
					assert.Positive(t, sum, "training turns codes")
				}
			})
		}
	}
}

func TestCodesTensors(t *testing.T) {
	const seed = 17
	rng := rand.New(rand.NewPCG(seed, 0))
	assert.Equal(t, []int{15, 15, 6, 3}, []int{perValue(quant.Binary), perValue(quant.Ternary), perValue(quant.Int4), perValue(quant.Int8)})
	for _, mode := range quant.Modes()[1:] {
		for n := range 47 {
			limit := mode.MaxCode()
			want := Codes{{"x", mode, make([]int8, n)}, {"largest", mode, make([]int8, n)}}
			for i := range n {
				want[0].Codes[i] = int8(rng.IntN(2*limit+1) - limit)
				want[1].Codes[i] = int8(limit)
			}
			got := Codes{{"x", mode, make([]int8, n)}, {"largest", mode, make([]int8, n)}}
			require.NoError(t, got.SetTensors(want.Tensors()), "%v, %d codes, seed %d", mode, n, seed)
			assert.Equal(t, want, got, "%v, %d codes, seed %d", mode, n, seed)
		}
	}
}

func TestCodesTensors_faults(t *testing.T) {
	good := Codes{{"x", quant.Ternary, make([]int8, 17)}}
	for _, c := range []struct {
		name, want string
		damage     func(t []checkpoint.Tensor) []checkpoint.Tensor
	}{
		{"missing", "tensor codes.x is missing", func([]checkpoint.Tensor) []checkpoint.Tensor { return nil }},
		{"unknown", "tensor codes.y: the model has no such codes", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			return append(t, checkpoint.Tensor{Name: "codes.y"})
		}},
		{"size", "tensor codes.x: 1 values, want 2", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			t[0].Values = t[0].Values[:1]
			return t
		}},
		{"large", "value 1 is 9, want an integer of 0 to 8", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			t[0].Values[1] = 9
			return t
		}},
		{"fraction", "value 0 is 0.5, want an integer", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			t[0].Values[0] = 0.5
			return t
		}},
		{"NaN", "value 0 is NaN, want an integer", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			t[0].Values[0] = float32(math.NaN())
			return t
		}},
		{"negative", "value 0 is -1, want an integer", func(t []checkpoint.Tensor) []checkpoint.Tensor {
			t[0].Values[0] = -1
			return t
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			into := Codes{{"x", quant.Ternary, make([]int8, 17)}}
			assert.ErrorContains(t, into.SetTensors(c.damage(good.Tensors())), c.want)
			assert.Equal(t, good, into, "left alone")
		})
	}
}

func TestSplitCodes(t *testing.T) {
	all := []checkpoint.Tensor{{Name: "a"}, {Name: "codes.a"}, {Name: "adamw.m.a"}}
	codes, others := splitCodes(all)
	assert.Equal(t, all[1:2], codes)
	assert.Equal(t, []checkpoint.Tensor{{Name: "a"}, {Name: "adamw.m.a"}}, others)
}
