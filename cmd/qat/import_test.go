package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// edificeFile is one of the reference's models, of 8 channels, as a safetensors file.
func edificeFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/edifice/forward/s1_ternary_rand.json")
	require.NoError(t, err)
	var golden struct {
		Params []struct {
			Name  string    `json:"name"`
			Shape []int     `json:"shape"`
			Data  []float32 `json:"data"`
		} `json:"params"`
	}
	require.NoError(t, json.Unmarshal(text, &golden))
	var f checkpoint.File
	for _, p := range golden.Params {
		f.Tensors = append(f.Tensors, checkpoint.Tensor{Name: p.Name, Shape: p.Shape, Values: p.Data})
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, checkpoint.Write(path, f))
	return path
}

// TestImport_edifice imports the reference's model, and trains on from it with its
// numerics: quantized weights learn, which the reference's do not.
func TestImport_edifice(t *testing.T) {
	dir := t.TempDir()
	from, on := filepath.Join(dir, "import"), filepath.Join(dir, "on")
	status, out, errs := command("import", "--from", "edifice", edificeFile(t), "--num-heads", "2", "--window-size", "8", "-o", from)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "8 -> hidden 8, heads 2, layers 1, window 8, ternary weights, float activations")
	assert.Contains(t, out, "--numerics edifice")
	status, out, errs = command("inspect", filepath.Join(from, modelFile))
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "edifice numerics")

	size := []string{"train", "-q", "--numerics", "edifice", "--positions", "none", "--hidden-size", "8", "--num-layers", "1", "--epochs", "2"}
	status, _, errs = command(append(size, "--num-heads", "2", "--init", from, "-o", on)...)
	require.Equal(t, statusOK, status, errs)
	before, after := paramsOf(t, from), paramsOf(t, on)
	require.Len(t, after, len(before)+2) // a head
	for name, values := range before {
		assert.NotEqual(t, values, after[name], name)
	}
	// So slow that it ends with what it began with, nearly.
	status, _, errs = command(append(size, "--num-heads", "2", "--init", from, "--learning-rate", "1e-30", "-o", on)...)
	require.Equal(t, statusOK, status, errs)
	after = paramsOf(t, on)
	for name, values := range before {
		assert.InDeltaSlice(t, values, after[name], 1e-6, name)
	}

	status, _, errs = command(append(size, "--num-heads", "4", "--init", from, "-o", on)...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "the import has --num-heads 2, this training 4")
	status, _, errs = command("export", from)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, `format is "qat.imported"`)
	status, _, errs = command("import", "--from", "edifice", edificeFile(t), "--num-heads", "2", "-o", on)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, on+" holds a run: name another directory with -o")
}

// TestImport_torch imports a float model, with its head, and quantizes it.
func TestImport_torch(t *testing.T) {
	dir := t.TempDir()
	const file = "../../testdata/torch/model.safetensors"
	status, out, errs := command("import", "--from", "torch", file, "--num-heads", "2", "--classes", "up,down,still", "--quantize", "int4", "--json", "-o", dir)
	require.Equal(t, statusOK, status, errs)
	var made imported
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	assert.Equal(t, []string{"up", "down", "still"}, made.Classes)
	assert.Equal(t, 11, made.Spec.WindowSize)
	assert.InDelta(t, 4, made.BitsAWeight, 0.1)
	status, out, errs = command("export", filepath.Join(dir, modelFile), "--format", "onnx")
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "codes          int8")

	mapping := write(t, "names.json", `{"final_norm.weight": "norm"}`)
	for want, args := range map[string][]string{
		"tensor norm is missing, want shape [16], for final_norm.weight": {"--from", "torch", file, "--num-heads", "2", "--mapping", mapping},
		"is not a multiple of 3 heads":                                   {"--from", "torch", file, "--num-heads", "3"},
		`--from "": want edifice or torch`:                               {file},
		"--classes has no use with --from edifice":                       {"--from", "edifice", file, "--classes", "a"},
		"--window-size 60: the model has positions for 11 steps":         {"--from", "torch", file, "--num-heads", "2", "--window-size", "60"},
		"the model has learned positions, tensor pos":                    {"--from", "torch", file, "--num-heads", "2", "--positions", "rotary"},
		"2 files, want one":                                              {"--from", "torch", file, file},
		"no norm, as final_norm/gamma [hidden size], among 31 tensors":   {"--from", "edifice", file},
		"not a safetensors file":                                         {"--from", "torch", mapping},
		"--mapping: open " + filepath.Join(dir, "none"):                  {"--from", "torch", file, "--mapping", filepath.Join(dir, "none")},
		`"head.wait" is no parameter: want one of blocks.{}.attn`:        {"--from", "torch", file, "--mapping", write(t, "bad.json", `{"head.wait": "x"}`)},
	} {
		none := filepath.Join(dir, "none")
		status, _, errs := command(append(append([]string{"import"}, args...), "-o", none)...)
		assert.NotEqual(t, statusOK, status, args)
		assert.Contains(t, errs, want)
		assert.NoDirExists(t, none)
	}
}
