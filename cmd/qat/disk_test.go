package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/internal/smalldisk"
)

// onDisk are flags of a run with a checkpoint every 20 of its 90 steps.
var onDisk = append([]string{"train", "--checkpoint-every", "0", "--checkpoint-steps", "20"}, append(quick, "--epochs", "2")...)

// checkpointSize is the bytes of a checkpoint of a run with these flags.
func checkpointSize(t *testing.T) int {
	t.Helper()
	dir := t.TempDir()
	cmd, _ := process(append(onDisk[:len(onDisk):len(onDisk)], "-o", dir, "--epochs", "3000")...)
	require.NoError(t, cmd.Start())
	d := checkpoint.Dir{Path: filepath.Join(dir, checkpointDir), Keep: 1}
	waitFor(t, func() bool { s, _ := d.Steps(); return len(s) > 0 })
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	files, err := filepath.Glob(filepath.Join(d.Path, "step-*"))
	require.NoError(t, err)
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	return int(info.Size())
}

// TestTrainOnFullDisk trains until the disk has no room for a third checkpoint. The
// run ends with a line that says so, and goes on once there is room, to the bytes of
// a run that never met the end of a disk.
func TestTrainOnFullDisk(t *testing.T) {
	bytes := checkpointSize(t)*5/2 + 16<<10 // and the small files of a run
	disk := smalldisk.New(t, bytes)
	dir := filepath.Join(disk.Path, "my run")
	args := append(onDisk[:len(onDisk):len(onDisk)], "-o")
	status, _, errs := command(append(args, dir)...)
	require.Equal(t, statusFailed, status, errs)
	saved := filepath.Join(dir, checkpointDir)
	assert.Equal(t, "qat: checkpoint: "+saved+"/step-0000000060.safetensors: write: no space left on device; "+
		"the run is saved up to step 40: go on with: qat train --resume '"+dir+"'\n", errs)
	files, err := filepath.Glob(filepath.Join(saved, "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(saved, "step-0000000020.safetensors"), filepath.Join(saved, "step-0000000040.safetensors")}, files)
	for _, f := range files {
		_, err := checkpoint.Read(f)
		assert.NoError(t, err)
	}

	status, _, errs = command("train", "--resume", dir, "--checkpoint-steps", "20")
	assert.Equal(t, statusFailed, status, "there is still no room")
	assert.Contains(t, errs, "no space left on device; the run is saved up to step 40")
	disk.ReadOnly(bytes)
	status, _, errs = command("train", "--resume", dir)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "read-only file system; the run is saved up to step 40")

	disk.Resize(2 * bytes)
	status, _, errs = command("train", "--resume", dir)
	require.Equal(t, statusOK, status, errs)
	alone := t.TempDir()
	status, _, errs = command(append(args, alone)...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, latentBytes(t, alone), latentBytes(t, dir))
}

// TestResultOnFullDisk has no room for the result of a run that went well.
func TestResultOnFullDisk(t *testing.T) {
	dir := smalldisk.New(t, 16<<10).Path
	status, out, errs := command(append([]string{"train", "-o", dir}, quick...)...)
	assert.Equal(t, statusFailed, status)
	warning, fault, _ := strings.Cut(errs, "\n")
	assert.Contains(t, warning, "there is no checkpoint of the end of the training")
	assert.Equal(t, "qat: checkpoint: "+filepath.Join(dir, latentsFile)+": write: no space left on device\n", fault)
	assert.NotContains(t, out, "saved")
	_, err := os.Stat(filepath.Join(dir, latentsFile))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestUnwritable refuses a directory that cannot be written before anything is
// trained.
func TestUnwritable(t *testing.T) {
	disk := smalldisk.New(t, 1<<20)
	disk.ReadOnly(1 << 20)
	for _, args := range [][]string{{"train", "--epochs", "1000", "-o"}, {"compare", "-o"}} {
		dir := filepath.Join(disk.Path, args[0])
		status, out, errs := command(append(args, dir)...)
		assert.Equal(t, statusFailed, status, args)
		assert.Equal(t, "qat: mkdir "+dir+": read-only file system\n", errs)
		assert.NotContains(t, out, "epoch ", args)
	}
}
