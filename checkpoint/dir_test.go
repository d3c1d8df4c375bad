package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func fileOf(v float32) File {
	return File{Metadata: map[string]string{"k": "v"}, Tensors: []Tensor{{Name: "w", Shape: []int{1}, Values: []float32{v}}}}
}

func TestDirKeepsTheLast(t *testing.T) {
	d := Dir{Path: filepath.Join(t.TempDir(), "new", "checkpoints"), Keep: 2}
	for _, step := range []int{11, 13, 101, 1009} {
		require.NoError(t, d.Save(step, fileOf(float32(step))))
	}
	require.NoError(t, os.WriteFile(filepath.Join(d.Path, "step-12.safetensors"), nil, 0o666)) // not a name of ours
	steps, err := d.Steps()
	require.NoError(t, err)
	assert.Equal(t, []int{1009, 101}, steps)
	var got float32
	damaged, err := d.Latest(func(_ string, f File) error { got = f.Tensors[0].Values[0]; return nil })
	require.NoError(t, err)
	assert.Empty(t, damaged)
	assert.Equal(t, float32(1009), got)
}

func TestDirPassesOverDamage(t *testing.T) {
	d := Dir{Path: t.TempDir(), Keep: 3}
	for _, step := range []int{11, 13, 17} {
		require.NoError(t, d.Save(step, fileOf(float32(step))))
	}
	last := filepath.Join(d.Path, stepName(17))
	whole, err := os.ReadFile(last)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(last, whole[:len(whole)-1], 0o666))
	var used []float32
	use := func(_ string, f File) error { used = append(used, f.Tensors[0].Values[0]); return nil }
	damaged, err := d.Latest(use)
	require.NoError(t, err)
	assert.Equal(t, []float32{13}, used)
	require.Len(t, damaged, 1)
	assert.ErrorContains(t, damaged[0], last)

	refuse := errors.New("not mine")
	_, err = d.Latest(func(string, File) error { return refuse })
	assert.ErrorIs(t, err, refuse)
	assert.ErrorContains(t, err, "no checkpoint that can be used")
}

func TestDirFaults(t *testing.T) {
	d := Dir{Path: t.TempDir(), Keep: 1}
	_, err := d.Latest(func(string, File) error { return nil })
	assert.ErrorContains(t, err, "no checkpoint")
	assert.ErrorContains(t, Dir{Path: d.Path}.Save(1, fileOf(1)), "keep 0")
	assert.ErrorContains(t, d.Save(-1, fileOf(1)), "step -1")
	file := filepath.Join(d.Path, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	assert.Error(t, Dir{Path: file, Keep: 1}.Save(1, fileOf(1)))
	_, err = Dir{Path: filepath.Join(d.Path, "none"), Keep: 1}.Steps()
	assert.ErrorIs(t, err, os.ErrNotExist)
}
