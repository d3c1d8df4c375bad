package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var benchSmall = []string{"--seconds", "0", "--window-size", "11", "--embed-dim", "7", "--hidden-size", "12", "--num-heads", "2", "--num-layers", "2"}

// timings runs a command with --json.
func timings(t *testing.T, args ...string) (all []timing) {
	t.Helper()
	status, stdout, stderr := command(append(args, "--json")...)
	require.Equal(t, statusOK, status, stderr)
	for line := range strings.Lines(stdout) {
		var found timing
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&found))
		assert.Positive(t, found.MinMS)
		assert.GreaterOrEqual(t, found.MedianMS, found.MinMS)
		assert.Positive(t, found.GFLOPS)
		all = append(all, found)
	}
	return all
}

func TestBenchTrain(t *testing.T) {
	for _, mode := range quant.Modes() {
		all := timings(t, append([]string{"bench", "train", "--batch-size", "5", "--threads", "1", "--quantize", mode.String()}, benchSmall...)...)
		require.Len(t, all, 1, "%v", mode)
		assert.Equal(t, 5, all[0].Batch)
		assert.Equal(t, 1, all[0].Threads)
		assert.Equal(t, kernel.Variant(), all[0].Kernel)
	}
}

// Every implementation, with each number of threads and each batch.
func TestBenchInfer(t *testing.T) {
	before := kernel.Variant()
	all := timings(t, append([]string{"bench", "infer", "--batch-size", "1,3", "--threads", "2"}, benchSmall...)...)
	assert.Equal(t, before, kernel.Variant(), "as it was")
	require.Len(t, all, 2*len(kernel.Variants()))
	for i, found := range all {
		assert.Equal(t, kernel.Variants()[i/2], found.Kernel)
		assert.Equal(t, 1+2*(i%2), found.Batch)
		assert.Equal(t, 2, found.Threads)
	}
}

// Of a file's model; flags that say another are refused.
func TestBenchInfer_file(t *testing.T) {
	p, err := randomModel(spec.Model{EmbedDim: 7, HiddenSize: 12, NumHeads: 2, NumLayers: 1, WindowSize: 5, Quantize: quant.Int4})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.qat")
	require.NoError(t, p.Write(path))
	all := timings(t, "bench", "infer", path, "--seconds", "0", "--batch-size", "2", "--threads", "1")
	assert.Len(t, all, len(kernel.Variants()))
	assert.InDelta(t, all[0].GFLOPS*all[0].MedianMS*1e6, predictOperations(p, 2), 1)

	status, _, stderr := command("bench", "infer", path, "--hidden-size", "64")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, stderr, "--hidden-size is for random models")
	status, _, stderr = command("bench", "infer", path+"s")
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, stderr, "model.qats")
	require.NoError(t, checkpoint.Write(path, checkpoint.File{}))
	status, _, _ = command("bench", "infer", path)
	assert.Equal(t, statusFailed, status)
}

func TestBench_refuses(t *testing.T) {
	for name, args := range map[string][]string{
		"--batch-size: 0":  {"train", "--batch-size", "0"},
		"--batch-size: -1": {"infer", "--batch-size", "1,-1"},
		"--kernel: \"avx9\" is not here: want of generic": {"infer", "--kernel", "generic,avx9"},
		"--threads: -1":           {"train", "--threads", "-1"},
		"--seconds: -1":           {"infer", "--seconds", "-1"},
		"--seconds: NaN":          {"infer", "--seconds", "NaN"},
		"hidden size 250":         {"train", "--hidden-size", "250", "--num-heads", "4"},
		"unknown mode":            {"train", "--quantize", "int5"},
		"--window-size: window 0": {"infer", "--window-size", "0"},
	} {
		status, stdout, stderr := command(append([]string{"bench"}, args...)...)
		assert.Equal(t, statusUsage, status, name)
		assert.Contains(t, stderr, name)
		assert.Empty(t, stdout, name)
	}
}

// The count is that of a model's matrices, seen one by one.
func TestOperations(t *testing.T) {
	m := spec.Model{EmbedDim: 7, HiddenSize: 12, NumHeads: 2, NumLayers: 2, WindowSize: 11, Pooling: spec.Mean}
	const t0, h, scores = 11, 12, 66
	block := 3*h*h*t0 + 2*scores*h + h*h*t0 + 2*4*h*h*t0
	assert.InDelta(t, 2*(7*h*t0+2*block), operations(m, t0), 0.5)
	m.Pooling, m.EmbedDim = spec.LastTimestep, h
	last := 2*h*h*t0 + h*h + 2*t0*h + h*h + 2*4*h*h
	assert.InDelta(t, 2*(block+last), operations(m, t0), 0.5, "one query in the last block")
	assert.InDelta(t, 3*5*(2*(block+last)+2*h*benchClasses), trainOperations(m, 5), 0.5)
}
