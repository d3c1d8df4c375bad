package infer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Open, Read and New make the same model of the same file, and say what is wrong
// with another.
func TestOpen(t *testing.T) {
	s := ternary()
	p := newPacked(t, s, 5)
	p.Head.Classes = []string{"a", "b", "c", "d", "e"}
	var file bytes.Buffer
	require.NoError(t, p.Encode(&file))
	path := filepath.Join(t.TempDir(), "model.qat")
	require.NoError(t, p.Write(path))
	opened, err := Open(path)
	require.NoError(t, err)
	read, err := Read(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	x := numbers(1, 3*13)
	want := predict(t, ready(t, p), x)
	for _, m := range []*Model{opened, read} {
		requireBits(t, want, predict(t, m, x), "from a file")
		assert.Equal(t, s, m.Spec())
		assert.Equal(t, p.Head.Classes, m.Classes())
	}
	opened.Classes()[0] = "changed"
	assert.Equal(t, "a", opened.Classes()[0], "a copy")

	_, err = Open(path + ".not")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read(bytes.NewReader(file.Bytes()[:file.Len()-1]))
	require.ErrorContains(t, err, "packed: ")
	_, err = New(nil)
	require.EqualError(t, err, "infer: the packed model is nil")
	p.Tensors[0].Values[3] = nan
	_, err = New(p)
	require.ErrorContains(t, err, "input_projection.weight")
}
