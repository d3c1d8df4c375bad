package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectorLengths are below, at and above every multiple of 16 up to 257, and longer.
func vectorLengths() (n []int) {
	for i := range 258 {
		n = append(n, i)
	}
	return append(n, 1000, 1023, 4096)
}

// specials are values that arithmetic treats apart.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.MaxFloat32, -math.MaxFloat32, 1e-40, -1e-40, 1e-45, ExpHi, ExpLo, 88.73, -88.73, 127.5, 0.5, 1.5, 2.5, -0.5, -1.5,
}

// withSpecials puts some into x.
func withSpecials(x []float32, finite bool) {
	for i := range x {
		v := specials[(i/3)%len(specials)]
		if i%3 == 1 && (!finite || math.Abs(float64(v)) <= math.MaxFloat32) {
			x[i] = v
		}
	}
}

// vectorCases are kernels that promise the same bits in every variant, on three inputs
// of one length; they write to y and return what else they found.
var vectorCases = map[string]func(y, a, b, c []float32) []float32{
	"silu": func(y, a, b, c []float32) []float32 { SiLURow(y, a); return nil },
	"softmax": func(y, a, b, c []float32) []float32 {
		if n := whole(len(a)); n > 0 {
			copy(y[:n], a)
			softmax(y[:n], 0.37, 0.01)
		}
		return nil
	},
	"softmax_rows": func(y, a, b, c []float32) []float32 {
		if n := whole(len(a) / 3); n > 0 {
			copy(y[:3*n], a)
			softmaxRows(y[:3*n], 3, 0.37, 0.01)
		}
		return nil
	},
	"norm": func(y, a, b, c []float32) []float32 {
		mean, rstd := Norm{Eps: 1e-5}.Row(y, a, b, c)
		return []float32{mean, rstd}
	},
	"add":     func(y, a, b, c []float32) []float32 { AddRow(y, a, b); return nil },
	"rescale": func(y, a, b, c []float32) []float32 { copy(y, a); RescaleRow(y, 0.37, []float32{1.7}, b); return nil },
	"largest_bits": func(y, a, b, c []float32) []float32 {
		return []float32{math.Float32frombits(MaxAbsBits(a))}
	},
	"quantize": func(y, a, b, c []float32) []float32 {
		codes := make([]int8, len(a)+32)
		for i := range codes {
			codes[i] = 99
		}
		scale, sum, ok := QuantizeRowInt8(codes[16:16+len(a)], a)
		found := []float32{scale, float32(sum)}
		for i, v := range codes {
			if !ok && i >= 16 && i < 16+len(a) {
				v = 0
			}
			found = append(found, float32(v))
		}
		return found
	},
}

// offset returns a copy of x whose first element lies n elements past an aligned one.
func offset(x []float32, n int) []float32 {
	y := make([]float32, len(x)+n)[n:]
	copy(y, x)
	return y
}

// sameNumbers is sameBits, but that any NaN is like any other.
func sameNumbers(t *testing.T, want, got []float32, format string, args ...any) {
	t.Helper()
	w, g := append([]float32(nil), want...), append([]float32(nil), got...)
	for i := range w {
		if i < len(g) && w[i] != w[i] && g[i] != g[i] {
			w[i], g[i] = 0, 0
		}
	}
	sameBits(t, w, g, format, args...)
}

// TestVectors: every variant has the bits of the portable one, whatever the length and
// the alignment, writes nothing beside, and leaves its inputs alone.
func TestVectors(t *testing.T) {
	for name, f := range vectorCases {
		t.Run(name, func(t *testing.T) {
			for _, n := range vectorLengths() {
				for _, kind := range []string{"plain", "wide", "special", "finite"} {
					a, b, c := noise(uint64(n)+1, n, 2), noise(uint64(n)+2, n, 2), noise(uint64(n)+3, n, 2)
					switch kind {
					case "wide":
						for i := range a {
							a[i] *= 60
						}
					case "special":
						withSpecials(a, false)
						withSpecials(b, false)
					case "finite":
						withSpecials(a, true)
					}
					compareVariants(t, f, a, b, c, n%17, name+" "+kind)
				}
			}
		})
	}
}

func compareVariants(t *testing.T, f func(y, a, b, c []float32) []float32, a, b, c []float32, shift int, what string) {
	t.Helper()
	defer func(before variant) { chosen = before }(chosen)
	chosen = variants[0]
	wantY := make([]float32, len(a))
	want := f(wantY, a, b, c)
	for _, v := range variants[1:] {
		chosen = v
		y := guarded(t, len(a))
		a2, b2, c2 := offset(a, shift), offset(b, (shift+5)%16), offset(c, (shift+9)%16)
		got := f(y, a2, b2, c2)
		sameNumbers(t, want, got, "%s, %s, %d elements, shift %d", what, v.name, len(a), shift)
		for i := range y {
			if math.Float32bits(y[i]) == poison { // not an output
				y[i] = 0
			}
		}
		sameNumbers(t, wantY, y, "%s, %s, %d elements, shift %d", what, v.name, len(a), shift)
		sameBits(t, a, a2, "%s, %s: input changed", what, v.name)
		sameBits(t, b, b2, "%s, %s: input changed", what, v.name)
		sameBits(t, c, c2, "%s, %s: input changed", what, v.name)
	}
}

// TestVectorExp tries every kind of float32.
func TestVectorExp(t *testing.T) {
	x := make([]float32, 1<<16)
	for start := uint64(0); start < 1<<32; start += 1 << 16 * 4099 {
		for i := range x {
			x[i] = math.Float32frombits(uint32(start + uint64(i)*4099))
		}
		compareVariants(t, exps, x, nil, nil, 0, "exp")
	}
}

// exps is e^x of a's negative numbers, each beside a 0 and in a group of its own, so that
// their sum hides little of it.
func exps(y, a, _, _ []float32) []float32 {
	row := make([]float32, lanes)
	for i, v := range a {
		for j := range row {
			row[j] = minusInf
		}
		row[0], row[1] = 0, v
		if v > 0 {
			row[1] = -v
		}
		softmax(row, 1, 0)
		y[i] = row[1]
	}
	return nil
}

// TestVectorExpEdges tries every float32 near those where Exp changes its ways.
func TestVectorExpEdges(t *testing.T) {
	for _, edge := range []float32{ExpHi, ExpLo, 88.72284, -87.33654, 90, 127 * Ln2Hi, 128 * Ln2Hi, 0, 1e-38} {
		x := make([]float32, 1<<13)
		for i := range x {
			x[i] = math.Float32frombits(math.Float32bits(edge) + uint32(i) - 1<<12)
		}
		compareVariants(t, exps, x, nil, nil, 0, "exp")
		compareVariants(t, func(y, a, _, _ []float32) []float32 { SiLURow(y, a); return nil }, x, nil, nil, 0, "silu")
	}
}

func FuzzVectors(f *testing.F) {
	f.Add(uint16(37), uint64(1), uint8(3), float32(2))
	f.Fuzz(func(t *testing.T, n uint16, seed uint64, shift uint8, scale float32) {
		a := noise(seed, int(n%2000), scale)
		withSpecials(a, seed%2 == 0)
		b, c := noise(seed+1, len(a), 1), noise(seed+2, len(a), 1)
		for name, f := range vectorCases {
			compareVariants(t, f, a, b, c, int(shift%16), name)
		}
	})
}

func TestVectors_allocations(t *testing.T) {
	y, a, b, c := noise(1, 71, 1), noise(2, 71, 1), noise(3, 71, 1), noise(4, 71, 1)
	codes := make([]int8, 71)
	eachVariant(t, func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(10, func() {
			SiLURow(y, a)
			softmax(y[:64], 0.5, 0)
			Norm{Eps: 1e-5}.Row(y, a, b, c)
			AddRow(y, a, b)
			RescaleRow(y, 0.5, a[:1], b)
			QuantizeRowInt8(codes, a)
		}))
	})
}

func BenchmarkVectors(b *testing.B) {
	for _, name := range []string{"silu", "softmax", "norm", "add", "rescale", "largest_bits", "quantize"} {
		for _, v := range variants {
			b.Run(name+"/"+v.name, func(b *testing.B) {
				defer func(before variant) { chosen = before }(chosen)
				chosen = v
				y, a, x, c := noise(1, 1024, 1), noise(2, 1024, 1), noise(3, 1024, 1), noise(4, 1024, 1)
				codes := make([]int8, 1024)
				f := vectorCases[name]
				if name == "quantize" {
					f = func(y, a, b, c []float32) []float32 { QuantizeRowInt8(codes, a); return nil }
				}
				for b.Loop() {
					f(y, a, x, c)
				}
				b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
