package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExport_onnx: of a run and of its packed model the same file.
func TestExport_onnx(t *testing.T) {
	dir, _ := trainedOn(t)
	status, out, errs := command("export", dir, "--format", "onnx")
	require.Equal(t, statusOK, status, errs)
	of, err := os.ReadFile(filepath.Join(dir, onnxFile))
	require.NoError(t, err, "the default is the run's directory")
	assert.Contains(t, out, fmt.Sprintf("size           %d bytes, ", len(of)))
	assert.Contains(t, out, "parity         same bits as the training graph on all 360 test examples\n")
	assert.Contains(t, out, "codes          int8\n")

	model, file := filepath.Join(dir, modelFile), filepath.Join(t.TempDir(), "m.onnx")
	status, out, errs = command("export", model, "--format", "onnx", "-o", file, "--json")
	require.Equal(t, statusOK, status, errs)
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, of, again)
	said := lastLine(t, out)
	assert.Equal(t, []any{"export", file, "onnx", "int8", float64(len(of))}, []any{said["event"], said["file"], said["format"], said["weights"], said["bytes"]})

	status, _, errs = command("export", model, "--format", "onnx", "--onnx-weights", "int2", "-o", file)
	require.Equal(t, statusOK, status, errs)
	narrow, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Less(t, len(narrow), len(of))
}

// TestExport_onnxFaults: nothing is written, or written over.
func TestExport_onnxFaults(t *testing.T) {
	dir, _ := trainedOn(t, "--quantize", "int8")
	model := filepath.Join(dir, modelFile)
	packed, err := os.ReadFile(model)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "m.onnx")
	fails(t, "weights as int2: the codes of no layer fit, of int8 weights", "export", model, "--format", "onnx", "--onnx-weights", "int2", "-o", file)
	assert.NoFileExists(t, file)
	over := "--output " + model + ": that is the packed model: name another file"
	fails(t, over, "export", dir, "--format", "onnx", "-o", model)
	fails(t, over, "export", model, "--format", "onnx", "-o", model)
	fails(t, "packed: "+dir+"x: stat: no such file or directory", "export", dir+"x", "--format", "onnx")
	fails(t, "--output "+dir+": is a directory, want a file", "export", model, "--format", "onnx", "-o", dir)
	after, err := os.ReadFile(model)
	require.NoError(t, err)
	assert.Equal(t, packed, after)

	for want, args := range map[string][]string{
		`--format "tflite": want qat or onnx`:                        {"--format", "tflite"},
		"--onnx-weights: of no use without --format onnx":            {"--onnx-weights", "int4"},
		`--onnx-weights: onnx: unknown weights "int1": want one of `: {"--format", "onnx", "--onnx-weights", "int1"},
	} {
		status, out, errs := command(append([]string{"export", dir}, args...)...)
		assert.Equal(t, statusUsage, status, args)
		assert.Contains(t, errs, want)
		assert.Empty(t, out)
	}
}
