package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quick are flags that make a run of about a second.
var quick = []string{"--epochs", "1", "--hidden-size", "16", "--num-layers", "1", "--num-heads", "2"}

func command(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

func lastLine(t *testing.T, out string) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last map[string]any
	for _, l := range lines {
		last = nil
		require.NoError(t, json.Unmarshal([]byte(l), &last), "every line is one JSON object: %q", l)
	}
	return last
}

func TestTrainEval(t *testing.T) {
	for _, mode := range []string{"ternary", "float", "int8"} {
		t.Run(mode, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "run")
			status, out, errs := command(append([]string{"train", "--quantize", mode, "-o", dir, "--json"}, quick...)...)
			require.Equal(t, statusOK, status, errs)
			assert.Empty(t, errs)
			done := lastLine(t, out)
			assert.Equal(t, "done", done["event"])
			assert.Equal(t, dir, done["dir"])
			assert.Len(t, done, 9)
			assert.Equal(t, map[string]any{"name": "1-nearest-neighbour", "value": 344.0 / 360}, done["baselines"].([]any)[1])
			test := done["test"].(map[string]any)
			assert.Len(t, test, 2)
			assert.Positive(t, test["loss"])
			for _, key := range []string{"seconds", "parameters", "float_bytes", "packed_bytes"} {
				assert.Positive(t, done[key], key)
			}
			assert.Greater(t, test["accuracy"], 0.0)
			assert.LessOrEqual(t, test["accuracy"], 1.0, "a fraction")
			assert.Equal(t, 4*done["parameters"].(float64), done["float_bytes"])
			if mode == "float" {
				assert.Equal(t, done["float_bytes"], done["packed_bytes"])
			} else {
				assert.Less(t, done["packed_bytes"], done["float_bytes"])
			}

			status, out, errs = command("eval", dir, "--json")
			require.Equal(t, statusOK, status, errs)
			eval := lastLine(t, out)
			assert.Equal(t, test, eval["test"], "eval must report the very measures of train")

			picture, err := os.Open(filepath.Join(dir, curveFile))
			require.NoError(t, err)
			defer picture.Close()
			_, err = png.Decode(picture)
			assert.NoError(t, err)
			files, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, files, 7, "latents, model, curve, config, metrics twice, report and nothing else")
		})
	}
}

func TestTrainRepeats(t *testing.T) {
	read := func(seed string) checkpoint.File {
		dir := t.TempDir()
		status, _, errs := command(append([]string{"train", "-o", dir, "--seed", seed}, quick...)...)
		require.Equal(t, statusOK, status, errs)
		f, err := checkpoint.Read(filepath.Join(dir, latentsFile))
		require.NoError(t, err)
		return f
	}
	first := read("3")
	assert.Equal(t, first, read("3"))
	assert.NotEqual(t, first.Tensors, read("4").Tensors)
}

func TestEvalUsesTheRunsTestPart(t *testing.T) {
	dir := t.TempDir()
	status, out, errs := command(append([]string{"train", "-o", dir, "--split", "shuffled", "--test-fraction", "0.1", "--split-seed", "7", "--json"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	done := lastLine(t, out)
	status, out, errs = command("eval", dir, "--json")
	require.Equal(t, statusOK, status, errs)
	eval := lastLine(t, out)
	assert.Equal(t, 180.0, eval["examples"], "a tenth of 1,797, rounded up")
	assert.Equal(t, done["test"], eval["test"])
}

func TestPlainOutput(t *testing.T) {
	dir := t.TempDir()
	status, out, _ := command(append([]string{"train", "-o", dir}, quick...)...)
	require.Equal(t, statusOK, status)
	for _, want := range []string{"1437 to train on, 360 to test on", "ternary weights, int8 activations", "epoch 1/1  loss", "test accuracy  0.", "\nbaselines      0.9028, logistic regression\n               0.9556, 1-nearest-neighbour\n", "packed", "latents.safetensors"} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "\x1b", "no terminal codes in a pipe")
	assert.NotContains(t, out, "\r")
	status, out, _ = command("eval", dir)
	require.Equal(t, statusOK, status)
	assert.Contains(t, out, "360 sequences of digits, given split")
}

func TestFaults(t *testing.T) {
	notARun := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(notARun, latentsFile), []byte("hello"), 0o666))
	file := filepath.Join(notARun, latentsFile)
	series := write(t, "a.ts", waves(20, 1))
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"unknown command", []string{"trian"}, statusUsage, `unknown command "trian"`},
		{"unknown flag", []string{"train", "--epoch", "3"}, statusUsage, "unknown flag: --epoch"},
		{"argument", []string{"train", "digits"}, statusUsage, "digits"},
		{"mode", []string{"train", "--quantize", "int3"}, statusUsage, `unknown mode "int3": want one of float, binary, ternary, int4, int8`},
		{"layer's mode", []string{"train", "--quantize", "ternary,*.up=int3"}, statusUsage, `unknown mode "int3": want one of float, binary, ternary, int4, int8`},
		{"two modes", []string{"train", "--quantize", "*.up=int8,ternary"}, statusUsage, `"ternary" is a second mode of all layers: want pattern=mode`},
		{"no such layer", []string{"train", "--quantize", "blocks.2.*=int8"}, statusUsage, `--quantize: pattern "blocks.2.*": no layer has such a name: want one of blocks.0.attn.qkv to blocks.1.ffn.down`},
		{"no pattern", []string{"train", "--quantize", "blocks.[=int8"}, statusUsage, `--quantize: pattern "blocks.[": syntax error in pattern`},
		{"no mode", []string{"train", "--quantize", ""}, statusUsage, `unknown mode ""`},
		{"every layer float", []string{"train", "--quantize", "*=float", "--activations", "int8"}, statusUsage, "int8 activations"},
		{"granularity", []string{"train", "--granularity", "row"}, statusUsage, `unknown granularity "row": want one of tensor, channel`},
		{"edifice channel", []string{"compare", "--numerics", "edifice", "--granularity", "channel"}, statusUsage, "--granularity: the Edifice numerics have one scale a weight: want tensor"},
		{"number", []string{"train", "--epochs", "many"}, statusUsage, "qat: --epochs \"many\": want a whole number\n"},
		{"real", []string{"train", "--jitter", "x"}, statusUsage, "qat: --jitter \"x\": want a number\n"},
		{"time", []string{"train", "--checkpoint-every", "5"}, statusUsage, "qat: --checkpoint-every \"5\": want a time such as 90s or 5m\n"},
		{"yes or no", []string{"train", "--raw=maybe"}, statusUsage, "qat: --raw \"maybe\": want true or false\n"},
		{"range", []string{"train", "--dropout", "1", "--epochs", "0"}, statusUsage, "epochs 0 is outside 1 to"},
		{"shift", []string{"train", "--shift", "1.5"}, statusUsage, "shift 1.5 is outside [0, 1]"},
		{"epochs", []string{"train", "--epochs", "9223372036854775807"}, statusUsage, "epochs 9223372036854775807 is outside"},
		{"flag of files", []string{"train", "--label", "y", "--window", "3"}, statusUsage, "--label, --window: for files, and the data is the embedded digits"},
		{"no config", []string{"train", "--config", file + ".json"}, statusUsage, "--config: "},
		{"not a config", []string{"train", "--config", file}, statusUsage, "--config: "},
		{"memory", []string{"train", "--data", file, "--memory", "0"}, statusUsage, "--memory 0: want 1 or more"},
		{"schedule", []string{"train", "--schedule", "steps"}, statusUsage, `schedule "steps", want one of cosine, linear, constant`},
		{"class weights", []string{"train", "--class-weights", "yes"}, statusUsage, `class weights "yes"`},
		{"test fraction of a given split", []string{"train", "--test-fraction", "0.3"}, statusUsage, "--test-fraction"},
		{"split seed of a given split", []string{"train", "--split-seed", "9"}, statusUsage, "--split-seed"},
		{"every fault", []string{"train", "--num-heads", "0", "--epochs", "0", "--split", "foo"}, statusUsage, "--num-heads: number of heads 0"},
		{"float with int8", []string{"train", "--quantize", "float", "--activations", "int8"}, statusUsage, "int8 activations"},
		{"no output", []string{"train", "-o", ""}, statusUsage, "--output is empty"},
		{"both faults", []string{"train", "--dropout", "1", "--epochs", "0"}, statusUsage, "dropout 1 is outside [0, 1)"},
		{"heads", []string{"train", "--num-heads", "5"}, statusUsage, "--num-heads: hidden size 64 is not a multiple of 5 heads"},
		{"data", []string{"train", "--data", "mnist"}, statusUsage, "--data mnist: no such file, and not one of the embedded data: digits"},
		{"data of a strange name", []string{"train", "--data", file}, statusUsage, ".safetensors"},
		{"split of files", []string{"train", "--data", series, "--split", "given"}, statusUsage, "does not go with files"},
		{"random split", []string{"train", "--data", series, "--split", "random"}, statusUsage, "--split random does not go with files: want auto, series, group, time; series draws at random, with --leak-overlaps where windows overlap\n"},
		{"split of digits", []string{"train", "--split", "group"}, statusUsage, "does not go with embedded data"},
		{"patience", []string{"train", "--patience", "3"}, statusUsage, "--patience needs a --validation-fraction"},
		{"split", []string{"train", "--split", "half"}, statusUsage, `unknown split "half"`},
		{"edifice int8", []string{"train", "--numerics", "edifice", "--activations", "int8"}, statusUsage, "int8 activations"},
		{"seeds", []string{"compare", "--seeds", "0"}, statusUsage, "--seeds 0"},
		{"eval without", []string{"eval"}, statusUsage, "0 directories, want that of one run"},
		{"no run", []string{"eval", filepath.Join(notARun, "none")}, statusFailed, "no run: stat "},
		{"no run to go on with", []string{"train", "--resume", filepath.Join(notARun, "none")}, statusFailed, "--resume: stat "},
		{"nothing to go on with", []string{"train", "--resume", filepath.Dir(series)}, statusFailed, "holds no unfinished run: no checkpoint had been saved in it"},
		{"not a run", []string{"eval", notARun}, statusFailed, latentsFile},
		{"output is a file", []string{"train", "-o", file}, statusFailed, file},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, out, errs := command(c.args...)
			assert.Equal(t, c.status, status)
			assert.Contains(t, errs, c.want)
			assert.Contains(t, errs, "qat: ")
			assert.Empty(t, out, "errors go to stderr")
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatFails(t *testing.T) {
	var errs bytes.Buffer
	assert.Equal(t, statusFailed, run([]string{"datasets", "digits"}, fullDisk{}, &errs))
	assert.Contains(t, errs.String(), "writing the output: no space left")
}

func TestHelp(t *testing.T) {
	// Every command there is, those of the library for command lines among them.
	var all [][]string
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		all = append(all, append(path[:len(path):len(path)], "--help"))
		for _, sub := range c.Commands() {
			walk(sub, append(path[:len(path):len(path)], sub.Name()))
		}
	}
	walk(rootCommand(io.Discard), nil)
	require.Contains(t, all, []string{"completion", "fish", "--help"})
	for _, args := range append(all, nil, []string{"help", "train"}, []string{"completion"}) {
		status, out, _ := command(args...)
		assert.Equal(t, statusOK, status, args)
		assert.Contains(t, out, "Examples:", args)
		assert.Contains(t, out, "Usage:", args)
	}
}
