package main

import (
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
)

func TestShellQuote(t *testing.T) {
	for _, word := range []string{"", "plain", "--x=1,2", "a b", "it's", "$HOME", "`x`", "a\"b", "\\", "*", "~", "two\nlines", "é"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(word)).Output()
		require.NoError(t, err)
		assert.Equal(t, word, string(out))
	}
	assert.Equal(t, "--x=1,2", shellQuote("--x=1,2"), "what needs no quotes has none")
	ctx := withArgs(context.Background(), []string{"train", "-o", "my run"})
	assert.Equal(t, "qat train -o 'my run'", commandLine(ctx))
	assert.Equal(t, "qat", commandLine(context.Background()))
}

func TestRunConfig(t *testing.T) {
	dir := t.TempDir()
	want := runConfig{"qat train --data 'a<b'", train.Defaults(), dataset.Source{Name: "digits", Split: dataset.SplitGiven}}
	require.NoError(t, want.write(dir))
	got, err := readRunConfig(filepath.Join(dir, configFile))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	require.NoError(t, err)
	assert.Contains(t, string(b), "'a<b'", "a person reads it")
	require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), []byte("{"), 0o666))
	_, err = readRunConfig(filepath.Join(dir, configFile))
	assert.ErrorContains(t, err, configFile)
}

func TestMetricsLog(t *testing.T) {
	dir := t.TempDir()
	history := []train.Epoch{{Epoch: 1, Step: 5, Training: train.Metrics{Loss: 2}}, {Epoch: 2, Step: 10, Training: train.Metrics{Loss: 1}, Validation: &train.Metrics{Accuracy: 0.5, Loss: 1.5}, FlipRates: []float64{0.25, 0}}}
	read := func() string {
		b, err := os.ReadFile(filepath.Join(dir, metricsFile))
		require.NoError(t, err)
		return string(b)
	}
	l, err := openMetrics(dir, nil)
	require.NoError(t, err)
	require.NoError(t, l.add(history[:1]))
	require.NoError(t, l.add(history[:1]))
	assert.Equal(t, 1, strings.Count(read(), "\n"), "an epoch once")
	require.NoError(t, l.add(history))
	whole := read()
	assert.Equal(t, 2, strings.Count(whole, "\n"))
	require.NoError(t, l.close())

	// A killed run may leave an epoch too many, and half a line.
	require.NoError(t, os.WriteFile(filepath.Join(dir, metricsFile), []byte(whole+`{"epoch":3,`), 0o666))
	l, err = openMetrics(dir, history[:1])
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(read(), "\n"))
	require.NoError(t, l.add(history))
	require.NoError(t, l.close())
	assert.Equal(t, whole, read())
	_, err = openMetrics(filepath.Join(dir, "none"), nil)
	assert.Error(t, err)

	path := filepath.Join(dir, metricsCSVFile)
	require.NoError(t, writeMetricsCSV(path, []string{"a", "b"}, history))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, [][]string{
		{"epoch", "step", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy", "flip_rate.a", "flip_rate.b"},
		{"1", "5", "0", "2", "0", "", "", "", ""},
		{"2", "10", "0", "1", "0", "1.5", "0.5", "0.25", "0"},
	}, rows)
}

// TestPage trains for a moment and reads the report.
func TestPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a <run>")
	status, out, errs := command(append([]string{"train", "-o", dir, "--validation-fraction", "0.1", "--json"}, quick...)...)
	require.Equal(t, statusOK, status, errs)
	done := lastLine(t, out)
	b, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	page := string(b)
	for _, want := range []string{
		"digits: ternary sequence transformer", "1-nearest-neighbour", "logistic regression", "majority class", "95.8%", "90.3%",
		"of 360 test sequences", "validation", "blocks.0.attn.qkv.weight", "--validation-fraction 0.1", "a &lt;run&gt;",
	} {
		assert.Contains(t, page, want)
	}
	assert.NotEmpty(t, done["test"])
	c, err := readRunConfig(filepath.Join(dir, configFile))
	require.NoError(t, err)
	assert.Equal(t, 16, c.Config.Model.HiddenSize)
	assert.Equal(t, 8, c.Config.Model.WindowSize, "what the data decided")
	assert.Equal(t, 0.1, c.Data.ValidationFraction)
}
