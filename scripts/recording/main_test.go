package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
)

func text(t *testing.T, sessions int, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b, sessions, seed))
	return b.Bytes()
}

func TestRecording(t *testing.T) {
	all := text(t, 3, 1)
	assert.Equal(t, all, text(t, 3, 1))
	assert.True(t, bytes.HasPrefix(text(t, 5, 1), all), "a session is the same however many there are")
	assert.NotEqual(t, all, text(t, 3, 2))

	table, err := csv.NewReader(bytes.NewReader(all)).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, 1+3*rows)
	seen := map[string]int{}
	for _, row := range table[1:] {
		seen[row[0]]++
		seen[row[8]]++
		for _, cell := range row[2:8] {
			if cell == "" {
				seen["missing"]++
				continue
			}
			v, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			assert.Less(t, math.Abs(v), 20.0)
		}
	}
	assert.Equal(t, rows, seen["p03"])
	for _, what := range []string{"rest", "stairs", "walk", "run", "turn", "", "missing"} {
		assert.Greater(t, seen[what], 50, what)
	}
}

func TestRecording_fails(t *testing.T) {
	assert.ErrorContains(t, write(fullDisk{}, 1, 1), "no space left")
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestLeak shows what the recording is for: to compare with the windows of the same
// persons, which overlap, gives a number far above that of persons not met before.
func TestLeak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.csv")
	require.NoError(t, os.WriteFile(path, text(t, 12, 1), 0o666))
	accuracy := func(split dataset.SplitBy) float64 {
		parts, err := dataset.Source{
			Files: []string{path}, Split: string(split), TestFraction: 0.2, LeakOverlaps: split == dataset.SplitBySeries,
			Recording: dataset.RecordingOptions{Label: "activity", Group: "session", Window: 60, Stride: 15},
		}.Load()
		require.NoError(t, err)
		a, err := train.NearestNeighbour(parts.Train.(*dataset.Set), parts.Test.(*dataset.Set))
		require.NoError(t, err)
		return a
	}
	honest, leaky := accuracy(dataset.SplitByGroup), accuracy(dataset.SplitBySeries)
	t.Logf("1-nearest-neighbour: %.3f by group, %.3f by series", honest, leaky)
	assert.Greater(t, honest, 0.3, "chance is a fifth")
	assert.Greater(t, leaky, honest+0.25)
}
