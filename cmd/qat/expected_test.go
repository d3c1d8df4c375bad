package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oddAndEven is rows of so many values, and then one by which they are told apart.
func oddAndEven(rows int, steps func(row int) int) string {
	var b strings.Builder
	for i := range rows {
		n := steps(i)
		b.WriteString(strings.Repeat(fmt.Sprint(i%2, ","), n) + strings.Repeat(",", 20-n) + fmt.Sprint(i%2) + "\n")
	}
	return b.String()
}

// fails runs a command that is to fail with one line.
func fails(t *testing.T, want string, args ...string) {
	t.Helper()
	status, out, errs := command(args...)
	assert.Equal(t, statusFailed, status)
	assert.Empty(t, out)
	assert.Equal(t, "qat: "+want+"\n", errs)
}

// TestPredict_length: where all series in training had one length another is an
// error, for the wrong width of a channel's series is nothing else.
func TestPredict_length(t *testing.T) {
	train := write(t, "a.csv", oddAndEven(30, func(int) int { return 20 }))
	even, _ := trainedOn(t, "--data", train)
	mend := "name by --ignore the columns that are no values, or give --any-length to take it all the same"
	fails(t, train+":1: 21 steps, where all series in training had 20: "+mend, "predict", even, "--input", train)
	table(t, "predict", even, "--input", train, "--ignore", "-1")
	short := write(t, "b.csv", strings.Repeat("1,", 12)+"1\n")
	fails(t, short+":1: 13 steps, where all series in training had 20: "+mend, "predict", even, "--input", short)
	fails(t, short+":1: 12 steps, where all series in training had 20: "+mend, "eval", filepath.Join(even, modelFile), "--data", short)
	table(t, "predict", even, "--input", short, "--any-length")
	series := write(t, "c.ts", "@problemName x\n@univariate true\n@classLabel false\n@data\n"+strings.Repeat("1,", 20)+"1\n")
	fails(t, series+":5: 21 steps, where all series in training had 20: give --any-length to take it all the same", "predict", even, "--input", series)

	// Of unequal lengths a longer one may be right: that is a warning.
	uneven, _ := trainedOn(t, "--data", write(t, "d.csv", oddAndEven(30, func(i int) int { return 9 + i%4 })))
	table(t, "predict", uneven, "--input", short, "--ignore", "-1")
	status, _, errs := command("predict", uneven, "--input", short)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, errs, "--ignore")
	assert.Contains(t, errs, "rows=1")
}

// TestPredict_missing: a missing value is an error unless values were missing in the
// data of the run, in whatever format and however it is written.
func TestPredict_missing(t *testing.T) {
	cut := []string{"--label", "activity", "--group", "session", "--window", "20"}
	whole, _ := trainedOn(t, append([]string{"--data", write(t, "mine.csv", recording(3))}, cut...)...)
	gappy, _ := trainedOn(t, append([]string{"--data", write(t, "gap.csv", regexp.MustCompile(`,0\.1\d+`).ReplaceAllString(recording(3), ",?"))}, cut...)...)
	for _, missing := range []string{"?", "", "NaN"} {
		file := write(t, "x.csv", "x,y\n"+strings.Repeat("1,2\n", 7)+"1,"+missing+"\n"+strings.Repeat("1,2\n", 12))
		fails(t, file+":2: step 8 of 20, channel y: saw NaN or no value, want a number: in training no value was missing", "predict", whole, "--input", file)
		table(t, "predict", gappy, "--input", file)
	}
}

// TestPredict_cells: how to leave out a column is said where that helps, and only there.
func TestPredict_cells(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "a.csv", oddAndEven(30, func(int) int { return 20 })))
	row := strings.Repeat("1,", 19)
	for cell, want := range map[string]string{
		"walk": `: line 2, column 20: saw "walk", want a number: name by --ignore the columns that are no values`,
		"inf":  `: line 2, column 20: saw "inf", want a finite number`,
		"1e99": `: line 2, column 20: saw "1e99", want a number that fits 32 bits (at most 3.4e38)`,
	} {
		file := write(t, "x.csv", row+"1\n"+row+cell+"\n")
		fails(t, "dataset: "+file+want, "predict", dir, "--input", file)
	}
	records, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20")
	headless := write(t, "x.csv", row+"1\n")
	fails(t, "dataset: "+headless+`: channel column "x", want a number from 1 to 20: the file has no header (and 1 more)`, "predict", records, "--input", headless)
	empty := write(t, "x.csv", "")
	fails(t, "dataset: "+empty+": saw an empty file, want rows of cells", "predict", dir, "--input", empty)
}

// TestPredict_stdin: standard input is read as a file is, whose format its bytes say.
func TestPredict_stdin(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20")
	stdin := os.Stdin
	t.Cleanup(func() { os.Stdin = stdin })
	from := func(path string) {
		f, err := os.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		os.Stdin = f
	}
	rec := write(t, "r.csv", recording(2))
	want := table(t, "predict", dir, "--input", rec)
	for _, name := range []string{"-", "/dev/stdin"} {
		from(rec)
		got := table(t, "predict", dir, "--input", name)
		require.Len(t, got, len(want))
		for i := range got[1:] {
			assert.Equal(t, want[1+i][1:], got[1+i][1:])
			assert.Equal(t, strings.Replace(want[1+i][0], rec, stdinName, 1), got[1+i][0])
		}
	}
	from(write(t, "a.ts", "@problemName x\n@univariate false\n@dimensions 2\n@classLabel false\n@data\n"+strings.Repeat("1,", 19)+"1:"+strings.Repeat("2,", 19)+"2\n"))
	require.Len(t, table(t, "predict", dir, "--input", "-"), 1+1)
	npy := filepath.Join(t.TempDir(), "Y.NPY")
	status, _, errs := command("predict", dir, "--input", rec, "--output", npy)
	require.Equal(t, statusOK, status, errs)
	from(npy) // [N, 2] is N series of two steps of one channel
	fails(t, "standard input: 1 value a step, the model reads 2: want the shape [N, T, 2]", "predict", dir, "--input", "-")
	from(write(t, "none", ""))
	fails(t, "dataset: standard input: saw an empty file, want rows of cells", "predict", dir, "--input", "-")
}

// TestPredict_json has the numbers of the table.
func TestPredict_json(t *testing.T) {
	dir, _ := trainedOn(t, "--data", write(t, "mine.csv", recording(3)), "--label", "activity", "--group", "session", "--window", "20")
	rec := write(t, "r.csv", recording(2))
	want, raw := table(t, "predict", dir, "--input", rec)[1:], table(t, "predict", dir, "--input", rec, "--raw")[1:]
	lines := func(args ...string) (all []prediction) {
		status, out, errs := command(append([]string{"predict", dir, "--input", rec, "--json"}, args...)...)
		require.Equal(t, statusOK, status, errs)
		for line := range strings.Lines(out) {
			var one prediction
			require.NoError(t, json.Unmarshal([]byte(line), &one))
			all = append(all, one)
		}
		return all
	}
	text := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
	got := lines()
	require.Len(t, got, len(want))
	for i, one := range got {
		assert.Equal(t, want[i], []string{one.Input, one.Label, text(one.Probabilities["rest"]), text(one.Probabilities["walk"])})
		assert.Equal(t, "prediction", one.Event)
		assert.Nil(t, one.Outputs)
	}
	for i, one := range lines("--raw") {
		assert.Equal(t, raw[i][1:], []string{text(one.Outputs[0]), text(one.Outputs[1])})
		assert.Empty(t, one.Label)
	}
	status, _, errs := command("predict", dir, "--input", rec, "--json", "--output", "y.csv")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "--json is for standard output")
}

// TestPredict_unwritable is told before the model is run on input, which would fail.
func TestPredict_unwritable(t *testing.T) {
	dir, _ := trainedOn(t)
	bad := write(t, "bad.csv", "no number\n")
	none := filepath.Join(t.TempDir(), "none")
	fails(t, "--output "+none+"/y.npy: writing in "+none+": no such file or directory", "predict", dir, "--input", bad, "--output", none+"/y.npy")
	to := filepath.Join(t.TempDir(), "y.csv")
	require.NoError(t, os.Mkdir(to, 0o777))
	fails(t, "--output "+to+": is a directory, want a file", "predict", dir, "--input", bad, "--output", to)
	fails(t, "--output "+to+": is a directory, want a file", "export", dir, "--output", to)
	model := filepath.Join(dir, modelFile)
	fails(t, model+" is a file, want the directory of a run, such as "+dir, "export", model)
	files, err := os.ReadDir(filepath.Dir(to))
	require.NoError(t, err)
	assert.Len(t, files, 1, "no trial is left")
}
