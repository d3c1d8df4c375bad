package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/spec"
)

// memorySteps are the steps that memory is watched over, and memoryGrowth the bytes
// that may be held after them and were not before: the history of 20 epochs, some 20
// KB, and what the runtime keeps. A leak of 8 bytes a step is more.
const (
	memorySteps  = 10_000
	memoryGrowth = 64 << 10
)

// TestMemoryDoesNotGrow trains for many steps and compares what is held before and
// after, with data in memory and with a file that is read for each epoch.
func TestMemoryDoesNotGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	for _, kind := range []string{"held", "streamed"} {
		t.Run(kind, func(t *testing.T) {
			data := dataset.Data(toySet(997, 1))
			if kind == "streamed" {
				data = toyFile(t, 997)
			}
			c := toyConfig()
			c.Model.HiddenSize, c.Model.NumHeads, c.Model.NumLayers, c.Model.Positions = 8, 1, 1, spec.Rotary
			c.Model.Dropout, c.Augment = 0.1, Augment{Jitter: 0.1, Scale: 0.1, Shift: 0.2}
			c.BatchSize = 2
			c.Epochs = 2 + memorySteps*c.BatchSize/data.Len()
			tr, err := New(c, data, data)
			require.NoError(t, err)
			var before, after, from int
			for e, err := range tr.Steps(context.Background()) {
				require.NoError(t, err)
				if from == 0 && e.Epoch == 2 { // every program and buffer is there by now
					before, from = heldBytes(), e.Step
				}
				if e.Step == from+memorySteps {
					after = heldBytes()
					break
				}
			}
			require.Equal(t, from+memorySteps, tr.Step())
			t.Logf("%d bytes before, %d more after %d steps", before, after-before, memorySteps)
			assert.Less(t, after-before, memoryGrowth)
		})
	}
}

// TestTrainersAreFreed trains one model after another: a model that was dropped must
// not stay in memory.
func TestTrainersAreFreed(t *testing.T) {
	c := toyConfig()
	c.Model.HiddenSize, c.Epochs = 64, 1
	set := toySet(53, 1)
	held := func(models int) int {
		for range models {
			tr := trainerOf(t, c, set)
			finish(t, tr)
			_, err := tr.Evaluate(set)
			require.NoError(t, err)
		}
		return heldBytes()
	}
	before := held(2)
	const model = 1 << 20 // bytes; one of these has some 2 MiB
	assert.Less(t, held(4)-before, model)
}

// heldBytes is what the heap holds that can be reached.
func heldBytes() int {
	runtime.GC()
	runtime.GC() // what the first let finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// toyFile is toySet as a recording in a file, which is read for each epoch.
func toyFile(t *testing.T, n int) dataset.Data {
	t.Helper()
	s := toySet(n, 1)
	var b strings.Builder
	b.WriteString("x,y,z,class\n")
	for i := range n {
		for row := s.At(i); len(row) > 0; row = row[3:] {
			fmt.Fprintf(&b, "%.3f,%.3f,%.3f,%s\n", row[0], row[1], row[2], s.Classes[s.Labels[i]])
		}
	}
	path := filepath.Join(t.TempDir(), "toy.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o666))
	parts, err := dataset.Source{
		Files: []string{path}, Recording: dataset.RecordingOptions{Label: "class", Window: s.Steps},
		Split: dataset.SplitAuto, TestFraction: 0.01, Memory: 20_000,
	}.Load()
	require.NoError(t, err)
	require.IsType(t, &dataset.Streamed{}, parts.Train)
	return parts.Train
}
