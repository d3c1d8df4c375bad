package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qat-go/qat/internal/tensorfile"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

func readBytes(file []byte) (*Model, error) { return Read(bytes.NewReader(file)) }

// stream hides how much there is to read.
type stream struct{ io.Reader }

func TestRead_random(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom(quant.Modes())
		s := smallSpec(mode.Draw(t, "mode"))
		s.EmbedDim = rapid.IntRange(1, 13).Draw(t, "embed")
		s.HiddenSize = rapid.IntRange(1, 13).Draw(t, "hidden")
		s.NumLayers = rapid.IntRange(1, 3).Draw(t, "layers")
		s.Activations = spec.FloatActivations
		s.Granularity = rapid.SampledFrom([]quant.Granularity{quant.PerTensor, quant.PerChannel}).Draw(t, "granularity")
		s.Positions = rapid.SampledFrom([]spec.Positions{spec.NoPositions, spec.Learned}).Draw(t, "positions")
		s.Pooling = rapid.SampledFrom([]spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps}).Draw(t, "pooling")
		if s.Granularity == quant.PerTensor {
			s.Numerics = rapid.SampledFrom([]spec.Numerics{spec.BitNet, spec.Edifice}).Draw(t, "numerics")
		}
		if rapid.Bool().Draw(t, "mixed") {
			s.LayerModes = []spec.LayerMode{{Pattern: "*.qkv", Mode: mode.Draw(t, "qkv")}, {Pattern: "blocks.0.ffn.*", Mode: mode.Draw(t, "ffn")}}
		}
		var head *Head
		if rapid.Bool().Draw(t, "head") {
			head = &Head{Width: rapid.IntRange(1, 5).Draw(t, "width")}
			if rapid.Bool().Draw(t, "targets") {
				scale := preprocess.Identity(head.Width)
				scale.Mean[0] = rapid.Float64Range(-1e300, 1e300).Draw(t, "mean")
				head.Targets = &scale
			}
		}
		m := random(t, s, head)
		file := encoded(t, m)
		got, err := readBytes(file)
		require.NoError(t, err)
		require.Equal(t, m, got)
		got, err = Read(stream{bytes.NewReader(file)})
		require.NoError(t, err)
		require.Equal(t, m, got)
	})
}

func TestRead_readers(t *testing.T) {
	m := full(t)
	file := encoded(t, m)
	for name, r := range map[string]io.Reader{
		"one byte at a time": iotest.OneByteReader(bytes.NewReader(file)),
		"data with the end":  iotest.DataErrReader(bytes.NewReader(file)),
		"a buffer":           bytes.NewBuffer(file),
		"a text":             strings.NewReader(string(file)),
	} {
		got, err := Read(r)
		require.NoError(t, err, name)
		assert.Equal(t, m, got, name)
	}
	broken := errors.New("the line is dead")
	for n := range len(file) + 1 {
		_, err := Read(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, "after %d bytes", n)
	}
}

// TestRead_large goes through several chunks, from a stream too.
func TestRead_large(t *testing.T) {
	s := smallSpec(quant.Int8)
	s.EmbedDim, s.HiddenSize = 211, 211
	m := random(t, s, nil)
	file := encoded(t, m)
	require.Greater(t, len(file), 5*chunkBytes)
	for _, r := range []io.Reader{bytes.NewReader(file), stream{bytes.NewReader(file)}} {
		got, err := Read(r)
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
}

func TestRead_truncated(t *testing.T) {
	file := encoded(t, full(t))
	path := filepath.Join(t.TempDir(), "cut.qat")
	for n := range len(file) {
		_, err := readBytes(file[:n])
		require.Error(t, err, "%d of %d bytes", n, len(file))
		_, err = Read(stream{bytes.NewReader(file[:n])})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d bytes", n, len(file))
		if n%101 != 0 { // a file each takes seconds
			continue
		}
		require.NoError(t, os.WriteFile(path, file[:n], 0o666))
		_, err = Open(path)
		require.ErrorContains(t, err, "packed: "+path+": ", "%d of %d bytes", n, len(file))
	}
}

// TestRead_truncatedData names the tensor in which a stream ends.
func TestRead_truncatedData(t *testing.T) {
	file := encoded(t, full(t))
	_, err := Read(stream{bytes.NewReader(file[:len(file)-1])})
	assert.EqualError(t, err, "packed: tensor blocks.1.ffn.down.weight.codes: 39 bytes, want 40: unexpected EOF")
	_, err = readBytes(file[:len(file)-1])
	assert.EqualError(t, err, fmt.Sprintf("packed: the file has %d bytes, want %d for the tensors of its header", len(file)-1, len(file)))
}

// TestRead_flipped flips bits of a file: an error of one line, or, in the metadata,
// another model, whose file it is.
func TestRead_flipped(t *testing.T) {
	file := encoded(t, random(t, smallSpec(quant.Ternary), &Head{Width: 2, Classes: []string{"a", "b"}}))
	begin := len(file) - len(split(file).data)
	others := 0
	for i := 0; i < 8*len(file); i += 3 { // every bit takes seconds
		file[i/8] ^= 1 << (i % 8)
		if m, err := readBytes(file); err == nil {
			assert.Less(t, i/8, begin, "byte %d", i/8)
			assert.Equal(t, file, encoded(t, m), "bit %d", i)
			others++
		} else {
			assert.NotContains(t, err.Error(), "\n", "bit %d", i)
		}
		file[i/8] ^= 1 << (i % 8)
	}
	assert.Greater(t, others, 3, "classes of other names, and another probability of dropout")
}

// TestRead_data breaks one rule of the data at a time, with the right sum.
func TestRead_data(t *testing.T) {
	m := full(t)
	whole := split(encoded(t, m))
	at := map[string]int{}
	end := 0
	for _, e := range m.entries() {
		at[e.name] = end
		end += int(e.bytes())
	}
	put := func(tensor string, i int, bits uint32) func([]byte) {
		return func(data []byte) { binary.LittleEndian.PutUint32(data[at[tensor]+4*i:], bits) }
	}
	set := func(tensor string, i int, b byte) func([]byte) {
		return func(data []byte) { data[at[tensor]+i] = b }
	}
	const block = "blocks.0."
	for _, tc := range []struct {
		damage func(data []byte)
		want   string
	}{
		{put("positions.weight", 5, 0x7fc00000), "tensor positions.weight: element 5 is NaN"},
		{put("final_norm.bias", 6, 0x7f800000), "tensor final_norm.bias: element 6 is +Inf"},
		{put("head.weight", 20, 0xff800000), "tensor head.weight: element 20 is -Inf"},
		{put("blocks.1.attn.qkv.weight", 20, 0x7f800001), "tensor blocks.1.attn.qkv.weight: element 20 is NaN"},
		{put(block+"attn.qkv.weight.scale", 3, 0xbf800000), "tensor blocks.0.attn.qkv.weight.scale: scale 3 is -1"},
		{put(block+"ffn.up.weight.scale", 27, 0x7f800000), "tensor blocks.0.ffn.up.weight.scale: scale 27 is +Inf"},
		{put(block+"ffn.down.weight.scale", 0, 0x7fc00000), "tensor blocks.0.ffn.down.weight.scale: scale 0 is NaN"},
		{put(block+"ffn.down.weight.scale", 0, 0x80000000), "tensor blocks.0.ffn.down.weight.scale: scale 0 is -0"},
		{set(block+"attn.qkv.weight.codes", 18, 0x80), "tensor blocks.0.attn.qkv.weight.codes: the last byte is 128, want less than 8 for 3 codes"},
		{set(block+"ffn.down.weight.codes", 7, 243), "tensor blocks.0.ffn.down.weight.codes: byte 7 is 243, want at most 242"},
		{set(block+"ffn.down.weight.codes", 39, 9), "tensor blocks.0.ffn.down.weight.codes: the last byte is 9, want less than 3 for 1 codes"},
		{set(block+"attn.out.weight.codes", 0, 0x08), "tensor blocks.0.attn.out.weight.codes: code 0 is -8"},
		{set(block+"attn.out.weight.codes", 23, 0x87), "tensor blocks.0.attn.out.weight.codes: code 47 is -8"},
		{set(block+"attn.out.weight.codes", 24, 0xf0), "tensor blocks.0.attn.out.weight.codes: the last byte is 240, want less than 16 for 1 codes"},
		{set(block+"ffn.up.weight.codes", 195, 0x80), "tensor blocks.0.ffn.up.weight.codes: code 195 is -128"},
	} {
		damaged := parts{whole.header, bytes.Clone(whole.data)}
		tc.damage(damaged.data)
		got, err := readBytes(damaged.summed().bytes())
		assert.ErrorContains(t, err, "packed: "+tc.want)
		assert.Nil(t, got)
	}
	damaged := parts{whole.header, bytes.Clone(whole.data)}
	set(block+"ffn.up.weight.codes", 195, 1)(damaged.data)
	_, err := readBytes(damaged.bytes())
	assert.ErrorContains(t, err, "packed: the tensors are damaged: their sha256 is ")
	_, err = readBytes(damaged.summed().bytes())
	assert.NoError(t, err)

	long := append(encoded(t, m), 0)
	_, err = readBytes(long)
	assert.ErrorContains(t, err, "want "+fmt.Sprint(len(long)-1)+" for the tensors of its header")
	_, err = Read(stream{bytes.NewReader(long)})
	assert.EqualError(t, err, "packed: bytes follow the last tensor")
}

// TestRead_edifice: codes that are values have no scale.
func TestRead_edifice(t *testing.T) {
	m := edifice(t, quant.Ternary)
	got, err := readBytes(encoded(t, m))
	require.NoError(t, err)
	assert.Equal(t, m, got)
	p := split(encoded(t, m)).replaced(t, `\"edifice\"`, `\"bitnet\"`).replaced(t, "} ", "}  ")
	_, err = readBytes(p.bytes())
	require.NoError(t, err, "the numerics are all that differs")
	m.Spec.Numerics, m.Weights[2].Scales[0] = spec.BitNet, 0.5
	p = split(encoded(t, m)).replaced(t, `\"bitnet\"`, `\"edifice\"`)
	for len(p.header)%8 != 0 {
		p.header = strings.TrimSuffix(p.header, " ")
	}
	_, err = readBytes(p.bytes())
	assert.ErrorContains(t, err, "tensor blocks.0.ffn.up.weight.scale: scale 0 is 0.5, want 1")
}

func TestOpen_path(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.qat")
	_, err := Open(missing)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 1, strings.Count(err.Error(), missing), "the path is there once: %v", err)
	_, err = Open(dir)
	assert.EqualError(t, err, "packed: "+dir+": is a directory, want a file")

	path := filepath.Join(dir, "short.qat")
	require.NoError(t, os.WriteFile(path, []byte{1, 2}, 0o666))
	_, err = Open(path)
	assert.EqualError(t, err, "packed: "+path+": 2 bytes are no packed model: unexpected EOF")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte{0xff}, 64), 0o666))
	_, err = Open(path)
	assert.ErrorContains(t, err, `not a safetensors file: it begins with "\xff\xff\xff\xff\xff\xff\xff\xff", want a header's length of at most 4194304`)

	if runtime.GOOS == "windows" {
		t.Skip("files are not sparse")
	}
	require.NoError(t, os.Truncate(path, tensorfile.MaxBytes+1))
	_, err = Open(path)
	assert.ErrorContains(t, err, "4294967297 bytes, want at most ")
}
