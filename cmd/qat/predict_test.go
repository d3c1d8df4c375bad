package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

// TestPredict_recording: a packed model reads raw recordings, whatever else they hold
// and however their columns stand, by the names of its channels.
func TestPredict_recording(t *testing.T) {
	own, test := write(t, "mine.csv", recording(5)), write(t, "test.csv", regexp.MustCompile(`,0\.1\d+`).ReplaceAllString(others(recording(3)), ",?"))
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
	dir, done := trainedOn(t, append([]string{"--data", own, "--test", write(t, "test.csv", others(text))}, cut...)...)
	status, out, errs := command(append([]string{"eval", dir + "/" + modelFile, "--data", own, "--json"}, cut...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, done["test"], lastLine(t, out)["test"])
	rows := table(t, "predict", dir, "--input", own, "--group", "session")
	assert.Equal(t, []string{"input", "target.1"}, rows[0])
	lines := strings.Split(text, "\n")
	squares := 0.0
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[1], 64)
		require.NoError(t, err)
		first, err := strconv.Atoi(strings.TrimPrefix(row[0], own+":"))
		require.NoError(t, err)
		cells := strings.Split(lines[first-1+19], ",") // of the window's last step
		want, err := strconv.ParseFloat(cells[3], 64)
		require.NoError(t, err)
		squares += (v - want) * (v - want)
	}
	rmse := math.Sqrt(squares / float64(len(rows)-1))
	assert.InDelta(t, done["test"].(map[string]any)["rmse"], rmse, 1e-3, "float32 values of thousands")
}

// TestPredict_formats: the same series by each format, and the same answers to the bit.
func TestPredict_formats(t *testing.T) {
	series := write(t, "a.ts", waves(30, 1))
	dir, _ := trainedOn(t, "--data", series, "--test", series, "--leak-overlaps")
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
	assert.Equal(t, "qat: "+flat+": 1 value a step, the model reads 8: want the shape [N, T, 8]\n", errs)
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
