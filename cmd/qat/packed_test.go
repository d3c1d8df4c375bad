package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
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

// table runs a command that prints CSV.
func table(t *testing.T, args ...string) [][]string {
	t.Helper()
	status, out, errs := command(args...)
	require.Equal(t, statusOK, status, errs)
	assert.Empty(t, errs)
	return tableOf(t, out)
}

func tableOf(t *testing.T, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return rows
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
		"no run: stat ":                      {filepath.Join(dir, "none")},
		latentsFile + ": ":                   {filepath.Dir(series)},
		"checkpoint: " + dir + "/none/m.qat": {dir, "--no-check", "-o", filepath.Join(dir, "none", "m.qat")},
		"is a directory, want a file":        {dir, "--no-check", "-o", dir},
	} {
		status, out, errs := command(append([]string{"export"}, args...)...)
		assert.Equal(t, statusFailed, status, args)
		assert.Empty(t, out)
		assert.Contains(t, errs, want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

// TestPredict_recording: a packed model reads raw recordings, whatever else they hold
// and however their columns stand, by the names of its channels.
func TestPredict_recording(t *testing.T) {
	own, test := write(t, "mine.csv", recording(5)), write(t, "test.csv", regexp.MustCompile(`,0\.1\d+`).ReplaceAllString(recording(3), ",?"))
	cut := []string{"--label", "activity", "--group", "session", "--window", "20", "--stride", "5"}
	dir, done := trainedOn(t, append([]string{"--data", own, "--test", test, "--frame", "4", "--hop", "2", "--center"}, cut...)...)
	model := filepath.Join(dir, modelFile)
	status, out, errs := command(append([]string{"eval", model, "--data", test, "--json"}, cut...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"], "raw values, by infer")

	rows := table(t, "predict", model, "--input", test, "--group", "session")
	require.Len(t, rows, 1+3*5, "101 rows of three sessions hold five windows of 20 each")
	assert.Equal(t, []string{"input", "label", "probability.rest", "probability.walk"}, rows[0])
	assert.Equal(t, test+":22", rows[2][0])
	for _, row := range rows[1:] {
		rest, err := strconv.ParseFloat(row[2], 32)
		require.NoError(t, err)
		walk, err := strconv.ParseFloat(row[3], 32)
		require.NoError(t, err)
		assert.InDelta(t, 1, rest+walk, 1e-6)
		assert.Equal(t, row[1] == "rest", rest >= walk)
	}
	require.Len(t, table(t, "predict", dir, "--input", test, "--group", "session", "--stride", "5"), 1+3*17)

	// The columns in another order, and no others.
	var turned strings.Builder
	for line := range strings.Lines(recording(3)) {
		cells := strings.Split(line, ",")
		fmt.Fprintf(&turned, "%s,%s,%s\n", cells[2], cells[1], cells[0])
	}
	status, straight, _ := command("predict", model, "--input", write(t, "a.csv", recording(3)), "--group", "session", "--stride", "5", "--raw")
	require.Equal(t, statusOK, status)
	status, other, _ := command("predict", model, "--input", write(t, "b.csv", turned.String()), "--group", "session", "--stride", "5", "--raw")
	require.Equal(t, statusOK, status)
	values := func(text string) (all []string) {
		for _, row := range tableOf(t, text) {
			all = append(all, strings.Join(row[1:], ","))
		}
		return all
	}
	assert.Equal(t, values(straight), values(other))
	assert.Equal(t, "logit.rest,logit.walk", values(straight)[0])
}

// TestPredict_targets: predictions in the units of the data.
func TestPredict_targets(t *testing.T) {
	text := strings.ReplaceAll(recording(5), ",rest", ",1000")
	text = strings.ReplaceAll(text, ",walk", ",3000")
	own := write(t, "mine.csv", text)
	cut := []string{"--target", "activity", "--group", "session", "--window", "20"}
	dir, done := trainedOn(t, append([]string{"--data", own, "--test", write(t, "test.csv", text)}, cut...)...)
	status, out, errs := command(append([]string{"eval", dir + "/" + modelFile, "--data", own, "--json"}, cut...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"])
	rows := table(t, "predict", dir, "--input", own)
	assert.Equal(t, []string{"input", "target.1"}, rows[0])
	v, err := strconv.ParseFloat(rows[1][1], 64)
	require.NoError(t, err)
	assert.InDelta(t, 2000, v, 1500, "in the units of the data")
}

// TestPredict_formats: the same series by each format, and the same answers to the bit.
func TestPredict_formats(t *testing.T) {
	series := write(t, "a.ts", waves(30, 1))
	dir, _ := trainedOn(t, "--data", series, "--test", series)
	model := filepath.Join(dir, modelFile)
	var wide, unlabelled strings.Builder
	wide.WriteString("who" + strings.Repeat(",x", 17) + "\n") // the last cells are empty: no steps
	unlabelled.WriteString("@problemName Waves\n@univariate true\n@classLabel false\n@data\n")
	_, lines, _ := strings.Cut(waves(30, 1), "@data\n")
	for line := range strings.Lines(lines) {
		values, _, _ := strings.Cut(line, ":")
		unlabelled.WriteString(values + "\n")
		wide.WriteString("nobody," + values + strings.Repeat(",", 16-strings.Count(values, ",")) + "\n")
	}
	status, out, errs := command("predict", model, "--input", series)
	require.Equal(t, statusOK, status, errs)
	want := tableOf(t, out)
	require.Len(t, want, 31)
	for _, args := range [][]string{
		{"--input", write(t, "b.ts", unlabelled.String())},
		{"--input", write(t, "c.csv", wide.String()), "--ignore", "who"},
		{"--input", write(t, "d.csv", wide.String()), "--group", "who"},
	} {
		got := table(t, append([]string{"predict", model}, args...)...)
		require.Len(t, got, len(want))
		for i := range got {
			assert.Equal(t, want[i][1:], got[i][1:])
		}
	}

	// To files: what standard output has, and the numbers alone.
	to := filepath.Join(t.TempDir(), "y.csv")
	status, said, errs := command("predict", model, "--input", series, "--output", to)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, "30 predictions by "+model+", in "+to+"\n", said)
	got, err := os.ReadFile(to)
	require.NoError(t, err)
	assert.Equal(t, out, string(got))
	to = filepath.Join(filepath.Dir(to), "y.npy")
	status, said, errs = command("predict", model, "--input", series, "--output", to, "-q")
	require.Equal(t, statusOK, status, errs)
	assert.Empty(t, said)
	stream, err := dataset.ReadNPY(dataset.File(to), dataset.NPYOptions{})
	require.NoError(t, err)
	all, err := dataset.Collect(stream)
	require.NoError(t, err)
	require.Len(t, all.Series, 30)
	for i, one := range all.Series {
		for k, v := range one.Values {
			assert.Equal(t, want[1+i][2+k], strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
	}
	info, err := os.Stat(to)
	require.NoError(t, err)
	assert.Equal(t, int64(128+4*30*2), info.Size(), "a header that fills two times 64 bytes")
}

// TestPredict_embedded: a model without a pipeline, which reads arrays and rows as
// they are.
func TestPredict_embedded(t *testing.T) {
	dir, _ := trainedOn(t)
	digits, err := dataset.Digits()
	require.NoError(t, err)
	m, err := infer.Open(filepath.Join(dir, modelFile))
	require.NoError(t, err)
	var rows strings.Builder
	var array bytes.Buffer
	p := predictions{columns: make([]string, 64), where: make([]string, 200), values: digits.Values[:200*64]}
	require.NoError(t, p.writeNPY(&array))
	flat := write(t, "flat.npy", array.String())
	cube := write(t, "cube.npy", strings.Replace(array.String(), "(200, 64), }  ", "(200, 8, 8), }", 1))
	for i := range 200 {
		rows.WriteString(strings.Trim(strings.ReplaceAll(fmt.Sprint(digits.At(i)), " ", ","), "[]") + "\n")
	}
	want := table(t, "predict", dir, "--input", write(t, "x.csv", rows.String()))
	require.Len(t, want, 201)
	for i, row := range want[1:] {
		out, err := m.Predict(nil, digits.At(i))
		require.NoError(t, err)
		label, _, err := m.Label(out)
		require.NoError(t, err)
		assert.Equal(t, label, row[1])
	}
	status, _, errs := command("predict", dir, "--input", flat)
	assert.Equal(t, statusFailed, status)
	assert.Equal(t, "qat: "+flat+": 1 value a step, the model reads 8\n", errs)
	got := table(t, "predict", dir, "--input", cube)
	require.Len(t, got, len(want))
	for i := range got {
		assert.Equal(t, want[i][1:], got[i][1:])
	}
}

// TestPredict_outputs: models that were not made by qat train, as an own program has
// them: outputs a step and no head; targets of framed recordings.
func TestPredict_outputs(t *testing.T) {
	models := filepath.Join("..", "..", "infer", "testdata")
	steps := write(t, "x.csv", "2,0,1,2,0,"+strings.Repeat("1,0,-1,2,0.5,", 7)+"1,0,-1,2,0.5\n"+strings.Repeat("1,", 9)+"1"+strings.Repeat(",", 35)+"\n")
	rows := table(t, "predict", filepath.Join(models, "ternary.qat"), "--input", steps)
	require.Len(t, rows, 1+9+2)
	assert.Equal(t, []string{"input", "step", "output.1"}, rows[0][:3])
	assert.Len(t, rows[0], 2+14)
	assert.Equal(t, []string{steps + ":1", "9"}, rows[9][:2])
	assert.Equal(t, []string{steps + ":2", "1"}, rows[10][:2])
	assert.NotEqual(t, rows[1][2:], rows[2][2:])

	rec := write(t, "r.csv", "gy,t,gx\n"+strings.Repeat("1,0,2\n3,0,\n", 50))
	rows = table(t, "predict", filepath.Join(models, "recording.qat"), "--input", rec, "--stride", "10")
	require.Len(t, rows, 1+8, "windows of 28 rows among 100")
	assert.Equal(t, []string{"input", "target.1", "target.2"}, rows[0])

	for want, args := range map[string][]string{
		"the model has no head":                      {"eval", filepath.Join(models, "ternary.qat"), "--data", steps},
		"digits: 8 values a step, the model reads 5": {"eval", filepath.Join(models, "binary.qat"), "--data", "digits"},
		`class "7", want one of left, none, right`:   {"eval", filepath.Join(models, "binary.qat"), "--data", write(t, "c.csv", strings.Repeat("1,2,3,4,5,7\n", 3))},
	} {
		status, out, errs := command(args...)
		assert.Equal(t, statusFailed, status)
		assert.Empty(t, out)
		assert.Contains(t, errs, want)
	}
}

// TestEval_arrays measures a packed model on arrays of values and of classes.
func TestEval_arrays(t *testing.T) {
	dir, done := trainedOn(t)
	digits, err := dataset.Digits()
	require.NoError(t, err)
	_, test, err := digits.SplitAt(dataset.DigitsTrain)
	require.NoError(t, err)
	array := func(name string, columns int, values []float32) string {
		var b bytes.Buffer
		p := predictions{columns: make([]string, columns), where: make([]string, len(values)/columns), values: values}
		require.NoError(t, p.writeNPY(&b))
		return write(t, name, strings.Replace(b.String(), "(360, 64), }  ", "(360, 8, 8), }", 1))
	}
	labels := make([]float32, test.Len())
	for i, label := range test.Labels {
		labels[i] = float32(label)
	}
	status, out, errs := command("eval", dir, "--data", array("x.npy", 64, test.Values)+","+array("y.npy", 1, labels), "--json")
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"])
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
		{"missing value", digits, write(t, "n.csv", row+strings.Replace(row, "1,1,", "1,NaN,", 1)), "n.csv:2: infer: step 0, channel 1 is NaN"},
		{"infinite value", digits, write(t, "i.csv", row+strings.Replace(row, "1,1,", "1,1e39,", 1)), `i.csv: line 2, column 2: saw "1e39", want a number that fits 32 bits`},
		{"no number", digits, write(t, "t.csv", row+strings.Replace(row, "1,1,", "1,one,", 1)), `t.csv: line 2, column 2: saw "one", want a number`},
		{"ragged", digits, write(t, "r.csv", row+"1,2\n"), "r.csv: line 2: saw 2 columns, want 64, as the first row has"},
		{"no channel", records, write(t, "c.csv", strings.NewReplacer("x,y", "u,v").Replace(rec)), `c.csv: no channel column "x": the columns are session, u, v, activity; dataset: `},
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
				assert.True(t, rest == "" || strings.HasPrefix(rest, "Try --ignore"), rest)
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
	status, _, errs = command("predict", records, "--input", write(t, "m.csv", "x,y\n"+strings.Repeat("?,1\n", 20)))
	assert.Equal(t, statusOK, status, "with a pipeline a value may be missing: %s", errs)
}

// TestPredict_long warns of rows with more than the model reads: one may be a class.
func TestPredict_long(t *testing.T) {
	var rows strings.Builder
	for i := range 30 {
		rows.WriteString(strings.Repeat(fmt.Sprint(i%2, ","), 12) + fmt.Sprint(i%2) + "\n")
	}
	file := write(t, "a.csv", rows.String())
	dir, _ := trainedOn(t, "--data", file)
	status, _, errs := command("predict", dir, "--input", file)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, errs, "--ignore")
	assert.Contains(t, errs, "rows=30")
	table(t, "predict", dir, "--input", file, "--ignore", "-1")
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

// TestInspect counts what the file holds.
func TestInspect(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20",
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
		"reads          raw values of 2 channels (x, y), filled and scaled; the last 20 steps\n", "returns        2 classes: rest, walk\n", "sha256         " + hex.EncodeToString(sum[:]),
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
