package qat_test

import (
	"runtime"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxStepBytes is the promise of what a warm training step allocates, most of it
// in the machine that runs the graph.
const maxStepBytes = 1 << 16

func TestStepAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of training steps")
	}
	k := newBenchTask(t, 32, 60, 256, 256, 4, 4, qat.Ternary)
	opt := adamW(t)
	step := func() {
		require.NoError(t, k.vm.RunAll())
		require.NoError(t, opt.Step(valueGrads(k)))
		k.vm.Reset()
	}
	const steps = 5
	for range steps {
		step() // warm
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range steps {
		step()
	}
	runtime.ReadMemStats(&after)
	bytes := (after.TotalAlloc - before.TotalAlloc) / steps
	t.Logf("%d bytes a step", bytes)
	assert.Less(t, bytes, uint64(maxStepBytes))
}
