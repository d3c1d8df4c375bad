package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExport_faults: what keeps export from packing, or from checking.
func TestExport_faults(t *testing.T) {
	series := write(t, "a.ts", waves(20, 1))
	dir, _ := trainedOn(t, "--data", series)
	file := filepath.Join(t.TempDir(), modelFile)
	require.NoError(t, os.Rename(series, series+".gone"))
	status, out, errs := command("export", dir, "-o", file)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, "parity         not checked: the run's data cannot be read: ")
	assert.Contains(t, errs, "the model was not compared with its training graph")
	assert.Contains(t, errs, series)
	assert.FileExists(t, file)
	require.NoError(t, os.WriteFile(series, []byte(strings.ReplaceAll(waves(20, 1), "fast", "faster")), 0o666))
	status, _, errs = command("export", dir, "-o", file)
	assert.Equal(t, statusFailed, status, "data of other classes")
	assert.Contains(t, errs, `classes ["slow" "faster"]`)

	for want, args := range map[string][]string{
		"no run: stat ":    {filepath.Join(dir, "none")},
		latentsFile + ": ": {filepath.Dir(series)},
		"--output " + dir + "/none/m.qat: writing in " + dir + "/none: no such file": {dir, "--no-check", "-o", filepath.Join(dir, "none", "m.qat")},
		"is a directory, want a file": {dir, "--no-check", "-o", dir},
	} {
		status, out, errs := command(append([]string{"export"}, args...)...)
		assert.Equal(t, statusFailed, status, args)
		assert.Empty(t, out)
		assert.Contains(t, errs, want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

// TestExport_onnx: an ONNX model of a run, and of a packed model, is the same.
func TestExport_onnx(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "a.ts", waves(20, 1)))
	packed := filepath.Join(dir, modelFile)
	status, out, errs := command("export", dir, "--format", "onnx")
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "onnx model     "+filepath.Join(dir, onnxFile))
	assert.Contains(t, out, "same bits as the training graph on all")
	status, out, errs = command("export", packed, "--format", "onnx", "-o", filepath.Join(dir, "again.onnx"))
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "a packed model has no training graph")
	first, err := os.ReadFile(filepath.Join(dir, onnxFile))
	require.NoError(t, err)
	again, err := os.ReadFile(filepath.Join(dir, "again.onnx"))
	require.NoError(t, err)
	assert.Equal(t, first, again)
	status, _, errs = command("export", packed, "--format", "onnx", "--onnx-weights", "int2")
	require.Equal(t, statusOK, status, errs)
	small, err := os.Stat(filepath.Join(dir, "model.onnx"))
	require.NoError(t, err)
	assert.Less(t, small.Size(), int64(len(first)))

	for want, args := range map[string][]string{
		"--format pb: want qat or onnx":                     {dir, "--format", "pb"},
		"--onnx-weights has no use without --format onnx":   {dir, "--onnx-weights", "int4"},
		`unknown weights "int3": want int8, int4 or int2`:   {dir, "--format", "onnx", "--onnx-weights", "int3"},
		"that is the model to export: name another file":    {packed, "--format", "onnx", "-o", packed},
		"is a file, want the directory of a run":            {packed},
		"is a directory, want a file":                       {packed, "--format", "onnx", "-o", dir},
		"latents.safetensors: those are the latent weights": {dir, "--format", "onnx", "-o", filepath.Join(dir, latentsFile)},
		"not a packed model":                                {filepath.Join(dir, latentsFile), "--format", "onnx"},
	} {
		status, _, errs := command(append([]string{"export"}, args...)...)
		assert.NotEqual(t, statusOK, status, args)
		assert.Contains(t, errs, want)
	}
}
