package infer

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readFactor bounds what reading a file and one step of it allocate, in all, for each
// of its bytes: a binary code is a bit in the file and a byte to run.
const readFactor = 16

// TestRead_memory: a file of a few KB may have the longest window there is.
func TestRead_memory(t *testing.T) {
	s := ternary()
	s.WindowSize, s.HiddenSize, s.NumHeads, s.Positions = 1<<15, 64, 4, spec.Rotary
	var file bytes.Buffer
	require.NoError(t, newPacked(t, s, 5).Encode(&file))
	size := file.Len()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Read(&file)
	require.NoError(t, err)
	predict(t, m, numbers(1, 3))
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes for a file of %d", after.TotalAlloc-before.TotalAlloc, size)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(readFactor*size), "a file of %d bytes", size)

	// Short and long sequences in turns, whatever order their tables were made in.
	x := numbers(2, 3*29)
	s.WindowSize = 29
	want := predict(t, newModel(t, s, 5), x)
	for _, n := range []int{1, 29, 2, 29} {
		y := predict(t, m, x[len(x)-3*n:])
		if n == 29 {
			requireBits(t, want, y, "%d steps", n)
		}
	}
}
