package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trainedOn trains for a moment and returns the run's directory and its last line.
func trainedOn(t *testing.T, args ...string) (dir string, done map[string]any) {
	t.Helper()
	dir = t.TempDir()
	status, out, errs := command(append(append([]string{"train", "-o", dir, "--json", "--epochs", "1"}, small...), args...)...)
	require.Equal(t, statusOK, status, errs)
	return dir, lastLine(t, out)
}

// TestModelOfARun: a run ends with a packed model, which says the same of the test part
// as the run does, and which qat export makes again.
func TestModelOfARun(t *testing.T) {
	dir, done := trainedOn(t, "--quantize", "ternary,blocks.0.ffn.up=int4", "--granularity", "channel")
	file := filepath.Join(dir, modelFile)
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	model := done["model"].(map[string]any)
	assert.Equal(t, file, model["file"])
	assert.Equal(t, float64(len(want)), model["bytes"])
	assert.Equal(t, 360.0, model["checked_examples"])
	assert.Equal(t, done["parameters"], model["parameters"])
	assert.NotContains(t, model, "unchecked")
	assert.InDelta(t, done["float_bytes"].(float64)/float64(len(want)), model["ratio"], 1e-9)
	assert.Greater(t, model["bits_a_weight"], 1.6)
	assert.Less(t, model["bits_a_weight"], 8.0)

	status, out, errs := command("eval", file, "--data", "digits", "--json")
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"])
	assert.Equal(t, 360.0, lastLine(t, out)["examples"])

	again := filepath.Join(t.TempDir(), "again.qat")
	for _, check := range []struct {
		args []string
		said string
	}{
		{nil, "parity         same bits as the training graph on all 360 test examples\n"},
		{[]string{"--no-check"}, "parity         not checked: --no-check\n"},
	} {
		status, out, errs = command(append([]string{"export", dir, "-o", again}, check.args...)...)
		require.Equal(t, statusOK, status, errs)
		assert.Empty(t, errs)
		assert.Contains(t, out, check.said)
		assert.Contains(t, out, fmt.Sprintf("size           %d bytes, %v parameters\n", len(want), done["parameters"]))
		assert.Contains(t, out, fmt.Sprintf("ratio          %.1f times smaller than float32\n", model["ratio"]))
		got, err := os.ReadFile(again)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		require.NoError(t, os.Remove(again))
	}
	require.NoError(t, os.Remove(file))
	status, out, errs = command("export", dir, "--json")
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, model["bits_a_weight"], lastLine(t, out)["bits_a_weight"])
	assert.FileExists(t, file, "the default is the run's directory")

	page, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	assert.Contains(t, string(page), "same bits as the training graph on all 360 test examples")
}

// TestModelSaid: what train prints of the model it ends with.
func TestModelSaid(t *testing.T) {
	dir := t.TempDir()
	status, out, errs := command(append([]string{"train", "-o", dir, "-q"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	info, err := os.Stat(filepath.Join(dir, modelFile))
	require.NoError(t, err)
	assert.Regexp(t, fmt.Sprintf(`packed model   \S+/model.qat: %d bytes, 1\.\d+ bits a quantized weight\nparity         same bits as the training graph on all 360 test examples\n`, info.Size()), out)
}

// TestParityFault: a packed model that differs from its graph by one bit fails the
// run, and is not written; the latents are saved.
func TestParityFault(t *testing.T) {
	dir := t.TempDir()
	args := append([]string{"train", "-o", dir}, quick...)
	status, _, errs := command(args...)
	require.Equal(t, statusOK, status, errs)
	before := latentBytes(t, dir)

	t.Cleanup(func() { exportModel = (*train.Model).Export })
	exportModel = func(m *train.Model, p *preprocess.Pipeline) (*packed.Model, error) {
		model, err := m.Export(p)
		if err == nil {
			s := &model.Weights[len(model.Weights)-1].Scales[0]
			*s = math.Nextafter32(*s, 1)
		}
		return model, err
	}
	file := filepath.Join(t.TempDir(), modelFile)
	status, out, errs := command("export", dir, "-o", file)
	assert.Equal(t, statusFailed, status)
	assert.Empty(t, out)
	assert.Regexp(t, `^qat: train: the packed model differs from its training graph: example \d+, output \d+: the graph has \S+ \([0-9a-f]{8}\), the packed model \S+ \([0-9a-f]{8}\)\n$`, errs)
	assert.NoFileExists(t, file)

	status, out, errs = command(append(args, "--seed", "3")...)
	assert.Equal(t, statusFailed, status)
	assert.NotContains(t, out, "test accuracy")
	assert.Contains(t, errs, "there is no model.qat, but the latent weights are saved: "+filepath.Join(dir, latentsFile)+"\n")
	assert.NotEqual(t, before, latentBytes(t, dir))
	assert.NoFileExists(t, filepath.Join(dir, modelFile), "one of other latents must not stay")

	status, _, errs = command(append([]string{"compare", "--modes", "ternary", "--seeds", "1"}, quick...)...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "the packed model differs from its training graph")
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// TestPackedFaults: one line that says what and where, status 1, and nothing written.
func TestPackedFaults(t *testing.T) {
	dir, _ := trainedOn(t)
	digits := filepath.Join(dir, modelFile)
	rec := recording(3)
	records, _ := trainedOn(t, "--data", write(t, "mine.csv", rec), "--label", "activity", "--group", "session", "--window", "20")
	model := readAll(t, digits)
	flipped := []byte(model)
	flipped[len(flipped)-40] ^= 1
	row := strings.Repeat("1,", 63) + "1\n"
	good := write(t, "good.csv", row+row)
	for _, c := range []struct {
		name  string
		model string
		input string
		want  string
	}{
		{"no model", filepath.Join(dir, "none.qat"), good, "none.qat: stat: no such file or directory"},
		{"no model in a directory", filepath.Dir(good), good, modelFile + ": stat: no such file or directory"},
		{"not a model", write(t, "hello.qat", "hello, I am no model"), good, "hello.qat: not a safetensors file"},
		{"latents", filepath.Join(dir, latentsFile), good, `latents.safetensors: not a packed model: format is "qat.latents"`},
		{"truncated", write(t, "cut.qat", model[:len(model)-7]), good, fmt.Sprintf("cut.qat: the file has %d bytes, want %d", len(model)-7, len(model))},
		{"truncated header", write(t, "head.qat", model[:100]), good, "head.qat: cut short: a header of "},
		{"empty", write(t, "empty.qat", ""), good, "empty.qat: 0 bytes are no packed model"},
		{"damaged", write(t, "flip.qat", string(flipped)), good, "flip.qat: "},
		{"no input", digits, filepath.Join(dir, "x.csv"), "--input " + filepath.Join(dir, "x.csv") + ": stat: no such file or directory"},
		{"empty input", digits, write(t, "e.csv", ""), "e.csv: saw an empty file"},
		{"wrong width", digits, write(t, "w.csv", "1,2,3\n4,5,6\n"), "w.csv: line 1: saw 3 columns of values, want 1 or more, a multiple of 8 channels"},
		{"too many steps", digits, write(t, "l.csv", strings.Repeat("1,", 71)+"1\n"), "l.csv:1: infer: 9 steps, want 1 to the window of 8"},
		{"missing value", digits, write(t, "n.csv", row+strings.Replace(row, "1,1,", "1,NaN,", 1)), "n.csv:2: step 1 of 8, channel 2: saw NaN or no value, want a number: in training no value was missing"},
		{"infinite value", digits, write(t, "i.csv", row+strings.Replace(row, "1,1,", "1,1e39,", 1)), `i.csv: line 2, column 2: saw "1e39", want a number that fits 32 bits`},
		{"no number", digits, write(t, "t.csv", row+strings.Replace(row, "1,1,", "1,one,", 1)), `t.csv: line 2, column 2: saw "one", want a number`},
		{"ragged", digits, write(t, "r.csv", row+"1,2\n"), "r.csv: line 2: saw 2 columns, want 64, as the first row has"},
		{"no channel", records, write(t, "c.csv", strings.NewReplacer("x,y", "u,v").Replace(rec)), `c.csv: no channel column "x": the columns are session, u, v, activity (and 1 more)`},
		{"too short", records, write(t, "s.csv", "x,y\n1,2\n3,4\n"), "s.csv: no window: the longest unbroken run is 2 rows, want window 20"},
		{"no format", digits, write(t, "x.dat", row), `no format is known by the name ".dat"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, output := range []string{"-", filepath.Join(t.TempDir(), "y.csv"), filepath.Join(t.TempDir(), "y.npy")} {
				status, out, errs := command("predict", c.model, "--input", c.input, "--output", output)
				assert.Equal(t, statusFailed, status)
				assert.Empty(t, out)
				assert.Contains(t, errs, c.want)
				first, rest, _ := strings.Cut(errs, "\n")
				assert.True(t, strings.HasPrefix(first, "qat: "), first)
				assert.Empty(t, rest)
				if output != "-" {
					files, err := os.ReadDir(filepath.Dir(output))
					require.NoError(t, err)
					assert.Empty(t, files, "nothing half written")
				}
			}
			if c.input != good {
				return
			}
			for _, name := range []string{"inspect", "eval"} {
				args := []string{name, c.model}
				if name == "eval" {
					args = append(args, "--data", "digits")
				}
				status, out, errs := command(args...)
				assert.Equal(t, statusFailed, status)
				assert.Empty(t, out)
				assert.Contains(t, errs, c.want)
			}
		})
	}
	status, _, errs := command("predict", digits, "--input", good, "--output", filepath.Join(dir, "none", "y.csv"))
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "none/y.csv")
}

func TestPackedUsage(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20")
	model, rec := filepath.Join(dir, modelFile), write(t, "b.csv", recording(2))
	series := write(t, "a.ts", waves(20, 1))
	for want, args := range map[string][]string{
		"0 models, want one, as in: qat predict qat-run/model.qat": {"predict"},
		"0 models, want one, as in: qat inspect qat-run/model.qat": {"inspect"},
		"0 directories, want that of one run, as in: qat export":   {"export"},
		"--output is empty":                    {"export", dir, "-o", ""},
		"--input is missing":                   {"predict", model},
		`--output "y.txt": want `:              {"predict", model, "--input", rec, "--output", "y.txt"},
		"--window -1: want 0":                  {"predict", model, "--input", rec, "--window", "-1"},
		"--stride: of no use":                  {"predict", model, "--input", series, "--stride", "3"},
		"--ignore: of no use":                  {"predict", model, "--input", rec, "--ignore", "activity"},
		"--data is missing":                    {"eval", model},
		"--window, --label: of no":             {"eval", dir, "--label", "x", "--window", "3"},
		"--label is missing":                   {"eval", model, "--data", rec},
		"--target: the model predicts classes": {"eval", model, "--data", rec, "--target", "x"},
	} {
		status, out, errs := command(args...)
		assert.Equal(t, statusUsage, status, args)
		assert.Contains(t, errs, want)
		assert.Contains(t, errs, "\nRun 'qat ")
		assert.Empty(t, out)
	}
}

// TestOutputOverInput names as output what the command reads.
func TestOutputOverInput(t *testing.T) {
	dir := t.TempDir()
	status, _, errs := command(append([]string{"train", "-q", "-o", dir}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	input := write(t, "x.csv", strings.Repeat("0.5,", 63)+"0.5\n")
	latents := filepath.Join(dir, latentsFile)
	for _, tc := range []struct {
		file string
		args []string
	}{
		{latents, []string{"export", dir, "-o", latents}},
		{input, []string{"predict", dir, "--input", input, "--output", input}},
	} {
		before, err := os.ReadFile(tc.file)
		require.NoError(t, err)
		status, _, errs := command(tc.args...)
		assert.Equal(t, statusFailed, status)
		assert.Contains(t, errs, "name another file")
		after, err := os.ReadFile(tc.file)
		require.NoError(t, err)
		assert.Equal(t, before, after, tc.file)
	}
}

// TestNewRunOverOld begins a run where one has finished: nothing of the old one may
// stand beside the new one's config while that is under way.
func TestNewRunOverOld(t *testing.T) {
	dir := t.TempDir()
	status, _, errs := command(append([]string{"train", "-q", "-o", dir}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := trainOptions{recipe: newRecipe(true), dir: dir}
	o.config.Epochs = 1
	digits, err := dataset.Digits()
	require.NoError(t, err)
	tr, err := train.New(o.config, digits, nil)
	require.NoError(t, err)
	_, err = o.describe(ctx, tr)
	require.NoError(t, err)
	for _, name := range []string{latentsFile, modelFile, reportFile, curveFile, metricsCSVFile} {
		assert.NoFileExists(t, filepath.Join(dir, name))
	}
}
