package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small are flags that make a model which a test trains in a second or two.
var small = []string{"--hidden-size", "16", "--num-layers", "1", "--num-heads", "2", "--batch-size", "13"}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// waves is a .ts file of n series, slow or fast waves of lengths from 11 to 17.
func waves(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	b.WriteString("@problemName Waves\n@timeStamps false\n@missing false\n@univariate true\n@equalLength false\n@classLabel true slow fast\n@data\n")
	for i := range n {
		name, rate := "slow", 0.4
		if i%2 == 1 {
			name, rate = "fast", 1.3
		}
		phase := rng.Float64()
		for s := range 11 + rng.IntN(7) {
			if s > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "%.4f", math.Sin(rate*float64(s)+phase))
		}
		fmt.Fprintf(&b, ":%s\n", name)
	}
	return b.String()
}

// recording is a CSV of sessions in which somebody rests or walks.
func recording(sessions int) string {
	rng := rand.New(rand.NewPCG(3, 0))
	var b strings.Builder
	b.WriteString("session,x,y,activity\n")
	for s := range sessions {
		for t := range 101 {
			name, size := "rest", 0.1
			if t > 50 {
				name, size = "walk", 2.0
			}
			fmt.Fprintf(&b, "s%d,%.4f,%.4f,%s\n", s, size*math.Sin(float64(t)), size*rng.NormFloat64(), name)
		}
	}
	return b.String()
}

// others is a recording of other sessions than text has.
func others(text string) string { return strings.ReplaceAll(text, "\ns", "\no") }

func TestTrainOnFiles(t *testing.T) {
	own := []string{"--data", write(t, "Waves_TRAIN.ts", waves(60, 1)), "--test", write(t, "Waves_TEST.ts", waves(41, 2))}
	rec := write(t, "mine.csv", recording(7))
	for _, c := range []struct {
		name string
		args []string
		said []string
	}{
		{"ts with its test file", own, []string{"own test files: 60 to train on, 41 to test on; 2 classes"}},
		{"ts split", own[:2], []string{"split by series: 48 to train on, 12 to test on"}},
		{"recording by group", []string{"--data", rec, "--label", "activity", "--group", "session", "--window", "17", "--stride", "5"}, []string{"14 steps of 10 values: frames of 4 time steps, one every 1", "split by group: ", "the test part is 1 of 7 groups: s"}},
		{"recording in frames", []string{"--data", rec, "--label", "activity", "--group", "session", "--window", "20", "--frame", "4", "--hop", "2", "--center"}, []string{"9 steps of 10 values: frames of 4 time steps, one every 2, the mean beside them, channels standardised\n"}},
		{"as they are", append([]string{"--frame", "2", "--center=false", "--raw", "--scale-inputs"}, own...), []string{"frames of 2 time steps, one every 2, not centred, channels as they are, frames too\n"}},
		{"validation", append([]string{"--validation-fraction", "0.25", "--patience", "40"}, own...), []string{"45 to train on, 15 to validate on, 41 to test on", "  validation loss"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append(append([]string{"train", "-o", dir, "--epochs", "60", "--learning-rate", "0.01", "--jitter", "0.05", "--scaling", "0"}, small...), c.args...)
			status, out, errs := command(args...)
			require.Equal(t, statusOK, status, errs)
			for _, want := range c.said {
				assert.Contains(t, out, want)
			}
			status, eval, errs := command("eval", dir, "--json")
			require.Equal(t, statusOK, status, errs)
			accuracy := lastLine(t, eval)["test"].(map[string]any)["accuracy"].(float64)
			assert.Greater(t, accuracy, 0.7, "chance is a half")
			assert.Contains(t, out, fmt.Sprintf("test accuracy  %.4f", accuracy))
		})
	}
}

func TestFileFaults(t *testing.T) {
	rec := write(t, "mine.csv", recording(3))
	train := func(args ...string) (int, string) {
		status, _, errs := command(append(append([]string{"train", "-o", t.TempDir(), "--epochs", "1"}, small...), args...)...)
		return status, errs
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"overlap without groups", []string{"--data", rec, "--label", "activity", "--window", "17", "--stride", "5", "--channels", "x,y"}, "windows overlap"},
		{"too few groups", []string{"--data", write(t, "one.csv", recording(1)), "--label", "activity", "--group", "session", "--window", "17"}, "group"},
		{"no such column", []string{"--data", rec, "--label", "action", "--window", "17"}, `"action"`},
		{"bad number", []string{"--data", write(t, "bad.csv", strings.Replace(recording(3), "s1,", "s1,oops", 1)), "--label", "activity", "--group", "session", "--window", "17"}, "line 103, column 2"},
		{"tested on what was trained on", []string{"--data", rec, "--test", write(t, "test.csv", recording(2)), "--label", "activity", "--group", "session", "--window", "17"}, "test.csv: group \"s0\" is in the training files too: want each wholly in one part, or allow the leak by name\nTry --test with "},
		{"class of the test part", []string{"--data", write(t, "a.ts", waves(20, 1)), "--test", write(t, "b.ts", strings.ReplaceAll(waves(20, 2), "fast", "faster"))}, `class "faster"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, errs := train(c.args...)
			assert.Equal(t, statusFailed, status)
			assert.Contains(t, errs, c.want)
		})
	}
}

func TestDatasets(t *testing.T) {
	status, out, _ := command("datasets")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "digits\n", out)
	status, out, _ = command("datasets", "digits")
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, "1797 series of 8 steps of 8 channels, 10 classes")
	path := write(t, "Waves.ts", waves(60, 1))
	status, out, errs := command("datasets", path)
	require.Equal(t, statusOK, status, errs)
	for _, want := range []string{"60", "11", "17", "slow", "fast"} {
		assert.Contains(t, out, want)
	}
	for _, want := range []string{"split by series: 48 to train on, 12 to test on; 2 classes", "inputs ", "recipe "} {
		assert.Contains(t, out, want, "what train would do")
	}
	rec := write(t, "mine.csv", recording(1))
	status, out, errs = command("datasets", rec, "--label", "activity", "--window", "17", "--stride", "3", "--channels", "x,y")
	require.Equal(t, statusFailed, status, "as train would end")
	assert.Contains(t, out, "walk")
	assert.True(t, strings.HasSuffix(out, "\nqat train would\nrefuse them\n"), out)
	assert.Contains(t, errs, "windows overlap")
	assert.Contains(t, errs, "Try --group ", "what train would say")
	status, _, errs = command("datasets", rec, "--label", "activity", "--group", "session", "--window", "17")
	require.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "qat: dataset: ")
	status, out, errs = command("datasets", path, "--json")
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, 60.0, lastLine(t, out)["series"])
}

// measured is the result of a run, as eval says it too.
func measured(t *testing.T, dir string, args ...string) (test map[string]any, out string) {
	t.Helper()
	status, out, errs := command(append(append([]string{"train", "-o", dir}, small...), args...)...)
	require.Equal(t, statusOK, status, errs)
	status, eval, errs := command("eval", dir, "--json")
	require.Equal(t, statusOK, status, errs)
	return lastLine(t, eval)["test"].(map[string]any), out
}

func TestRegressionOnFiles(t *testing.T) {
	var b strings.Builder
	b.WriteString("session,x,y\n")
	rng := rand.New(rand.NewPCG(3, 0))
	for s := range 9 {
		phase := rng.Float64() * 6
		for i := range 151 {
			v := 50 + 10*math.Sin(0.3*float64(i)+phase)
			fmt.Fprintf(&b, "s%d,%.4f,%.4f\n", s, v, 3*v+rng.NormFloat64())
		}
	}
	rec := write(t, "mine.csv", b.String())
	same := []string{"--data", rec, "--group", "session", "--window", "13", "--stride", "4", "--epochs", "40", "--learning-rate", "0.01", "--jitter", "0", "--scaling", "0", "--shift", "0"}
	for _, c := range []struct {
		name     string
		args     []string
		channels string
	}{
		{"regression", []string{"--target", "y"}, "of 1 value: channels standardised\n"},
		{"forecast", []string{"--target", "x,y", "--horizon", "5"}, "of 2 values: channels standardised\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			test, out := measured(t, dir, append(slices.Clone(same), c.args...)...)
			assert.Greater(t, test["r2"], 0.7)
			assert.Less(t, test["rmse"], 10.0, "the deviation of y is 21")
			assert.NotContains(t, test, "accuracy")
			assert.Contains(t, out, c.channels)
			assert.Contains(t, out, "test RMSE ")
			page, err := os.ReadFile(filepath.Join(dir, reportFile))
			require.NoError(t, err)
			for _, want := range []string{"ridge regression", "1-nearest-neighbour", "mean of the targets", "y, predicted against actual", "test R²", "<dt>group</dt><dd>session", "<dt>window</dt><dd>13"} {
				assert.Contains(t, string(page), want)
			}
			rows, err := os.ReadFile(filepath.Join(dir, metricsCSVFile))
			require.NoError(t, err)
			assert.Contains(t, string(rows), "epoch,step,learning_rate,loss,rmse,mae,r2,validation_loss,")
		})
	}
}

// TestStreamedRun trains on a file that is larger than --memory, and on the same
// file in memory: the accuracy of one model on the two is the same.
func TestStreamedRun(t *testing.T) {
	var b strings.Builder
	b.WriteString("session,x,y,activity\n")
	rng := rand.New(rand.NewPCG(3, 0))
	for s := range 5 {
		for i := range 1500 {
			name, size := "rest", 0.1
			if i/200%2 == 1 {
				name, size = "walk", 2.0
			}
			fmt.Fprintf(&b, "s%d,%.3f,%.3f,%s\n", s, size*rng.NormFloat64(), size*rng.NormFloat64(), name)
		}
	}
	path := write(t, "long.csv", b.String())
	args := []string{"--data", path, "--label", "activity", "--group", "session", "--window", "40", "--stride", "1", "--frame", "8", "--hop", "8", "--epochs", "1"}
	dir := t.TempDir()
	test, out := measured(t, dir, append(slices.Clone(args), "--memory", "1")...)
	assert.Contains(t, out, "the training part is read from its files each time, shuffled among ")
	assert.Greater(t, test["accuracy"], 0.8)
	page, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	assert.Contains(t, string(page), "left out, the data is read from its files")
	assert.Contains(t, string(page), "standardised")
	assert.Contains(t, out, "\nbaselines      logistic regression: left out, the data is read from its files\n")

	// config.json makes the run again, and flags go over it.
	again := t.TempDir()
	status, _, errs := command("train", "-o", again, "--config", filepath.Join(dir, configFile))
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, latentBytes(t, dir), latentBytes(t, again))
	held := t.TempDir()
	status, out, errs = command("train", "-o", held, "--config", filepath.Join(dir, configFile), "--memory", "1024", "--epochs", "2")
	require.Equal(t, statusOK, status, errs)
	assert.NotContains(t, out, "read from its files")
	c, err := readRunConfig(filepath.Join(held, configFile))
	require.NoError(t, err)
	assert.Equal(t, 2, c.Config.Epochs)
	assert.Equal(t, 16, c.Config.Model.HiddenSize)
	assert.Equal(t, int64(0), c.Data.Memory)
}
