package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/qat-go/qat/checkpoint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asCommand makes the test binary the command itself, for tests that kill it.
const asCommand = "QAT_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

func process(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	return cmd, &errs
}

// waitFor waits for what another process does.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	require.Eventually(t, done, time.Minute, 5*time.Millisecond)
}

func latentBytes(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, latentsFile))
	require.NoError(t, err)
	return b
}

// longRecording is a file of sessions whose windows of 40 steps take more than a MiB.
func longRecording(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("session,x,y,activity\n")
	rng := rand.New(rand.NewPCG(3, 0))
	for s := range 5 {
		for i := range 900 {
			name, size := "rest", 1.0
			if i/200%2 == 1 {
				name, size = "walk", 1.3
			}
			fmt.Fprintf(&b, "s%d,%.3f,%.3f,%s\n", s, size*rng.NormFloat64(), size*rng.NormFloat64(), name)
		}
	}
	return write(t, "long.csv", b.String())
}

// TestKilledRun kills a training at random moments and resumes it, more than
// twenty times: the result must have the bytes of a run that was left alone.
func TestKilledRun(t *testing.T) {
	t.Run("in_memory", func(t *testing.T) {
		killRun(t, 11, "--epochs", "60", "--quantize-warmup", "0.5", "--hidden-size", "16", "--num-layers", "1", "--num-heads", "2")
	})
	t.Run("streamed", func(t *testing.T) {
		if testing.Short() {
			t.Skip("minutes under the race detector")
		}
		said := killRun(t, 12, "--data", longRecording(t), "--label", "activity", "--group", "session", "--window", "40", "--stride", "1",
			"--memory", "1", "--frame", "8", "--hop", "8", "--validation-fraction", "0.25", "--epochs", "60", "--patience", "8", "--learning-rate", "0.002",
			"--jitter", "0.1", "--scaling", "0.1", "--shift", "0.1", "--dropout", "0.1", "--hidden-size", "16", "--num-layers", "1", "--num-heads", "2", "--batch-size", "31")
		assert.Contains(t, said, "the training part is read from its files each time, shuffled among ")
		assert.Contains(t, said, "\nstopped   early, after epoch ")
	})
}

// killRun is TestKilledRun of a run by these flags. It returns what the run says that is
// left alone.
func killRun(t *testing.T, seed uint64, recipe ...string) (said string) {
	t.Helper()
	const kills = 22
	rng := rand.New(rand.NewPCG(seed, 0))
	often := []string{"--checkpoint-steps", "7", "--checkpoint-every", "0"}
	alone, dir := t.TempDir(), t.TempDir()
	status, said, errs := command(append([]string{"train", "-o", alone, "--checkpoint-every", "0"}, recipe...)...)
	require.Equal(t, statusOK, status, errs)
	epochs, err := os.ReadFile(filepath.Join(alone, metricsFile))
	require.NoError(t, err)
	steps := int(lastLine(t, string(epochs))["step"].(float64))
	saved := checkpoint.Dir{Path: filepath.Join(dir, checkpointDir), Keep: 1}
	reached := func() int {
		all, _ := saved.Steps()
		return slices.Max(append(all, -1))
	}

	killed := 0
	for k := range kills + 1 {
		args := append([]string{"train", "-o", dir}, recipe...)
		if reached() >= 0 {
			args = []string{"train", "--resume", dir}
		}
		cmd, errs := process(append(args, often...)...)
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if k < kills { // at moments from the first to those after the last step
			waitFor(t, func() bool { return reached() >= steps*k/(kills-1)-1 || len(ended) > 0 })
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
			_ = cmd.Process.Kill() // it may have ended
		}
		err := <-ended
		if err == nil {
			break
		}
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "seed %d, kill %d: %s", seed, k, errs)
		killed++
	}
	assert.GreaterOrEqual(t, killed, 20, "seed %d: the run is too short to be killed so often", seed)
	sameRuns(t, alone, dir)
	return said
}

func TestInterruptedRun(t *testing.T) {
	recipe := []string{"--epochs", "30", "--hidden-size", "16", "--num-layers", "1", "--num-heads", "2"}
	alone, dir := t.TempDir(), t.TempDir()
	status, _, errs := command(append([]string{"train", "-o", alone}, recipe...)...)
	require.Equal(t, statusOK, status, errs)

	cmd, said := process(append([]string{"train", "-o", dir}, recipe...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var seen []byte
	for buf := make([]byte, 4096); !bytes.Contains(seen, []byte("epoch  2/30")); {
		n, err := out.Read(buf)
		require.NoError(t, err, "%s", seen)
		seen = append(seen, buf[:n]...)
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	go func() { _, _ = out.Read(make([]byte, 1<<20)) }()
	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, statusInterrupted, exit.ExitCode())
	assert.Contains(t, said.String(), "go on with: qat train --resume "+dir)

	status, _, errs = command(append([]string{"train", "-o", dir}, recipe...)...)
	assert.Equal(t, statusFailed, status, "a new run must not overwrite an unfinished one")
	assert.Contains(t, errs, "holds an unfinished run")
	status, _, errs = command("train", "--resume", dir, "--epochs", "3")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "--epochs does not go with --resume")

	status, text, errs := command("train", "--resume", dir, "--quiet")
	require.Equal(t, statusOK, status, errs)
	assert.NotContains(t, text, "epoch ", "what is said may be another")
	assert.Equal(t, latentBytes(t, alone), latentBytes(t, dir))
	status, _, errs = command("train", "--resume", dir)
	assert.Equal(t, statusFailed, status)
	assert.Equal(t, "qat: the run in "+dir+" is finished: see it with: qat eval "+dir+"\n", errs)
}

// TestDamagedCheckpoint resumes from the checkpoint before a truncated one.
func TestDamagedCheckpoint(t *testing.T) {
	recipe := []string{"--epochs", "3000", "--hidden-size", "16", "--num-layers", "1", "--num-heads", "2"}
	dir := t.TempDir()
	cmd, _ := process(append([]string{"train", "-o", dir, "--checkpoint-steps", "5"}, recipe...)...)
	require.NoError(t, cmd.Start())
	d := checkpoint.Dir{Path: filepath.Join(dir, checkpointDir), Keep: 1}
	waitFor(t, func() bool { s, _ := d.Steps(); return len(s) >= 2 })
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	files, err := filepath.Glob(filepath.Join(d.Path, "step-*.safetensors"))
	require.NoError(t, err)
	last := files[len(files)-1]
	require.NoError(t, os.Truncate(last, 1000))

	cmd, out := process("train", "--resume", dir)
	require.NoError(t, cmd.Start())
	time.Sleep(1500 * time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	err = cmd.Wait()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), "%v", err)
	assert.Equal(t, statusInterrupted, exit.ExitCode())
	assert.Contains(t, out.String(), "passed over a damaged checkpoint")
	assert.Contains(t, out.String(), last)

	files, err = filepath.Glob(filepath.Join(d.Path, "step-*.safetensors"))
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.WriteFile(f, []byte("nothing"), 0o666))
	}
	status, _, said := command("train", "--resume", dir)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, said, "no checkpoint that can be used")
}
