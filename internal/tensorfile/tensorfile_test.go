package tensorfile

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeaderLength(t *testing.T) {
	for _, tc := range []struct {
		n    uint64
		size int64
		want string
	}{
		{0, 8, ""},
		{11, 19, ""},
		{11, 18, "cut short: a header of 11 bytes in a file of 18"},
		{MaxHeaderBytes, MaxBytes, ""},
		{MaxHeaderBytes + 1, MaxBytes, `it begins with "\x01\x00@\x00\x00\x00\x00\x00", want a header's length of at most 4194304`},
		{math.MaxUint64, math.MaxInt64, "not a safetensors file"},
	} {
		n, err := HeaderLength(binary.LittleEndian.AppendUint64(nil, tc.n), tc.size)
		if tc.want == "" {
			require.NoError(t, err)
			assert.Equal(t, tc.n, uint64(n))
			continue
		}
		assert.ErrorContains(t, err, tc.want)
		assert.Zero(t, n)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	_, _, err := Open(path)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = Open(dir)
	assert.EqualError(t, err, "is a directory, want a file")
	require.NoError(t, os.WriteFile(path, make([]byte, 13), 0o666))
	f, size, err := Open(path)
	require.NoError(t, err)
	assert.Equal(t, int64(13), size)
	require.NoError(t, f.Close())
}

func TestClip(t *testing.T) {
	assert.Equal(t, strings.Repeat("x", 300), Clip(strings.Repeat("x", 300)))
	assert.Equal(t, strings.Repeat("x", 300)+"...", Clip(strings.Repeat("x", 301)))
	assert.Equal(t, strings.Repeat("x", 299)+"...", Clip(strings.Repeat("x", 299)+"é"), "no half characters")
}

func TestInFile(t *testing.T) {
	inner := &fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist}
	assert.EqualError(t, InFile("a", inner), "a: open: file does not exist")
	assert.EqualError(t, InFile("b", inner), "b: open a: file does not exist")
	assert.EqualError(t, InFile("a", errors.New("fact")), "a: fact")
	assert.ErrorIs(t, InFile("a", inner), fs.ErrNotExist)
}
