package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestInspect counts what the file holds.
func TestInspect(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20", "--frame", "4", "--hop", "2", "--center",
		"--quantize", "ternary,*.qkv=binary,*.out=int4,*.up=int8,*.down=float", "--granularity", "channel")
	file := filepath.Join(dir, modelFile)
	status, out, errs := command("inspect", dir, "--json")
	require.Equal(t, statusOK, status, errs)
	found := lastLine(t, out)
	text := readAll(t, file)
	sum := sha256.Sum256([]byte(text))
	assert.Equal(t, hex.EncodeToString(sum[:]), found["sha256"])
	assert.Equal(t, float64(len(text)), found["bytes"])
	assert.Equal(t, []any{"x", "y"}, found["input"].(map[string]any)["channels"])
	bytes := found["other_bytes"].(float64)
	var names []string
	for _, l := range found["layers"].([]any) {
		layer := l.(map[string]any)
		names = append(names, fmt.Sprint(layer["name"], " ", layer["mode"]))
		bytes += layer["bytes"].(float64)
		if layer["mode"] == "float" {
			assert.NotContains(t, layer, "codes")
			continue
		}
		shape, n, zeros := layer["shape"].([]any), 0.0, 0.0
		codes := layer["codes"].([]any)
		for i, k := range codes {
			if n += k.(float64); i == len(codes)/2 {
				zeros = k.(float64)
			}
		}
		assert.Equal(t, shape[0].(float64)*shape[1].(float64), n, "every code is counted")
		assert.InDelta(t, zeros/n, layer["sparsity"], 1e-12)
		assert.Positive(t, layer["entropy_bits"])
		assert.Len(t, layer["scales"], int(shape[1].(float64)))
	}
	assert.Equal(t, []string{"input_projection float", "blocks.0.attn.qkv binary", "blocks.0.attn.out int4", "blocks.0.ffn.up int8", "blocks.0.ffn.down float", "head float"}, names)
	header := 8 + int(text[0]) + int(text[1])<<8
	assert.Equal(t, float64(len(text)-header), bytes, "layers and the rest are all the data")

	status, out, errs = command("inspect", file)
	require.Equal(t, statusOK, status, errs)
	for _, want := range []string{
		"layer              shape    mode    scale", "blocks.0.attn.qkv  16 x 48  binary  0.", "-127 ", "-7 ", "█",
		"reads          raw values of 2 channels (x, y), filled and scaled, in frames of 4 steps, one every 2, centred; the last 20 steps\n", "returns        2 classes: rest, walk\n", "sha256         " + hex.EncodeToString(sum[:]),
	} {
		assert.Contains(t, out, want)
	}
	status, short, _ := command("inspect", file, "-q")
	require.Equal(t, statusOK, status)
	assert.True(t, strings.HasSuffix(out, "\n"+short), "the totals alone")
}

func TestHistogram(t *testing.T) {
	assert.Equal(t, "-1 25.0%, 0 50.0%, +1 25.0%", histogram([]int{1, 2, 1}))
	assert.Equal(t, "-1 25.0%, +1 75.0%", histogram([]int{1, 0, 3}))
	assert.Equal(t, "-7 ▁ ▄      █      +7", histogram([]int{1, 0, 50, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0}[:15]))
	wide := histogram(slices.Repeat([]int{3}, 255))
	assert.Equal(t, "-127 "+strings.Repeat("█", 17)+" +127", wide)
}
