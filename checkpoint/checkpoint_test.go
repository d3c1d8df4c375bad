package checkpoint

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qat-go/qat/internal/tensorfile"
)

// init seeds rapid, which would take the clock; -rapid.seed overrides it.
func init() {
	if err := flag.Set("rapid.seed", "67"); err != nil {
		panic(err)
	}
}

// ramp is a tensor of 0.5, 1.5, 2.5, ...
func ramp(name string, shape ...int) Tensor {
	n := 1
	for _, dim := range shape {
		n *= dim
	}
	t := Tensor{Name: name, Shape: append([]int{}, shape...), Values: make([]float32, n)}
	for i := range t.Values {
		t.Values[i] = float32(i) + 0.5
	}
	return t
}

// sample is a file with every kind of thing in it, sorted as Read returns it.
func sample() File {
	return File{
		Metadata: map[string]string{"step": "17", "spec": `{"mode":"ternary","<&>":"é"}`, "": ""},
		Tensors: []Tensor{
			ramp("blocks.0.attn.qkv.weight", 11, 13),
			ramp("blocks.0.norm.gain", 19),
			ramp("head.weight", 2, 3, 5),
			{Name: "step", Shape: []int{}, Values: []float32{17}},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latents.safetensors")
	require.NoError(t, Write(path, sample()))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, sample(), got)

	// Nothing at all, and then back over it.
	require.NoError(t, Write(path, File{}))
	got, err = Read(path)
	require.NoError(t, err)
	assert.Equal(t, File{Metadata: map[string]string{}}, got)
}

func TestRoundTrip_bits(t *testing.T) {
	want := []uint32{0, 1 << 31, 1, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f800001}
	values := make([]float32, len(want))
	for i, b := range want {
		values[i] = math.Float32frombits(b)
	}
	path := filepath.Join(t.TempDir(), "bits.safetensors")
	require.NoError(t, Write(path, File{Tensors: []Tensor{{Name: "w", Shape: []int{8}, Values: values}}}))
	f, err := Read(path)
	require.NoError(t, err)
	for i, v := range f.Tensors[0].Values {
		assert.Equal(t, want[i], math.Float32bits(v), "value %d", i)
	}
}

func TestRoundTrip_random(t *testing.T) {
	path := filepath.Join(t.TempDir(), "random.safetensors")
	rapid.Check(t, func(t *rapid.T) {
		want := drawFile(t)
		given := want
		given.Tensors = rapid.Permutation(want.Tensors).Draw(t, "order")
		require.NoError(t, Write(path, given))
		got, err := Read(path)
		require.NoError(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("want (-), got (+):\n%s", diff)
		}
		require.Equal(t, encoded(t, want), encoded(t, given), "the order of the tensors changes no byte")
	})
}

func drawFile(t *rapid.T) File {
	f := File{Metadata: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")}
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,5}(\.[a-z0-9_]{1,5}){0,3}`), 0, 11, rapid.ID).Draw(t, "names")
	slices.Sort(names)
	for _, name := range names {
		shape := rapid.SliceOfN(rapid.IntRange(1, 7), 0, 4).Draw(t, "shape")
		n, err := elements(shape)
		require.NoError(t, err)
		values := rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "values")
		f.Tensors = append(f.Tensors, Tensor{Name: name, Shape: shape, Values: values})
	}
	return f
}

func TestWrite_errors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	dir := t.TempDir()
	path := filepath.Join(dir, "latents.safetensors")
	require.NoError(t, Write(path, sample()))
	for _, tc := range []struct {
		name string
		file File
		want string
	}{
		{"values", one("blocks.0.attn.qkv.weight", []int{3, 5}, make([]float32, 12)),
			"tensor blocks.0.attn.qkv.weight: 12 values for shape [3 5], want 15"},
		{"scalar", one("w", nil, nil), "tensor w: 0 values for shape [], want 1"},
		{"dim_zero", one("w", []int{3, 0}, nil), "tensor w: shape [3 0] has a dimension of 0, want 1 or more"},
		{"dim_negative", one("w", []int{-1, -1}, make([]float32, 1)),
			"tensor w: shape [-1 -1] has a dimension of -1, want 1 or more"},
		{"overflow", one("w", []int{1 << 30, 1 << 30, 1 << 30}, nil),
			"tensor w: shape [1073741824 1073741824 1073741824] is too large, want at most 1073741824 values"},
		{"dims", one("w", make([]int, 9), nil), "tensor w: 9 dimensions, want at most 8"},
		{"nan", one("w", []int{3}, []float32{0, nan, inf}), "tensor w: value 1 is NaN, want a finite value"},
		{"inf", one("w", []int{1}, []float32{-inf}), "tensor w: value 0 is -Inf, want a finite value"},
		{"unnamed", one("", []int{1}, []float32{0}), "a tensor has no name"},
		{"reserved", one("__metadata__", []int{1}, []float32{0}),
			"tensor __metadata__: the format keeps this name for the metadata"},
		{"name_newline", one("a\nb", []int{1}, []float32{0}), `tensor "a\nb": the name is not printable text`},
		{"name_bytes", one("a\xff", []int{1}, []float32{0}), `tensor "a\xff": the name is not printable text`},
		{"name_long", one(strings.Repeat("n", 257), []int{1}, []float32{0}),
			`tensor "` + strings.Repeat("n", 257) + `": a name of 257 bytes, want at most 255`},
		{"twice", File{Tensors: []Tensor{ramp("w", 11), ramp("v", 13), ramp("w", 17)}},
			"tensor w: the name is there twice"},
		{"metadata_key", File{Metadata: map[string]string{"k\xff": ""}}, `metadata "k\xff": the key is not UTF-8`},
		{"metadata_value", File{Metadata: map[string]string{"k": "\xff"}}, `metadata "k": the value is not UTF-8`},
		{"metadata_size", File{Metadata: map[string]string{"k": strings.Repeat("v", tensorfile.MaxHeaderBytes)}},
			"a header of 4194336 bytes, want at most 4194304: too many tensors, or too much metadata"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.EqualError(t, Write(path, tc.file), "checkpoint: "+path+": "+tc.want)
			got, err := Read(path)
			require.NoError(t, err)
			assert.Equal(t, sample(), got, "the old file is as it was")
			assert.Equal(t, []string{"latents.safetensors"}, names(t, dir))
		})
	}
}

// TestWrite_bytes pins the format: the header's length, the header padded to 8
// bytes, the tensors by name, little-endian.
func TestWrite_bytes(t *testing.T) {
	f := File{
		Metadata: map[string]string{"b": "2", "a": "1"},
		Tensors: []Tensor{
			{Name: "w", Shape: []int{2, 1}, Values: []float32{1, -2}},
			{Name: "b", Values: []float32{0.5}},
		},
	}
	header := `{"__metadata__":{"a":"1","b":"2"},` +
		`"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},` +
		`"w":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]}}`
	header += strings.Repeat(" ", 144-len(header))
	want := "\x90\x00\x00\x00\x00\x00\x00\x00" + header +
		"\x00\x00\x00\x3f" + "\x00\x00\x80\x3f" + "\x00\x00\x00\xc0"
	path := filepath.Join(t.TempDir(), "f.safetensors")
	for range 11 { // the maps must not matter
		require.NoError(t, Write(path, f))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func one(name string, shape []int, values []float32) File {
	return File{Tensors: []Tensor{{Name: name, Shape: shape, Values: values}}}
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
