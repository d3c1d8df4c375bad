package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTrainInit begins a ternary run with a float one's weights.
func TestTrainInit(t *testing.T) {
	dir := t.TempDir()
	float, other, ternary := filepath.Join(dir, "float"), filepath.Join(dir, "other"), filepath.Join(dir, "ternary")
	train := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		args = append([]string{"train", "-q", "--epochs", "1", "--num-layers", "1", "--batch-size", "512"}, args...)
		return run(args, &out, &errs), errs.String()
	}
	for _, args := range [][]string{
		{"--hidden-size", "16", "--quantize", "float", "-o", float},
		{"--hidden-size", "24", "--quantize", "float", "-o", other},
		// So slow that it ends with what it began with, nearly.
		{"--hidden-size", "16", "--init", float, "--learning-rate", "1e-30", "-o", ternary},
	} {
		status, errs := train(args...)
		require.Equal(t, statusOK, status, errs)
	}
	const tolerance = 1e-6 // three steps at a rate of 1e-30, and float32
	before, after := paramsOf(t, float), paramsOf(t, ternary)
	require.Len(t, after, len(before))
	for name, values := range before {
		assert.InDeltaSlice(t, values, after[name], tolerance, name)
	}
	c, err := readRunConfig(filepath.Join(ternary, configFile))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(float, latentsFile), c.Config.Init)

	status, errs := train("--hidden-size", "16", "--init", other, "-o", filepath.Join(dir, "x"))
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "tensor input_projection.weight: shape [8 24], want [8 16]")
	series := write(t, "a.ts", waves(20, 1))
	status, errs = train("--init", series, "-o", filepath.Join(dir, "x"))
	assert.Equal(t, statusFailed, status)
	assert.Equal(t, "qat: --init: checkpoint: "+series+`: not a safetensors file: it begins with "@problem", want a header's length of at most 4194304: want the directory of a finished run, or its latents.safetensors`+"\n", errs)
	status, errs = train("--init", filepath.Join(dir, "none"), "-o", filepath.Join(dir, "x"))
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "--init: ")
	var out, bad bytes.Buffer
	assert.Equal(t, statusUsage, run([]string{"compare", "--config", filepath.Join(ternary, configFile)}, &out, &bad))
	assert.Contains(t, bad.String(), "take init out")
}

// paramsOf are the latents of a run.
func paramsOf(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	f, err := checkpoint.Read(filepath.Join(dir, latentsFile))
	require.NoError(t, err)
	all := map[string][]float32{}
	for _, x := range f.Tensors {
		all[x.Name] = x.Values
	}
	return all
}
