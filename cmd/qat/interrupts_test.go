package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// long are flags of a run whose one step takes seconds.
var long = []string{"train", "--batch-size", "1437", "--hidden-size", "256", "--num-layers", "8"}

// TestInterruptTwice stops a run in the middle of its first step by a second Ctrl-C.
func TestInterruptTwice(t *testing.T) {
	dir := t.TempDir()
	cmd, said := interruptible(t, append(long, "-o", dir)...)
	waitFor(t, func() bool { _, err := os.Stat(filepath.Join(dir, metricsFile)); return err == nil })
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.Equal(t, "qat: finishing the step; Ctrl-C again stops at once", nextLine(t, said))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.Equal(t, "qat: stopped at once", nextLine(t, said))
	assert.Equal(t, statusInterrupted, exitCode(t, cmd.Wait()))
	_, err := os.Stat(filepath.Join(dir, checkpointDir))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestInterruptWhatSavesNothing: where there is nothing to save, one is enough.
func TestInterruptWhatSavesNothing(t *testing.T) {
	cmd, said := interruptible(t, "compare", "-v", "--batch-size", "1437", "--hidden-size", "256", "--num-layers", "8")
	assert.Contains(t, nextLine(t, said), "comparing")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.Equal(t, "qat: interrupted; nothing was saved", nextLine(t, said))
	assert.Equal(t, statusInterrupted, exitCode(t, cmd.Wait()))
}

// interruptible starts the command and returns what it says to standard error.
func interruptible(t *testing.T, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd, _ := process(args...)
	cmd.Stderr = nil
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test failed
	return cmd, bufio.NewReader(pipe)
}

func nextLine(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	line, err := from.ReadString('\n')
	if !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	return line[:max(len(line)-1, 0)]
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	return exit.ExitCode()
}
