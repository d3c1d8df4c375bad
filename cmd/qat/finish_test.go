package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sameRuns holds every file of two runs together, but for what tells when and by which
// command they were made.
func sameRuns(t *testing.T, want, got string) {
	t.Helper()
	for _, name := range []string{latentsFile, modelFile, metricsFile, metricsCSVFile, curveFile} {
		w, err := os.ReadFile(filepath.Join(want, name))
		require.NoError(t, err)
		g, err := os.ReadFile(filepath.Join(got, name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(w, g), name)
	}
	_, err := os.Stat(filepath.Join(got, reportFile))
	assert.NoError(t, err)
	_, err = os.Stat(filepath.Join(got, checkpointDir))
	assert.ErrorIs(t, err, os.ErrNotExist, "a finished run has no checkpoints")
}

// chance gives series classes by chance, so that training soon makes the validation no
// better.
func chance(series string) string {
	rng := rand.New(rand.NewPCG(1, 2))
	head, lines, _ := strings.Cut(series, "@data\n")
	var text strings.Builder
	text.WriteString(head + "@data\n")
	for line := range strings.Lines(lines) {
		values := line[:strings.LastIndexByte(line, ':')]
		text.WriteString(values + []string{":slow\n", ":fast\n"}[rng.IntN(2)])
	}
	return text.String()
}

// TestInterruptedFinish stops a run once it is trained, while a baseline that takes
// seconds is computed. Early stopping ended it, and the weights are an earlier epoch's.
func TestInterruptedFinish(t *testing.T) {
	data := []string{
		"--data", write(t, "a.ts", chance(waves(4000, 1))), "--test", write(t, "b.ts", chance(waves(4000, 2))),
		"--validation-fraction", "0.1", "--patience", "1", "--epochs", "9", "--learning-rate", "0.05",
		"--hidden-size", "8", "--num-layers", "1", "--num-heads", "1", "--batch-size", "256", "--frame", "4", "--hop", "4",
	}
	alone, dir := t.TempDir(), t.TempDir()
	status, out, errs := command(append([]string{"train", "-o", alone}, data...)...)
	require.Equal(t, statusOK, status, errs)
	assert.Regexp(t, `\nstopped   early, after epoch \d of 9: 1 epoch without a better validation\nweights   those of epoch \d, the best on the validation part, are kept\n`, out)

	cmd, _ := process(append([]string{"train", "-o", dir}, data...)...)
	said := new(bytes.Buffer)
	cmd.Stderr = said
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test failed
	var seen []byte
	for buf := make([]byte, 4096); !bytes.Contains(seen, []byte("now       a baseline, ")); {
		n, err := pipe.Read(buf)
		require.NoError(t, err, "%s", seen)
		seen = append(seen, buf[:n]...)
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, pipe)
	assert.Equal(t, statusInterrupted, exitCode(t, cmd.Wait()))
	assert.Regexp(t, `^qat: interrupted after step \d+; go on with: qat train --resume `+dir+`\n$`, said)
	_, err = os.Stat(filepath.Join(dir, reportFile))
	assert.ErrorIs(t, err, os.ErrNotExist)

	status, again, errs := command("train", "--resume", dir)
	require.Equal(t, statusOK, status, errs)
	assert.NotContains(t, again, "loss 0", "no epoch is trained again")
	_, end, _ := strings.Cut(out, "\ntest accuracy")
	end, _, _ = strings.Cut(end, "\npacked model")
	assert.Contains(t, again, end, "measures and baselines")
	sameRuns(t, alone, dir)
}

// endsAt is an output that ends a context when something was written to it.
type endsAt struct {
	bytes.Buffer
	text string
	end  func()
}

func (w *endsAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.text)) {
		w.end()
	}
	return w.Buffer.Write(b)
}

// TestInterruptedLastStep: a Ctrl-C that comes with the last step is one that is
// obeyed, and what is left is done by --resume.
func TestInterruptedLastStep(t *testing.T) {
	alone, dir := t.TempDir(), t.TempDir()
	status, _, errs := command(append([]string{"train", "-o", alone}, quick...)...)
	require.Equal(t, statusOK, status, errs)

	out := stopAt(t, "epoch 1/1", dir, quick...)
	assert.NotContains(t, out, "test accuracy")
	status, _, errs = command("train", "--resume", dir)
	require.Equal(t, statusOK, status, errs)
	sameRuns(t, alone, dir)
}

// stopAt trains and is interrupted as soon as it says so much. It returns what it said.
func stopAt(t *testing.T, said, dir string, args ...string) string {
	t.Helper()
	o := trainOptions{recipe: newRecipe(true), dir: dir, everySteps: 5}
	cmd := &cobra.Command{}
	o.register(cmd.Flags())
	require.NoError(t, cmd.ParseFlags(args))
	require.NoError(t, o.recipe.judge(cmd))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &endsAt{text: said, end: cancel}
	err := runTrain(ctx, o, &console{Writer: out, log: slog.New(slog.DiscardHandler)})
	var stopped *interruption
	require.True(t, errors.As(err, &stopped), "%v", err)
	return out.String()
}

// TestResumeOtherData goes on with data that was changed: that is said once, and not
// of each checkpoint.
func TestResumeOtherData(t *testing.T) {
	file := write(t, "mine.ts", waves(60, 1))
	dir := t.TempDir()
	stopAt(t, "epoch 3/", dir, append([]string{"--data", file, "--epochs", "9"}, small...)...)
	for _, c := range []struct{ text, want string }{
		{waves(66, 1), "mine: the training part has 52 sequences, and had 48"},
		{waves(60, 2), "mine: the training part has as many sequences as it had, 48, of other values, lengths or classes"},
		{strings.Replace(waves(60, 1), ":fast", ":quick", 1), "dataset: " + file + `: line 9, column 82 (class): saw "quick", want one of slow, fast`},
	} {
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o666))
		status, _, errs := command("train", "--resume", dir)
		assert.Equal(t, statusFailed, status)
		assert.Equal(t, "qat: train: resume: the data is not what the run was begun with: "+c.want+"\n", errs)
	}
	require.NoError(t, os.WriteFile(file, []byte(waves(60, 1)), 0o666))
	status, _, errs := command("train", "--resume", dir)
	assert.Equal(t, statusOK, status, errs)
}
