package packed_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file is written from docs/format.md, and knows neither the packages of this
// module nor a safetensors library.

// tensorInfo is a member of the header.
type tensorInfo struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// file is a packed model as the page describes it.
type file struct {
	metadata map[string]string
	tensors  map[string]tensorInfo
	data     []byte
	spec     struct {
		E      int    `json:"embed_dim"`
		H      int    `json:"hidden_size"`
		L      int    `json:"num_layers"`
		T      int    `json:"window_size"`
		Mode   string `json:"quantize"`
		Layers []struct {
			Pattern string `json:"pattern"`
			Mode    string `json:"mode"`
		} `json:"layer_modes"`
		Granularity string `json:"granularity"`
		Positions   string `json:"positions"`
	}
	head *struct {
		Width   int      `json:"width"`
		Classes []string `json:"classes"`
		Targets *scaling `json:"targets"`
	}
}

type scaling struct{ Mean, Std []float64 }

func decodeFile(t *testing.T, name string) *file {
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(raw)
	f := &file{data: raw[8+n:], tensors: map[string]tensorInfo{}}
	members := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(raw[8:8+n], &members))
	for key, text := range members {
		if key == "__metadata__" {
			require.NoError(t, json.Unmarshal(text, &f.metadata))
			continue
		}
		var info tensorInfo
		require.NoError(t, json.Unmarshal(text, &info))
		f.tensors[key] = info
	}
	require.NoError(t, json.Unmarshal([]byte(f.metadata["spec"]), &f.spec))
	if text, ok := f.metadata["head"]; ok {
		require.NoError(t, json.Unmarshal([]byte(text), &f.head))
	}
	return f
}

// take returns the bytes of a tensor, which then is gone.
func (f *file) take(t *testing.T, name, dtype string, shape ...int) []byte {
	info, ok := f.tensors[name]
	require.True(t, ok, name)
	assert.Equal(t, dtype, info.DType, name)
	assert.Equal(t, shape, info.Shape, name)
	delete(f.tensors, name)
	return f.data[info.Offsets[0]:info.Offsets[1]]
}

func (f *file) floats(t *testing.T, name string, shape ...int) []float32 {
	var values []float32
	for b := f.take(t, name, "F32", shape...); len(b) > 0; b = b[4:] {
		values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return values
}

func (f *file) mode(layer string) string {
	mode := f.spec.Mode
	for _, l := range f.spec.Layers {
		if ok, _ := path.Match(l.Pattern, layer); ok {
			mode = l.Mode
		}
	}
	return mode
}

// code is code k of byte b, from the page's table.
func code(mode string, b, k int) int {
	switch mode {
	case "binary":
		return 2*(b>>k&1) - 1
	case "ternary":
		return b/int(math.Pow(3, float64(k)))%3 - 1
	case "int4":
		return twos(b>>(4*k)&15, 16)
	}
	return twos(b, 256)
}

// twos is two's complement.
func twos(c, of int) int {
	if c >= of/2 {
		return c - of
	}
	return c
}

// checkFloats holds a tensor against the numbers of the golden files.
func (f *file) checkFloats(t *testing.T, name string, shape ...int) {
	for i, v := range f.floats(t, name, shape...) {
		require.Equal(t, float32(i%17)/8-float32(len(name)), v, "%s %d", name, i)
	}
}

// checkWeight does so for a weight of a layer.
func (f *file) checkWeight(t *testing.T, layer string, in, out int) {
	name, mode := layer+".weight", f.mode(layer)
	f.checkFloats(t, layer+".bias", out)
	if mode == "float" {
		f.checkFloats(t, name, in, out)
		return
	}
	scales := 1
	if f.spec.Granularity == "channel" {
		scales = out
	}
	for i, s := range f.floats(t, name+".scale", scales) {
		require.Equal(t, float32(i+1)/64, s, "%s scale %d", name, i)
	}
	per := map[string]int{"binary": 8, "ternary": 5, "int4": 2, "int8": 1}[mode]
	most := map[string]int{"binary": 1, "ternary": 1, "int4": 7, "int8": 127}[mode]
	bytes := f.take(t, name+".codes", "U8", (in*out+per-1)/per)
	for k := range in * out {
		want := (7*k*k+3*k+len(name))%(2*most+1) - most
		if mode == "binary" && want == 0 {
			want = 1
		}
		require.Equal(t, want, code(mode, int(bytes[k/per]), k%per), "%s output %d, input %d", name, k/in, k%in)
	}
	for k := in * out; k < per*len(bytes); k++ { // a digit of 0
		require.Equal(t, code(mode, 0, 0), code(mode, int(bytes[k/per]), k%per), "%s: behind the last code", name)
	}
}

func TestFormat(t *testing.T) {
	for _, name := range []string{"tensor", "channel", "edifice"} {
		t.Run(name, func(t *testing.T) {
			f := decodeFile(t, "testdata/"+name+".qat")
			assert.Equal(t, "qat.packed", f.metadata["format"])
			assert.Equal(t, "1", f.metadata["version"])
			sum := sha256.Sum256(f.data)
			assert.Equal(t, hex.EncodeToString(sum[:]), f.metadata["sha256"])
			e, h := f.spec.E, f.spec.H
			if e != h {
				f.checkFloats(t, "input_projection.weight", e, h)
				f.checkFloats(t, "input_projection.bias", h)
			}
			if f.spec.Positions == "learned" {
				f.checkFloats(t, "positions.weight", f.spec.T, h)
			}
			for l := range f.spec.L {
				block := fmt.Sprintf("blocks.%d", l)
				for _, norm := range []string{".attn_norm", ".ffn_norm"} {
					f.checkFloats(t, block+norm+".weight", h)
					f.checkFloats(t, block+norm+".bias", h)
				}
				f.checkWeight(t, block+".attn.qkv", h, 3*h)
				f.checkWeight(t, block+".attn.out", h, h)
				f.checkWeight(t, block+".ffn.up", h, 4*h)
				f.checkWeight(t, block+".ffn.down", 4*h, h)
			}
			f.checkFloats(t, "final_norm.weight", h)
			f.checkFloats(t, "final_norm.bias", h)
			if f.head != nil {
				f.checkFloats(t, "head.weight", h, f.head.Width)
				f.checkFloats(t, "head.bias", f.head.Width)
			}
			assert.Empty(t, f.tensors, "tensors that the page does not name")
		})
	}
}

func TestFormat_metadata(t *testing.T) {
	f := decodeFile(t, "testdata/tensor.qat")
	assert.Equal(t, []string{"down", "up"}, f.head.Classes)
	assert.NotContains(t, f.metadata, "input")
	f = decodeFile(t, "testdata/channel.qat")
	assert.Equal(t, &scaling{Mean: []float64{0.5, -2}, Std: []float64{0.25, 3}}, f.head.Targets)
	var input struct {
		Channels           []string
		Scale              scaling
		Frame, Hop, Window int
		Center             bool
	}
	require.NoError(t, json.Unmarshal([]byte(f.metadata["input"]), &input))
	assert.Equal(t, "{[x] {[1] [2]} 2 1 11 true}", fmt.Sprint(input))
	f = decodeFile(t, "testdata/edifice.qat")
	assert.Nil(t, f.head)
	assert.True(t, strings.Contains(f.metadata["spec"], `"numerics":"edifice"`))
}

// TestFormat_names: the page names every field that a file has.
func TestFormat_names(t *testing.T) {
	page, err := os.ReadFile("../docs/format.md")
	require.NoError(t, err)
	named := func(text string) {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(text), &fields))
		for name := range fields {
			assert.Contains(t, string(page), "`"+name+"`")
		}
	}
	for _, name := range []string{"tensor", "channel"} {
		f := decodeFile(t, "testdata/"+name+".qat")
		for key, value := range f.metadata {
			assert.Contains(t, string(page), "`"+key+"`")
			if strings.HasPrefix(value, "{") {
				named(value)
			}
		}
	}
}
