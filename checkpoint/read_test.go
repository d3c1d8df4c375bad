package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/internal/tensorfile"
)

// encoded is the bytes of a file.
func encoded(t require.TestingT, f File) []byte {
	var b bytes.Buffer
	require.NoError(t, encode(&b, f))
	return b.Bytes()
}

// raw is a file of this header and data.
func raw(header string, data ...byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

// rawFloats is a file of this header and the data of n times 1.
func rawFloats(header string, n int) []byte {
	return raw(header, bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, n)...)
}

func TestRead_truncated(t *testing.T) {
	whole := encoded(t, sample())
	path := filepath.Join(t.TempDir(), "cut.safetensors")
	for n := range len(whole) {
		_, err := decode(whole[:n])
		require.Error(t, err, "%d of %d bytes", n, len(whole))
		if n%13 != 0 { // a file each takes seconds
			continue
		}
		require.NoError(t, os.WriteFile(path, whole[:n], 0o666))
		_, err = Read(path)
		require.ErrorContains(t, err, "checkpoint: "+path+": ", "%d of %d bytes", n, len(whole))
	}
	_, err := decode(append(whole, 0))
	require.Error(t, err, "a byte too many")
}

// TestRead_flipped flips each bit of the header: an error or a file, no panic.
func TestRead_flipped(t *testing.T) {
	whole := encoded(t, sample())
	for i := range 8 * (len(whole) - 4*(11*13+19+30+1)) {
		damaged := bytes.Clone(whole)
		damaged[i/8] ^= 1 << (i % 8)
		got, err := decode(damaged)
		if err == nil {
			require.NoError(t, got.check(), "bit %d", i)
		}
	}
}

func TestRead_others(t *testing.T) {
	// Any order, no alignment, space after the header: what others may write.
	got, err := decode(rawFloats(`{"w":{"shape":[2],"data_offsets":[4,12],"dtype":"F32"}, "v" : {"dtype":"F32","data_offsets":[0,4],"shape":[]}}   `, 3))
	require.NoError(t, err)
	assert.Equal(t, File{
		Metadata: map[string]string{},
		Tensors: []Tensor{
			{Name: "v", Shape: []int{}, Values: []float32{1}},
			{Name: "w", Shape: []int{2}, Values: []float32{1, 1}},
		},
	}, got)
}

func TestRead_errors(t *testing.T) {
	info := func(dtype, shape string, begin, end uint64) string {
		return fmt.Sprintf(`{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, dtype, shape, begin, end)
	}
	w := func(dtype, shape string, begin, end uint64) string {
		return `{"w":` + info(dtype, shape, begin, end) + `}`
	}
	for _, tc := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "0 bytes are no safetensors file: unexpected EOF"},
		{"prefix", []byte{1, 0, 0}, "3 bytes are no safetensors file: unexpected EOF"},
		{"header_long", raw("")[:8:8], `the header begins "", want {`},
		{"header_huge", bytes.Repeat([]byte{0xff}, 64),
			`not a safetensors file: it begins with "\xff\xff\xff\xff\xff\xff\xff\xff", want a header's length of at most 4194304`},
		{"header_past", append([]byte{9}, make([]byte, 15)...), "cut short: a header of 9 bytes in a file of 16"},
		{"text", raw("hello"), `the header begins "hello", want {`},
		{"list", raw("[]"), `the header begins "[]", want {`},
		{"json", raw(`{"w":`), "the header: unexpected EOF"},
		{"json_trailing", raw(`{} {}`), "invalid header deserialization: invalid character '{' after top-level value"},
		{"utf8", raw("{\"\xff\":{}}"), "the header is not UTF-8"},
		{"twice", rawFloats(`{"w":`+info("F32", "[1]", 0, 4)+`,"w":`+info("F32", "[1]", 0, 4)+`}`, 1),
			`the header: key "w" is there twice`},
		{"twice_escaped", rawFloats(`{"w":`+info("F32", "[1]", 0, 4)+`,"\u0077":`+info("F32", "[1]", 0, 4)+`}`, 1),
			`the header: key "w" is there twice`},
		{"twice_surrogates", raw(`{"__metadata__":{"\ud800":"a","\ud801":"b"}}`), "the header: key \"\uFFFD\" is there twice"},
		{"twice_metadata", raw(`{"__metadata__":{"k":"a","k":"b"}}`), `the header: key "k" is there twice`},
		{"deep", raw(`{"w":{"shape":[[1]]}}`), "the header: nested deeper than 3"},
		{"very_deep", raw(`{"w":` + strings.Repeat("[", 99991)), "the header: nested deeper than 3"},
		{"metadata_number", raw(`{"__metadata__":{"k":1}}`), "expected string type, actual json.Number"},
		{"fields", raw(`{"w":{"dtype":"F32"}}`), "expected 3 keys (dtype, shape, data_offsets), actual 1"},
		{"null", raw(`{"w":null}`), "expected 3 keys"},
		{"dtype", rawFloats(w("I32", "[1]", 0, 4), 1), "tensor w: type I32, want F32"},
		{"dtype_half", rawFloats(w("BF16", "[2]", 0, 4), 1), "tensor w: type BF16, want F32"},
		{"dtype_unknown", rawFloats(w("F31", "[1]", 0, 4), 1), `invalid DType string value "F31"`},
		{"shape_negative", rawFloats(w("F32", "[-1]", 0, 4), 1), "expected array of natural numbers"},
		{"shape_real", rawFloats(w("F32", "[1.0]", 0, 4), 1), "expected array of natural numbers"},
		{"shape_zero", raw(w("F32", "[0,11]", 0, 0)), "tensor w: shape [0 11] has a dimension of 0, want 1 or more"},
		{"shape_zero_hides", raw(w("F32", "[0,18446744073709551615]", 0, 0)), "tensor w: shape [0 18446744073709551615] is too large"},
		{"shape_overflow", rawFloats(w("F32", "[4294967296,4294967296]", 0, 0), 0), "multiplication overflow"},
		{"shape_dims", rawFloats(w("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4), 1), "tensor w: 9 dimensions, want at most 8"},
		{"offsets_back", rawFloats(w("F32", "[1]", 4, 0), 1), "invalid metadata offset"},
		{"offsets_gap", rawFloats(w("F32", "[1]", 4, 8), 2), "invalid metadata offset"},
		{"offsets_size", rawFloats(w("F32", "[2]", 0, 4), 1), "info data offsets mismatch"},
		{"offsets_past", rawFloats(w("F32", "[2]", 0, 8), 1), "metadata incomplete buffer"},
		{"offsets_huge", rawFloats(w("F32", "[4611686018427387903]", 0, math.MaxUint64-3), 1), "metadata incomplete buffer"},
		{"data_left", rawFloats(w("F32", "[1]", 0, 4), 2), "metadata incomplete buffer"},
		{"nan", raw(w("F32", "[1]", 0, 4), 0, 0, 0xc0, 0x7f), "tensor w: value 0 is NaN, want a finite value"},
		{"unnamed", rawFloats(`{"":`+info("F32", "[1]", 0, 4)+`}`, 1), "a tensor has no name"},
		{"name_escape", rawFloats(`{"\u001b[2J":`+info("F32", "[1]", 0, 4)+`}`, 1), `tensor "\x1b[2J": the name is not printable text`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := decode(tc.raw)
			require.ErrorContains(t, err, tc.want)
			assert.Less(t, len(err.Error()), 1009, "no error repeats the file")
			assert.Equal(t, File{}, f)
		})
	}
}

func TestRead_path(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.safetensors")
	_, err := Read(missing)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 1, strings.Count(err.Error(), missing), "the path is there once: %v", err)

	_, err = Read(dir)
	assert.EqualError(t, err, "checkpoint: "+dir+": is a directory, want a file")
	if _, err := os.Stat(os.DevNull); err == nil {
		_, err = Read(os.DevNull)
		assert.ErrorContains(t, err, "is not a regular file")
	}

	short := filepath.Join(dir, "short.safetensors")
	require.NoError(t, os.WriteFile(short, []byte{1, 2}, 0o666))
	_, err = Read(short)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)

	if runtime.GOOS == "windows" {
		t.Skip("files are not sparse")
	}
	// A sparse file costs nothing to make, and must cost nothing to refuse.
	huge := filepath.Join(dir, "huge.safetensors")
	require.NoError(t, os.WriteFile(huge, nil, 0o666))
	require.NoError(t, os.Truncate(huge, tensorfile.MaxBytes+1))
	_, err = Read(huge)
	assert.EqualError(t, err, fmt.Sprintf("checkpoint: %s: 4294967297 bytes, want at most %d", huge, tensorfile.MostBytes()))
	require.NoError(t, os.WriteFile(huge, bytes.Repeat([]byte{0x7f}, 64), 0o666))
	require.NoError(t, os.Truncate(huge, tensorfile.MostBytes()))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Read(huge)
	runtime.ReadMemStats(&after)
	assert.ErrorContains(t, err, "not a safetensors file")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func FuzzRead(f *testing.F) {
	f.Add(encoded(f, sample()))
	f.Add(encoded(f, File{}))
	f.Add(encoded(f, one("w", []int{1}, []float32{1})))
	f.Add(raw(`{"w":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}`))
	f.Add(raw(`{"w":{},"w":{}}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decode(data)
		if err != nil {
			return
		}
		require.NoError(t, file.check())
		again, err := decode(encoded(t, file))
		require.NoError(t, err)
		require.Equal(t, file, again)
	})
}
