package quant

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the tests of this package share: inputs, exact comparison, and each rule
// written a second time by way of float64, which rounds every float32 operation
// correctly and cannot be fused.

var (
	inf     = float32(math.Inf(1))
	nan     = float32(math.NaN())
	negZero = math.Float32frombits(1 << 31)
)

// quantized are the modes that have codes.
var quantized = []Mode{Binary, Ternary, Int4, Int8}

// lengths are all up to 67 and some beyond: below, at and above multiples of the
// 16 lanes.
func lengths() []int {
	s := []int{101, 256, 1009}
	for n := range 68 {
		s = append(s, n)
	}
	return s
}

// noise returns n multiples of scale/2^23 in [-scale, scale).
func noise(seed uint64, n int, scale float32) []float32 {
	rng := rand.New(rand.NewPCG(seed, 13))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int32(rng.Uint32())>>8) * (1.0 / (1 << 23)) * scale
	}
	return x
}

// sameBits fails unless got is want to the bit.
func sameBits(t testing.TB, want, got []float32, format string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want), append([]any{format}, args...)...)
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) {
			t.Errorf(format, args...)
			require.FailNow(t, "bits differ", "element %d: got %v (%#08x), want %v (%#08x)", i, got[i], math.Float32bits(got[i]), w, math.Float32bits(w))
		}
	}
}

func div32(a, b float32) float32 { return float32(float64(a) / float64(b)) }
func mul32(a, b float32) float32 { return float32(float64(a) * float64(b)) }
func add32(a, b float32) float32 { return float32(float64(a) + float64(b)) }
func abs32(a float32) float32    { return float32(math.Abs(float64(a))) }

func maxAbs(w []float32) (m float32) {
	for _, v := range w {
		m = max(m, abs32(v))
	}
	return m
}

// meanAbs is the canonical mean: 16 strided float64 sums, the halving tree.
func meanAbs(w []float32) float32 {
	lane := make([]float64, 16)
	for i, v := range w {
		lane[i%16] += math.Abs(float64(v))
	}
	for len(lane) > 1 {
		for i := range len(lane) / 2 {
			lane[i] += lane[i+len(lane)/2]
		}
		lane = lane[:len(lane)/2]
	}
	if len(w) == 0 {
		return 0
	}
	return float32(lane[0] / float64(len(w)))
}

// scaleLiteral and codeLiteral are the table of the default numerics.
func scaleLiteral(w []float32, mode Mode) float32 {
	switch mode {
	case Binary:
		return meanAbs(w)
	case Ternary:
		return max(meanAbs(w), 1e-5)
	case Int4:
		return div32(max(maxAbs(w), 1e-5), 7)
	case Int8:
		return div32(max(maxAbs(w), 1e-5), 127)
	}
	return 1
}

func codeLiteral(v, scale float32, mode Mode) float32 {
	limit := map[Mode]float64{Ternary: 1, Int4: 7, Int8: 127}[mode]
	if mode == Binary {
		if v < 0 {
			return -1
		}
		return 1
	}
	rounded := math.RoundToEven(float64(div32(v, scale)))
	return float32(math.Max(-limit, math.Min(limit, rounded)) + 0) // -0 becomes +0
}

// requireNotFinite fails unless err names element i as NaN or infinite.
func requireNotFinite(t *testing.T, err error, i int, v float32, name string) {
	t.Helper()
	require.ErrorIs(t, err, ErrNotFinite, name)
	var at *NotFiniteError
	require.True(t, errors.As(err, &at), "%s: %T", name, err)
	assert.Equal(t, i, at.Index, name)
	assert.Equal(t, math.Float32bits(v), math.Float32bits(at.Value), name)
}

// tensor is how the reference's numbers are stored: exact float32 values, row-major.
type tensor struct {
	Shape []int
	Data  []float32
}

// readJSON reads one of the reference's files of operations.
func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "edifice", "ops", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v), name)
}
