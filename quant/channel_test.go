package quant

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// channelLiteral quantizes the columns of w [in, out] one by one.
func channelLiteral(w []float32, out int, mode Mode) (codes, scales []float32) {
	codes, scales = make([]float32, len(w)), make([]float32, out)
	for j := range out {
		var column []float32
		for i := j; i < len(w); i += out {
			column = append(column, w[i])
		}
		scales[j] = scaleLiteral(column, mode)
		for i, v := range column {
			codes[i*out+j] = v
			if mode != Float {
				codes[i*out+j] = codeLiteral(v, scales[j], mode)
			}
		}
	}
	return codes, scales
}

func checkChannels(t testing.TB, w []float32, out int, mode Mode) {
	t.Helper()
	codes, scales := slices.Repeat([]float32{nan}, len(w)), slices.Repeat([]float32{nan}, out)
	require.NoError(t, QuantizeWeight(codes, w, out, mode, PerChannel, scales))
	want, wantScales := channelLiteral(w, out, mode)
	sameBits(t, wantScales, scales, "%v, %d weights, %d outputs: scales", mode, len(w), out)
	sameBits(t, want, codes, "%v, %d weights, %d outputs: codes", mode, len(w), out)
}

// channelCases are weights [2, 3] worked by hand. Neither the rows nor the whole
// have these scales.
var channelCases = map[Mode]struct{ w, scales, codes []float32 }{
	Binary:  {[]float32{3, -1, 0, -1, 5, negZero}, []float32{2, 3, 0}, []float32{1, -1, 1, -1, 1, 1}},
	Ternary: {[]float32{3, -1, 0, -0.9, 5, 0}, []float32{1.95, 3, leastScale}, []float32{1, 0, 0, 0, 1, 0}},
	Int4:    {[]float32{7, -3, 0, -2.5, 14, negZero}, []float32{1, 2, leastScale / 7}, []float32{7, -2, 0, -2, 7, 0}}, // -3/2 and -2.5 are ties
	Int8:    {[]float32{127, -3, 0, -2.5, 254, 1e-6}, []float32{1, 2, leastScale / 127}, []float32{127, -2, 0, -2, 127, 13}},
	Float:   {[]float32{3, -1, 0, -0.1, 5, negZero}, []float32{1, 1, 1}, []float32{3, -1, 0, -0.1, 5, negZero}},
}

func TestQuantizeWeight(t *testing.T) {
	for mode, c := range channelCases {
		codes, scales := make([]float32, len(c.w)), make([]float32, 3)
		require.NoError(t, QuantizeWeight(codes, c.w, 3, mode, PerChannel, scales))
		sameBits(t, c.scales, scales, "%v: scales", mode)
		sameBits(t, c.codes, codes, "%v: codes", mode)
	}
}

// TestQuantizeWeightLiteral has every shape of lanes, tiles and threads, with
// columns of very different sizes.
func TestQuantizeWeightLiteral(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		for _, shape := range [][2]int{{1, 1}, {11, 13}, {13, 1}, {1, 13}, {16, 64}, {17, 67}, {67, 131}, {257, 193}, {0, 11}, {11, 0}} {
			in, out := shape[0], shape[1]
			w := noise(uint64(in), in*out, 1)
			for i := range w {
				w[i] *= []float32{1, 0, 1e-6, 1e10, 1e-44, 0.05}[i%max(out, 1)%6]
			}
			for _, mode := range Modes() {
				checkChannels(t, w, out, mode)
			}
		}
	}
}

// TestQuantizeWeightTensor: with one scale it is Quantize.
func TestQuantizeWeightTensor(t *testing.T) {
	for _, mode := range Modes() {
		w := noise(2, 11*13, 1)
		want, got, scales := make([]float32, len(w)), make([]float32, len(w)), []float32{nan}
		scale, err := Quantize(want, w, mode)
		require.NoError(t, err)
		require.NoError(t, QuantizeWeight(got, w, 13, mode, PerTensor, scales))
		sameBits(t, []float32{scale}, scales, "%v: scale", mode)
		sameBits(t, want, got, "%v: codes", mode)
	}
}

func TestQuantizeWeightNotFinite(t *testing.T) {
	for _, mode := range Modes() {
		for _, g := range []Granularity{PerTensor, PerChannel} {
			for _, bad := range []float32{nan, inf, -inf} {
				w, codes, scales := noise(1, 11*13, 1), noise(2, 11*13, 1), noise(3, g.Scales(13), 1)
				w[17], w[142] = bad, bad
				codesBefore, scalesBefore := slices.Clone(codes), slices.Clone(scales)
				name := fmt.Sprintf("%v per %v, %v", mode, g, bad)
				requireNotFinite(t, QuantizeWeight(codes, w, 13, mode, g, scales), 17, bad, name)
				sameBits(t, codesBefore, codes, "%s: codes", name)
				sameBits(t, scalesBefore, scales, "%s: scales", name)
			}
		}
	}
}

func TestQuantizeWeightLengths(t *testing.T) {
	for want, c := range map[string]struct {
		codes, w, out, scales int
		g                     Granularity
	}{
		"quant: 12 codes for 26 weights":                                    {12, 26, 13, 13, PerChannel},
		"quant: 13 codes for 26 weights":                                    {13, 26, 13, 1, PerTensor},
		"quant: 26 weights and 1 scales for 13 outputs, a scale a channel":  {26, 26, 13, 1, PerChannel},
		"quant: 26 weights and 13 scales for 13 outputs, a scale a tensor":  {26, 26, 13, 13, PerTensor},
		"quant: 27 weights and 13 scales for 13 outputs, a scale a channel": {27, 27, 13, 13, PerChannel},
		"quant: 27 weights and 0 scales for 0 outputs, a scale a channel":   {27, 27, 0, 0, PerChannel},
		"quant: 26 weights and 1 scales for -13 outputs, a scale a tensor":  {26, 26, -13, 1, PerTensor},
	} {
		assert.PanicsWithValue(t, want, func() {
			_ = QuantizeWeight(make([]float32, c.codes), make([]float32, c.w), c.out, Int4, c.g, make([]float32, c.scales))
		})
	}
}

// TestQuantizeWeightInPlace: codes may be the weight itself.
func TestQuantizeWeightInPlace(t *testing.T) {
	for _, mode := range Modes() {
		w := noise(4, 11*13, 1)
		want, _ := channelLiteral(w, 13, mode)
		require.NoError(t, QuantizeWeight(w, w, 13, mode, PerChannel, make([]float32, 13)))
		sameBits(t, want, w, "%v", mode)
	}
}

// TestQuantizeWeightColumns: what a column becomes depends on no other column.
func TestQuantizeWeightColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := rapid.IntRange(1, 40).Draw(t, "in"), rapid.IntRange(1, 70).Draw(t, "out")
		mode := rapid.SampledFrom(Modes()).Draw(t, "mode")
		w := noise(rapid.Uint64().Draw(t, "seed"), in*out, 1)
		codes, scales := make([]float32, in*out), make([]float32, out)
		if err := QuantizeWeight(codes, w, out, mode, PerChannel, scales); err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, out-1).Draw(t, "column")
		for i := range w {
			if i%out != at {
				w[i] *= -1024
			}
		}
		again, moved := make([]float32, in*out), make([]float32, out)
		if err := QuantizeWeight(again, w, out, mode, PerChannel, moved); err != nil {
			t.Fatal(err)
		}
		if math.Float32bits(moved[at]) != math.Float32bits(scales[at]) {
			t.Fatalf("scale %v, with other neighbours %v", scales[at], moved[at])
		}
		for i := at; i < len(w); i += out {
			if again[i] != codes[i] {
				t.Fatalf("element %d: code %v, with other neighbours %v", i, codes[i], again[i])
			}
		}
	})
}

// BenchmarkQuantizeWeight is once per weight and training step.
func BenchmarkQuantizeWeight(b *testing.B) {
	const in, out = 256, 1024
	w, codes := noise(1, in*out, 0.1), make([]float32, in*out)
	for _, mode := range []Mode{Ternary, Int8} {
		for _, g := range []Granularity{PerTensor, PerChannel} {
			scales := make([]float32, g.Scales(out))
			b.Run(fmt.Sprintf("%v/%v/%dx%d", mode, g, in, out), func(b *testing.B) {
				b.SetBytes(4 * in * out)
				for b.Loop() {
					if err := QuantizeWeight(codes, w, out, mode, g, scales); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
