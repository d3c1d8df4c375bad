package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		"no run: stat ":    {filepath.Join(dir, "none")},
		latentsFile + ": ": {filepath.Dir(series)},
		"--output " + dir + "/none/m.qat: writing in " + dir + "/none: no such file": {dir, "--no-check", "-o", filepath.Join(dir, "none", "m.qat")},
		"is a directory, want a file": {dir, "--no-check", "-o", dir},
	} {
		status, out, errs := command(append([]string{"export"}, args...)...)
		assert.Equal(t, statusFailed, status, args)
		assert.Empty(t, out)
		assert.Contains(t, errs, want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}
