package packed

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qat-go/qat/quant"
)

// TestPack_bytes: bytes worked out by hand, of codes in the file's order: that of
// the outputs of a weight with one input.
func TestPack_bytes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mode  quant.Mode
		codes []float32
		want  []byte
	}{
		{"binary", quant.Binary, []float32{1, -1, -1, 1, 1, 1, -1, 1 /**/, -1, 1, 1}, []byte{0b10111001, 0b110}},
		{"binary_whole", quant.Binary, []float32{-1, 1, 1, 1, 1, 1, 1, 1}, []byte{0xfe}},
		{"ternary", quant.Ternary, []float32{1, 0, -1, 0, 1 /**/, -1, 1}, []byte{2 + 1*3 + 0*9 + 1*27 + 2*81, 0 + 2*3}},
		{"ternary_most", quant.Ternary, []float32{1, 1, 1, 1, 1}, []byte{242}},
		{"int4", quant.Int4, []float32{7, -7, -1 /**/, 0, 5}, []byte{0x97, 0x0f, 0x05}},
		{"int8", quant.Int8, []float32{127, -127, -1, 0, 64}, []byte{0x7f, 0x81, 0xff, 0x00, 0x40}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, err := Pack("w", tc.mode, 1, len(tc.codes), tc.codes, []float32{0.5})
			require.NoError(t, err)
			assert.Equal(t, tc.want, w.Codes)
			require.NoError(t, w.checkCodes())
			dst := make([]int8, len(tc.codes))
			w.Unpack(dst)
			for i, c := range tc.codes {
				assert.Equal(t, c, float32(dst[i]), "code %d", i)
			}
		})
	}
}

// TestPack_layout: codes come [in, out] and lie [out][in].
func TestPack_layout(t *testing.T) {
	w, err := Pack("w", quant.Int8, 2, 3, []float32{1, 2, 3 /**/, 4, 5, 6}, []float32{7, 8, 9})
	require.NoError(t, err)
	assert.Equal(t, Weight{Name: "w", Mode: quant.Int8, In: 2, Out: 3, Codes: []byte{1, 4, 2, 5, 3, 6}, Scales: []float32{7, 8, 9}}, w)
}

func TestPack_copies(t *testing.T) {
	scales := []float32{1}
	w, err := Pack("w", quant.Int8, 1, 1, []float32{1}, scales)
	require.NoError(t, err)
	scales[0] = 2
	assert.Equal(t, []float32{1}, w.Scales)
}

func TestPack_random(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom(quant.Modes()[1:]).Draw(t, "mode")
		in, out := rapid.IntRange(1, 23).Draw(t, "in"), rapid.IntRange(1, 23).Draw(t, "out")
		codes := make([]float32, in*out)
		for i := range codes {
			c := rapid.IntRange(-mode.MaxCode(), mode.MaxCode()).Draw(t, "code")
			if mode == quant.Binary && c == 0 {
				c = 1
			}
			codes[i] = float32(c)
		}
		w, err := Pack("w", mode, in, out, codes, []float32{1})
		require.NoError(t, err)
		require.NoError(t, w.checkCodes())
		require.Equal(t, CodeBytes(mode, in*out), len(w.Codes))
		dst := make([]int8, in*out)
		w.Unpack(dst)
		for o := range out {
			for i := range in {
				require.Equal(t, codes[i*out+o], float32(dst[o*in+i]), "code [%d, %d]", i, o)
			}
		}
	})
}

// TestPack_quantized: all that quant makes can be packed, of zeros too.
func TestPack_quantized(t *testing.T) {
	const in, out = 11, 13
	for _, mode := range quant.Modes()[1:] {
		for _, g := range []quant.Granularity{quant.PerTensor, quant.PerChannel} {
			for _, of := range []float32{0, 1e-30, 1, math.MaxFloat32 / 99} {
				w := make([]float32, in*out)
				for i := range w {
					w[i] = of * float32(i*i%97-48)
				}
				codes, scales := make([]float32, len(w)), make([]float32, g.Scales(out))
				require.NoError(t, quant.QuantizeWeight(codes, w, out, mode, g, scales))
				got, err := Pack("w", mode, in, out, codes, scales)
				require.NoError(t, err, "%v per %v of %v", mode, g, of)
				assert.Equal(t, scales, got.Scales)
			}
		}
	}
}

func TestPack_errors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, tc := range []struct {
		mode    quant.Mode
		in, out int
		codes   []float32
		scales  []float32
		want    string
	}{
		{quant.Float, 1, 1, []float32{1}, []float32{1}, "float has no codes"},
		{quant.Mode(9), 1, 1, []float32{1}, []float32{1}, "Mode(9) has no codes"},
		{quant.Binary, 0, 1, nil, []float32{1}, "shape [0 1], want dimensions from 1 up"},
		{quant.Binary, 1 << 15, 1<<15 + 1, nil, []float32{1}, "at most 1073741824 values"},
		{quant.Binary, 2, 3, []float32{1}, []float32{1}, "1 codes, want 2 inputs x 3 outputs"},
		{quant.Binary, 1, 3, []float32{1, 1, 1}, []float32{1, 1}, "2 scales, want 1 or 3, one an output"},
		{quant.Binary, 1, 3, []float32{1, 1, 0}, []float32{1}, "code [0, 2] is 0, want one of binary"},
		{quant.Ternary, 2, 2, []float32{1, 1, -2, 0}, []float32{1}, "code [1, 0] is -2, want one of ternary"},
		{quant.Int4, 1, 1, []float32{-8}, []float32{1}, "code [0, 0] is -8"},
		{quant.Int8, 1, 1, []float32{-128}, []float32{1}, "code [0, 0] is -128"},
		{quant.Int8, 1, 1, []float32{128}, []float32{1}, "code [0, 0] is 128"},
		{quant.Int8, 1, 1, []float32{0.5}, []float32{1}, "code [0, 0] is 0.5"},
		{quant.Int8, 1, 1, []float32{nan}, []float32{1}, "code [0, 0] is NaN"},
		{quant.Int8, 1, 1, []float32{inf}, []float32{1}, "code [0, 0] is +Inf"},
		{quant.Int8, 1, 1, []float32{1 << 32}, []float32{1}, "code [0, 0] is 4.2949673e+09"},
		{quant.Int8, 1, 1, []float32{1}, []float32{nan}, "scale 0 is NaN, want a finite number from 0 up"},
		{quant.Int8, 1, 2, []float32{1, 1}, []float32{1, -1}, "scale 1 is -1"},
	} {
		w, err := Pack("w", tc.mode, tc.in, tc.out, tc.codes, tc.scales)
		assert.ErrorContains(t, err, "packed: w: ", "%v", tc.codes)
		assert.ErrorContains(t, err, tc.want)
		assert.Equal(t, Weight{}, w)
	}
}

// TestCodes_every byte: those that Pack can make are valid, all others a fault.
func TestCodes_everyByte(t *testing.T) {
	for mode, want := range map[quant.Mode]int{quant.Binary: 256, quant.Ternary: 243, quant.Int4: 15 * 15, quant.Int8: 255} {
		p := packings[mode]
		valid := 0
		for b := range 256 {
			w := Weight{Name: "w", Mode: mode, In: 2, Out: p.per, Codes: []byte{0, byte(b)}, Scales: []float32{1}}
			codes := make([]int8, 2*p.per)
			w.Unpack(codes)
			in := make([]float32, len(codes))
			for o := range p.per {
				for i := range 2 {
					in[i*p.per+o] = float32(codes[2*o+i])
				}
			}
			again, err := Pack("w", mode, 2, p.per, in, w.Scales)
			if w.checkCodes() != nil {
				assert.False(t, err == nil && again.Codes[1] == byte(b), "%v byte %d is made, and a fault", mode, b)
				continue
			}
			valid++
			require.NoError(t, err, "%v byte %d", mode, b)
			assert.Equal(t, w.Codes, again.Codes, "%v", mode)
		}
		assert.Equal(t, want, valid, "%v", mode)
	}
}

func TestCodeBytes(t *testing.T) {
	for _, mode := range quant.Modes()[1:] {
		for n := 1; n < 40; n++ {
			assert.Equal(t, (n-1)/packings[mode].per+1, CodeBytes(mode, n), "%v, %d codes", mode, n)
		}
	}
	assert.Equal(t, []int{1 << 27, 214748365, 1 << 29, 1 << 30}, []int{
		CodeBytes(quant.Binary, maxValues), CodeBytes(quant.Ternary, maxValues), CodeBytes(quant.Int4, maxValues), CodeBytes(quant.Int8, maxValues)})
	assert.Zero(t, CodeBytes(quant.Float, 11))
	assert.Zero(t, CodeBytes(quant.Mode(9), 11))
}

func TestUnpack_panics(t *testing.T) {
	w := Weight{Name: "w", Mode: quant.Ternary, In: 11, Out: 13, Codes: make([]byte, 29)}
	w.Unpack(make([]int8, 11*13))
	assert.PanicsWithValue(t, "packed: w: 29 bytes of ternary codes [13, 11] into 142", func() { w.Unpack(make([]int8, 11*13-1)) })
	w.Codes = w.Codes[1:]
	assert.Panics(t, func() { w.Unpack(make([]int8, 11*13)) })
	w.Mode = quant.Float
	assert.Panics(t, func() { w.Unpack(make([]int8, 11*13)) })
}

func TestUnpack_allocations(t *testing.T) {
	for _, mode := range quant.Modes()[1:] {
		w := Weight{Mode: mode, In: 11, Out: 13, Codes: make([]byte, CodeBytes(mode, 11*13))}
		dst := make([]int8, 11*13)
		assert.Zero(t, testing.AllocsPerRun(10, func() { w.Unpack(dst) }), "%v", mode)
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, mode := range quant.Modes()[1:] {
		b.Run(fmt.Sprint(mode), func(b *testing.B) {
			w := Weight{Mode: mode, In: 1024, Out: 1024, Codes: make([]byte, CodeBytes(mode, 1<<20))}
			dst := make([]int8, 1<<20)
			b.SetBytes(1 << 20)
			for b.Loop() {
				w.Unpack(dst)
			}
		})
	}
}
