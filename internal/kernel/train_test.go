package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// trainCases are like vectorCases.
var trainCases = map[string]func(y, a, b, c []float32) []float32{
	"silu_backward": func(y, a, b, c []float32) []float32 { SiLUBackward(y, a, b, nil); return nil },
	"norm_backward": func(y, a, b, c []float32) []float32 {
		if len(a) == 0 {
			return nil
		}
		sums := append(append([]float32(nil), b...), c...)
		n := len(a)
		Norm{Eps: 1e-5}.rowBackward(y, sums[:n], sums[n:], a, b, c, 0.37, 1.7)
		return sums
	},
	"norm_floor": func(y, a, b, c []float32) []float32 {
		if len(a) == 0 {
			return nil
		}
		n := Norm{Eps: 1e-5, Floor: true}
		n.rowBackward(y, make([]float32, len(a)), make([]float32, len(a)), a, b, c, 0.37, n.rstd(0))
		return nil
	},
	"dropout": func(y, a, b, c []float32) []float32 {
		dropoutRow(y, a, 0xfeedfacecafebeef, 0x40000001, 1.37, 1<<40+uint64(len(a)%3))
		return nil
	},
	"dequantize": func(y, a, b, c []float32) []float32 {
		r := NewIntRows(2, len(a))
		for i := range r.Codes {
			r.Codes[i] = int8(i * 89)
		}
		r.Scales[1] = 0.37
		r.Dequantize(y, 1)
		return nil
	},
	"mean_abs":    func(y, a, b, c []float32) []float32 { return []float32{MeanAbs(a)} },
	"sum_squares": func(y, a, b, c []float32) []float32 { return quarters(SumSquares(a)) },
	"codes":       func(y, a, b, c []float32) []float32 { Codes(y, c, []float32{0.3}, 1); return nil },
	"codes_wide":  func(y, a, b, c []float32) []float32 { Codes(y, c, []float32{0.03}, 127); return nil },
	"codes_each": func(y, a, b, c []float32) []float32 {
		scales := append([]float32(nil), b...)
		for i := range scales {
			scales[i] = 0.25 + float32(i%7)
		}
		Codes(y, c, scales, 7)
		return nil
	},
	"signs": func(y, a, b, c []float32) []float32 { Signs(y, a); return nil },
	"scale": func(y, a, b, c []float32) []float32 { Scale(y, a, []float32{0.3}); return nil },
	"scale_each": func(y, a, b, c []float32) []float32 {
		if len(a) > 0 {
			Scale(y, a, b)
		}
		return nil
	},
	"adamw":         func(y, a, b, c []float32) []float32 { return adamW(y, a, b, c, 1, 0.01) },
	"adamw_clipped": func(y, a, b, c []float32) []float32 { return adamW(y, a, b, c, 0.123456789, 0) },
	"column_mean_abs": func(y, a, b, c []float32) []float32 {
		ColumnMeanAbs(y, slices.Concat(a, b, c), 3)
		return nil
	},
	"column_max_abs": func(y, a, b, c []float32) []float32 {
		ColumnMaxAbs(y, slices.Concat(b, c, a), 3)
		return nil
	},
	"mean_pool": func(y, a, b, c []float32) []float32 {
		MeanPool(y, slices.Concat(a, b, c), []int{1}, 1, 3, len(a))
		return nil
	},
	"mean_pool_backward": func(y, a, b, c []float32) []float32 {
		dx := make([]float32, 3*len(a))
		MeanPoolBackward(dx, a, []int{1}, 1, 3, len(a))
		return dx
	},
	"column_sums": func(y, a, b, c []float32) []float32 {
		ColumnSums(y, slices.Concat(a, b, c), 3, len(a), len(a))
		return nil
	},
}

// quarters are the bits of a float64, as whole numbers.
func quarters(x float64) (q []float32) {
	if x != x {
		return []float32{-1}
	}
	for bits := math.Float64bits(x); len(q) < 4; bits >>= 16 {
		q = append(q, float32(bits&0xffff))
	}
	return q
}

// adamW steps y, which begins as c, by the gradient a and a first moment b, and returns the
// moments: one in four of the first hardly above, at and below what becomes 0.
func adamW(y, a, b, c []float32, clip float64, decay float32) []float32 {
	n := len(a)
	copy(y, c)
	g := append([]float32(nil), a...)
	moments := append(append([]float32(nil), b...), c...)
	for i := range n {
		moments[n+i] = float32(math.Abs(float64(c[i])))
		if i%4 == 1 {
			g[i], moments[i] = 0, float32(math.Copysign(minNormal/0.9, float64(c[i])))+float32(i%3-1)*1e-45
		}
	}
	k := AdamW{Clip: clip, Beta1: 0.9, Fresh1: 0.1, Beta2: 0.999, Fresh2: 0.001, InvRoot: 1.7, Eps: 1e-8, Size: 0.003, Decay: decay}
	k.Step(y, g, moments[:n], moments[n:])
	return moments
}

// TestTrain: as TestVectors.
func TestTrain(t *testing.T) {
	for name, f := range trainCases {
		t.Run(name, func(t *testing.T) {
			for _, n := range vectorLengths() {
				for _, kind := range []string{"plain", "wide", "special"} {
					a, b, c := noise(uint64(n)+1, n, 2), noise(uint64(n)+2, n, 2), noise(uint64(n)+3, n, 2)
					switch kind {
					case "wide":
						for i := range a {
							a[i] *= 60
						}
					case "special":
						withSpecials(a, false)
						withSpecials(b, false)
					}
					compareVariants(t, f, a, b, c, n%17, name+" "+kind)
				}
			}
		})
	}
}

func FuzzTrain(f *testing.F) {
	f.Add(uint16(37), uint64(1), uint8(3), float32(2))
	f.Fuzz(func(t *testing.T, n uint16, seed uint64, shift uint8, scale float32) {
		a := noise(seed, int(n%2000), scale)
		withSpecials(a, seed%2 == 0)
		b, c := noise(seed+1, len(a), 1), noise(seed+2, len(a), 1)
		for name, f := range trainCases {
			compareVariants(t, f, a, b, c, int(shift%16), name)
		}
	})
}

// TestDropoutVariants: the masks of every variant, at every parity, threshold and key.
func TestDropoutVariants(t *testing.T) {
	rng := newRand(5)
	for _, threshold := range []uint64{0, 1, 1 << 31, 1<<31 + 1, 1<<32 - 1, 1 << 32, uint64(rng.Uint32())} {
		for range 20 {
			key, first := Key(rng.Uint64()), rng.Uint64()
			a := noise(first, 261, 1)
			compareVariants(t, func(y, a, _, _ []float32) []float32 {
				dropoutRow(y, a, key, threshold, 1.25, first)
				return nil
			}, a, nil, nil, 3, fmt.Sprintf("threshold %d, key %d, first %d", threshold, key, first))
		}
	}
}

func TestTrain_allocations(t *testing.T) {
	y, a, b, c := noise(1, 71, 1), noise(2, 71, 1), noise(3, 71, 1), noise(4, 71, 1)
	rows := NewIntRows(1, 71)
	eachVariant(t, func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(10, func() {
			Norm{Eps: 1e-5}.rowBackward(y, a, b, c, c, c, 0.37, 1.7)
			dropoutRow(y, a, 1, 1<<30, 2, 3)
			rows.Dequantize(y, 0)
		}))
	})
}

func BenchmarkTrain(b *testing.B) {
	for _, name := range []string{"silu_backward", "norm_backward", "dropout", "dequantize", "mean_abs", "codes", "scale", "sum_squares", "adamw"} {
		for _, v := range variants {
			b.Run(name+"/"+v.name, func(b *testing.B) {
				defer func(before variant) { chosen = before }(chosen)
				chosen = v
				y, a, x, c := noise(1, 1024, 1), noise(2, 1024, 1), noise(3, 1024, 1), noise(4, 1024, 1)
				f, rows, gain, bias := trainCases[name], NewIntRows(1, 1024), noise(5, 1024, 1), noise(6, 1024, 1)
				switch name {
				case "adamw":
					k := AdamW{Clip: 1, Beta1: 0.9, Fresh1: 0.1, Beta2: 0.999, Fresh2: 0.001, InvRoot: 1, Eps: 1e-8, Size: 1e-3}
					f = func(y, a, b, c []float32) []float32 { k.Step(y, a, b, gain); return nil }
				case "dequantize":
					f = func(y, a, b, c []float32) []float32 { rows.Dequantize(y, 0); return nil }
				case "norm_backward":
					f = func(y, a, b, c []float32) []float32 {
						Norm{Eps: 1e-5}.rowBackward(y, gain, bias, a, b, c, 0.37, 1.7)
						return nil
					}
				}
				for b.Loop() {
					f(y, a, x, c)
				}
				b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
