package kernel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bitsFile holds a hash of the bits of every forward kernel's outputs on fixed
// inputs. The file is the same for every CPU: running the tests on another one
// compares them.
const bitsFile = "testdata/bits.json"

// hashBits is FNV-1a over the little-endian bits of the values.
func hashBits(values ...[]float32) string {
	h := fnv.New64a()
	var word [4]byte
	for _, x := range values {
		for _, v := range x {
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
			h.Write(word[:])
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// TestBits compares the bits of every forward kernel, of every variant, with the golden
// file, and so with every other CPU that ran this test.
func TestBits(t *testing.T) { eachVariant(t, testBits) }

func testBits(t *testing.T) {
	got := map[string]string{}
	for _, group := range []map[string]func() string{elementwiseBits, rowBits, productBits, randomBits} {
		for name, run := range group {
			got[name] = run()
		}
	}
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(bitsFile), 0o755))
		require.NoError(t, os.WriteFile(bitsFile, append(data, '\n'), 0o644))
	}
	data, err := os.ReadFile(bitsFile)
	require.NoError(t, err)
	var want map[string]string
	require.NoError(t, json.Unmarshal(data, &want))
	for name := range want {
		assert.Contains(t, got, name, "a golden hash that nothing makes")
	}
	for name, hash := range got {
		assert.Equal(t, want[name], hash, name)
	}
}

var elementwiseBits = map[string]func() string{
	"exp": func() string {
		var y []float32
		for bits := uint64(0); bits < 1<<32; bits += 65521 {
			if v := Exp(math.Float32frombits(uint32(bits))); v == v { // NaNs may differ
				y = append(y, v)
			}
		}
		for _, x := range noise(1, 1<<20, 20) {
			y = append(y, Exp(x))
		}
		return hashBits(y)
	},
	"silu": func() string {
		x := noise(2, 65537, 20)
		y := make([]float32, len(x))
		SiLU(y, x, nil)
		return hashBits(y)
	},
	"add_rows": func() string {
		y := make([]float32, 3*7*17)
		AddRows(y, noise(3, 3*13*17, 1), noise(4, len(y), 1), nil, 3, 13, 7, 17)
		return hashBits(y)
	},
	"mean_pool": func() string {
		y := make([]float32, 3*17)
		MeanPool(y, noise(5, 3*13*17, 1), []int{0, 5, 12}, 3, 13, 17)
		return hashBits(y)
	},
	"mean_squared_error": func() string {
		return hashBits([]float32{MeanSquaredError(noise(6, 1009, 1), noise(7, 1009, 1))})
	},
}

var rowBits = map[string]func() string{
	"sums": func() string {
		var y []float32
		for n := 1; n < 300; n++ {
			x := noise(uint64(n), n, 5)
			y = append(y, Sum(x), MeanAbs(x), sumSquares(x, 0.3))
		}
		return hashBits(y)
	},
	"column_magnitudes": func() string {
		w, mean, most := noise(27, 1009*67, 1), make([]float32, 67), make([]float32, 67)
		ColumnMeanAbs(mean, w, 1009)
		ColumnMaxAbs(most, w, 1009)
		return hashBits(mean, most)
	},
	"column_sums": func() string {
		y := make([]float32, 67)
		ColumnSums(y, noise(8, 1009*67, 1), 1009, 67, 67)
		return hashBits(y)
	},
	"norm": func() string {
		const rows, cols = 131, 67
		y, mean, rstd := make([]float32, rows*cols), make([]float32, rows), make([]float32, rows)
		x := noise(9, rows*cols, 3)
		x[0] = 1e4
		Norm{Eps: 1e-5}.Forward(y, mean, rstd, x, noise(10, cols, 2), noise(11, cols, 1))
		return hashBits(y, mean, rstd)
	},
	"quantize_row": func() string {
		var y []float32
		for n := range longest {
			codes := make([]float32, n)
			scale, _ := QuantizeRow(codes, noise(uint64(n), n, 3))
			y = append(append(y, codes...), scale)
		}
		return hashBits(y)
	},
	"softmax": func() string {
		logits := noise(12, 101*11, 9)
		probs := make([]float32, len(logits))
		CrossEntropy(probs, logits, someLabels(13, 101, 11), nil, 11)
		return hashBits(probs)
	},
}

// attentionBits is the hash of the outputs and weights of one attention.
func attentionBits(a Attention, first []int) string {
	out, weights := make([]float32, a.Batch*a.Keep*a.Hidden()), make([]float32, a.Weights())
	a.Forward(out, weights, noise(14, a.Batch*a.Steps*3*a.Hidden(), 2), first)
	return hashBits(out, weights)
}

var productBits = map[string]func() string{
	"attention": func() string {
		return attentionBits(Attention{Batch: 3, Steps: 61, Heads: 4, HeadSize: 22, Keep: 61}, nil)
	},
	"attention_padded": func() string {
		return attentionBits(Attention{Batch: 3, Steps: 61, Heads: 4, HeadSize: 13, Keep: 17, Epsilon: 1e-8}, []int{0, 11, 60})
	},
	"attention_rotary": func() string {
		return attentionBits(Attention{Batch: 3, Steps: 61, Heads: 4, HeadSize: 22, Keep: 61, Rotary: NewRotary(61, 22)}, []int{0, 11, 60})
	},
	"rotary_tables": func() string {
		r, long := NewRotary(509, 128), NewRotary(4096, 22)
		return hashBits(r.cos, r.sin, long.cos, long.sin)
	},
	"chain": func() string {
		y := make([]float32, 37*13)
		Chain(y, noise(15, 37*67, 1), noise(16, 67*13, 1), noise(17, 13, 1), 37)
		return hashBits(y)
	},
	"rescale": func() string {
		y := integers(18, 37*13, 1<<24)
		Rescale(Dense(y, 37, 13), noise(19, 37, 0.1), 1, []float32{0.0123}, noise(20, 13, 1))
		return hashBits(y)
	},
	"rescale_columns": func() string {
		y := integers(18, 37*13, 1<<24)
		Rescale(Dense(y, 37, 13), noise(19, 37, 0.1), 1, noise(26, 13, 0.1), noise(20, 13, 1))
		return hashBits(y)
	},
	"gemm_codes": func() string {
		y := make([]float32, 37*41)
		Gemm(Dense(y, 37, 41), Dense(integers(21, 37*997, 127), 37, 997), Dense(integers(22, 997*41, 127), 997, 41), false, false, false)
		return hashBits(y)
	},
	"gemm_int8": func() string {
		y := make([]float32, 37*41)
		x, codes, w := NewIntRows(37, 2003), codes8(23, 37*2003, 127), make([]float32, 2003*41)
		for i := range 37 {
			x.Scales[i] = 1
			for k, v := range codes[i*2003 : (i+1)*2003] {
				x.Codes[i*IntStride(2003)+k] = v
				x.Sums[i] += int32(v)
			}
		}
		for i, v := range codes8(24, len(w), 127) {
			w[i] = float32(v)
		}
		l := NewIntLayer(2003, 41, 8)
		l.SetColumns(Dense(w, 2003, 41))
		l.SetScales([]float32{1}, make([]float32, 41))
		l.Forward(Dense(y, 37, 41), x, 0, 1)
		return hashBits(y)
	},
}

var randomBits = map[string]func() string{
	"dropout": func() string {
		y := make([]float32, 3*7*13)
		(&Dropout{NewKey(1, 2, "drop"), 0.1, 3, 11, 7, 13}).Apply(y, noise(25, len(y), 1))
		return hashBits(y)
	},
	"normal_uniform": func() string {
		var y []float32
		key := NewKey(3, 0, "init")
		for i := range uint64(1009) {
			y = append(y, key.Normal(i), key.Uniform(i))
		}
		return hashBits(y)
	},
}
