package infer

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGolden: the outputs of the models in testdata are, to the bit, those of the
// training graph on the machine that wrote them. Running the test on another CPU
// carries the promise there. The root's TestGoldens writes the files.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.qat")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	for _, file := range files {
		m, err := Open(file)
		require.NoError(t, err)
		data, err := os.ReadFile(strings.TrimSuffix(file, ".qat") + ".bits")
		require.NoError(t, err)
		words := make([]uint32, len(data)/4)
		for i := range words {
			words[i] = binary.LittleEndian.Uint32(data[4*i:])
		}
		lengths := make([]int, words[0])
		steps := 0
		for i := range lengths {
			lengths[i] = int(words[1+i])
			steps += lengths[i]
		}
		values := make([]float32, len(words)-1-len(lengths))
		for i := range values {
			values[i] = math.Float32frombits(words[1+len(lengths)+i])
		}
		x, want := values[:steps*m.Channels()], values[steps*m.Channels():]
		require.NotEmpty(t, want)
		got, err := m.PredictBatch(nil, x, lengths)
		require.NoError(t, err)
		requireBits(t, want, got, "%s: the batch", file)
		for _, n := range lengths {
			size := n * m.Channels()
			alone := predict(t, m, x[:size])
			requireBits(t, want[:len(alone)], alone, "%s: %d steps", file, n)
			x, want = x[size:], want[len(alone):]
		}
	}
}
