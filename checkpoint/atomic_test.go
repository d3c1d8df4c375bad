package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writes is a function for WriteFileAtomic.
func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWriteFileAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	big := strings.Repeat("0123456", 1<<17) // more than any buffer
	for _, text := range []string{"first", big, ""} {
		require.NoError(t, WriteFileAtomic(path, writes(text)))
		assert.Equal(t, text, content(t, path))
		assert.Equal(t, []string{"a"}, names(t, dir))
	}
}

func TestWriteFileAtomic_relative(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, WriteFileAtomic("a", writes("text")))
	assert.Equal(t, "text", content(t, "a"))
	assert.Equal(t, []string{"a"}, names(t, "."))
}

func TestWriteFileAtomic_permissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := t.TempDir()
	plain, path := filepath.Join(dir, "plain"), filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(plain, nil, 0o666))
	require.NoError(t, WriteFileAtomic(path, writes("new")))
	assert.Equal(t, mode(t, plain), mode(t, path), "as any new file")
	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, WriteFileAtomic(path, writes("newer")))
	assert.Equal(t, fs.FileMode(0o640), mode(t, path), "as the old file")
}

func TestWriteFileAtomic_link(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o666))
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	require.NoError(t, WriteFileAtomic(link, writes("new")))
	assert.Equal(t, "old", content(t, target))
	assert.Equal(t, "new", content(t, link))
}

// TestWriteFileAtomic_fails takes each way to fail with and without an old
// file: it stays as it was, and nothing else stays.
func TestWriteFileAtomic_fails(t *testing.T) {
	broken := errors.New("broken")
	for name, write := range map[string]func(io.Writer) error{
		"at_once": func(io.Writer) error { return broken },
		"half_way": func(w io.Writer) error {
			require.NoError(t, writes(strings.Repeat("x", 1<<20))(w))
			return broken
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			err := WriteFileAtomic(path, write)
			assert.ErrorIs(t, err, broken)
			assert.EqualError(t, err, "checkpoint: "+path+": broken")
			assert.Empty(t, names(t, dir))

			require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
			assert.ErrorIs(t, WriteFileAtomic(path, write), broken)
			assert.Equal(t, "old", content(t, path))
			assert.Equal(t, []string{"a"}, names(t, dir))
		})
	}
}

func TestWriteFileAtomic_panics(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
	assert.PanicsWithValue(t, "oh", func() {
		_ = WriteFileAtomic(path, func(io.Writer) error { panic("oh") })
	})
	assert.Equal(t, "old", content(t, path))
	assert.Equal(t, []string{"a"}, names(t, dir))
}

func TestWriteFileAtomic_targets(t *testing.T) {
	dir := t.TempDir()
	never := func(io.Writer) error {
		t.Error("nothing must be written")
		return nil
	}
	assert.EqualError(t, WriteFileAtomic("", never), "checkpoint: : the path is empty")
	assert.EqualError(t, WriteFileAtomic(dir, never), "checkpoint: "+dir+": is a directory, want a file")
	assert.EqualError(t, Write(dir, sample()), "checkpoint: "+dir+": is a directory, want a file")
	if _, err := os.Stat(os.DevNull); err == nil {
		assert.ErrorContains(t, WriteFileAtomic(os.DevNull, never), "is not a regular file")
	}
	assert.ErrorIs(t, WriteFileAtomic(filepath.Join(dir, "none", "a"), never), fs.ErrNotExist)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o666))
	assert.Error(t, WriteFileAtomic(filepath.Join(file, "a"), never), "a file for a directory")
	assert.Equal(t, []string{"file"}, names(t, dir))
}

func TestWriteFileAtomic_unwritable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
	require.NoError(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	err := Write(path, sample())
	assert.ErrorIs(t, err, fs.ErrPermission)
	assert.ErrorContains(t, err, "checkpoint: "+path+": ")
	assert.Equal(t, "old", content(t, path))
	assert.Equal(t, []string{"a"}, names(t, dir))
}

// TestWriteFileAtomic_rename makes the last step fail: a directory takes the
// path while the file is written.
func TestWriteFileAtomic_rename(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	err := WriteFileAtomic(path, func(w io.Writer) error {
		require.NoError(t, os.Mkdir(path, 0o777))
		return writes("new")(w)
	})
	assert.ErrorContains(t, err, "rename")
	assert.Equal(t, []string{"a"}, names(t, dir))
}

func TestWriteFileAtomic_tempNames(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, ".qat-000.tmp")
	require.NoError(t, os.WriteFile(stale, []byte("left by a crash"), 0o666))
	require.NoError(t, WriteFileAtomic(filepath.Join(dir, "a"), writes("new")))
	assert.Equal(t, "left by a crash", content(t, stale), "it may be another writer's")

	for i := range maxTempFiles {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf(".qat-%03d.tmp", i)), nil, 0o666))
	}
	err := WriteFileAtomic(filepath.Join(dir, "b"), writes("new"))
	assert.ErrorContains(t, err, "the directory holds 1000 temporary files")
}

// TestWriteFileAtomic_together has writers and readers of one path at once.
func TestWriteFileAtomic_together(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	require.NoError(t, Write(path, one("w", []int{1009}, make([]float32, 1009))))
	var all sync.WaitGroup
	for i := range 7 {
		all.Go(func() {
			values := make([]float32, 1009)
			for k := range values {
				values[k] = float32(i)
			}
			for range 11 {
				assert.NoError(t, Write(path, one("w", []int{1009}, values)))
				f, err := Read(path)
				if assert.NoError(t, err) {
					v := f.Tensors[0].Values
					assert.Equal(t, v[0], v[len(v)-1], "one writer's values, not two's")
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, []string{"a.safetensors"}, names(t, dir))
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}
