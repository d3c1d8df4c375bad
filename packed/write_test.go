package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

func TestRoundTrip(t *testing.T) {
	m := full(t)
	path := filepath.Join(t.TempDir(), "model.qat")
	require.NoError(t, m.Write(path))
	got, err := Open(path)
	require.NoError(t, err)
	assert.Equal(t, m, got)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, encoded(t, m), content)
}

// TestEncode_deterministic: the bytes depend on the model alone, and on all of it.
func TestEncode_deterministic(t *testing.T) {
	want := encoded(t, full(t))
	for range 3 {
		assert.Equal(t, want, encoded(t, full(t)))
	}
	for name, change := range changes() {
		m := full(t)
		change(m)
		assert.NotEqual(t, want, encoded(t, m), name)
	}
}

// changes are to the model that full makes, which stays valid.
func changes() map[string]func(m *Model) {
	return map[string]func(m *Model){
		"spec":    func(m *Model) { m.Spec.Dropout = 0.2 },
		"code":    func(m *Model) { m.Weights[0].Codes[0] ^= 1 },
		"scale":   func(m *Model) { m.Weights[0].Scales[1]++ },
		"value":   func(m *Model) { m.Tensors[0].Values[0] = -m.Tensors[0].Values[0] },
		"class":   func(m *Model) { m.Head.Classes[0] += "2" },
		"head":    func(m *Model) { m.Head.Classes = nil },
		"input":   func(m *Model) { m.Input.Hop++ },
		"scaling": func(m *Model) { m.Input.Scale.Mean[1]++ },
		"frames":  func(m *Model) { m.Input.Inputs = nil },
		"raw":     func(m *Model) { m.Input = nil },
	}
}

// TestEncode_library: any safetensors library reads it, and finds what the names say.
func TestEncode_library(t *testing.T) {
	m := full(t)
	file := encoded(t, m)
	all, err := safetensors.Deserialize(file)
	require.NoError(t, err)
	assert.Equal(t, len(m.Tensors)+2*len(m.Weights), all.Len())
	for _, w := range m.Weights {
		codes, ok := all.Tensor(w.Name + ".codes")
		require.True(t, ok, w.Name)
		assert.Equal(t, safetensors.U8, codes.DType())
		assert.Equal(t, w.Codes, codes.Data())
		scale, ok := all.Tensor(w.Name + ".scale")
		require.True(t, ok, w.Name)
		assert.Equal(t, []uint64{uint64(w.Out)}, scale.Shape())
		assert.Equal(t, w.Scales, floats(t, scale.Data()))
	}
	for _, want := range m.Tensors {
		got, ok := all.Tensor(want.Name)
		require.True(t, ok, want.Name)
		assert.Equal(t, fmt.Sprint(want.Shape), fmt.Sprint(got.Shape()), want.Name)
		assert.Equal(t, want.Values, floats(t, got.Data()), want.Name)
	}
	// Libraries that map a file want floats aligned in it.
	begin := int64(8 + binary.LittleEndian.Uint64(file))
	assert.Zero(t, begin%8)
	for _, e := range m.entries() {
		if e.floats != nil {
			assert.Zero(t, begin%4, e.name)
		}
		begin += e.bytes()
	}
}

func floats(t require.TestingT, data []byte) []float32 {
	values := make([]float32, len(data)/4)
	_, err := binary.Decode(data, binary.LittleEndian, values)
	require.NoError(t, err)
	return values
}

// TestEncode_order: floats as the model uses them, then codes, so that a file can be
// mapped and read front to back.
func TestEncode_order(t *testing.T) {
	s := smallSpec(quant.Ternary)
	s.Positions = spec.Learned
	m := random(t, s, &Head{Width: 2})
	var names []string
	for _, e := range m.entries() {
		names = append(names, strings.TrimPrefix(e.name, "blocks.0."))
	}
	assert.Equal(t, strings.Fields(`input_projection.weight input_projection.bias positions.weight
		attn_norm.weight attn_norm.bias attn.qkv.weight.scale attn.qkv.bias attn.out.weight.scale attn.out.bias
		ffn_norm.weight ffn_norm.bias ffn.up.weight.scale ffn.up.bias ffn.down.weight.scale ffn.down.bias
		final_norm.weight final_norm.bias head.weight head.bias
		attn.qkv.weight.codes attn.out.weight.codes ffn.up.weight.codes ffn.down.weight.codes`), names)
}

// TestEncode_bits: bits a quantized weight, of the tensors in the file; its header,
// of constant size, is not of the weights.
func TestEncode_bits(t *testing.T) {
	for mode, most := range map[quant.Mode]float64{quant.Binary: 1.01, quant.Ternary: 1.61, quant.Int4: 4.01, quant.Int8: 8.01} {
		for _, hidden := range []int{256, 257, 512} {
			s := smallSpec(mode)
			s.HiddenSize = hidden
			file, err := safetensors.Deserialize(encoded(t, random(t, s, nil)))
			require.NoError(t, err)
			for _, p := range s.Params() {
				if p.Mode == quant.Float {
					continue
				}
				bytes := 0
				for _, suffix := range []string{".codes", ".scale"} {
					v, ok := file.Tensor(p.Name + suffix)
					require.True(t, ok, p.Name)
					bytes += len(v.Data())
				}
				bits := 8 * float64(bytes) / float64(p.Len())
				assert.LessOrEqual(t, bits, most, "%v %s %v", mode, p.Name, p.Shape)
				assert.Greater(t, bits, map[quant.Mode]float64{quant.Binary: 1, quant.Ternary: 1.6, quant.Int4: 4, quant.Int8: 8}[mode])
			}
		}
	}
}

// TestWrite_fails: what cannot be written leaves the old file as it was.
func TestWrite_fails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.qat")
	m := random(t, smallSpec(quant.Int4), nil)
	require.NoError(t, m.Write(path))
	want := encoded(t, m)

	m.Tensors[3].Values[2] = nan
	err := m.Write(path)
	assert.EqualError(t, err, "packed: tensor blocks.0.attn_norm.bias: element 2 is NaN, not a finite number")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, content)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file")

	m.Tensors[3].Values[2] = 0
	assert.ErrorContains(t, m.Write(dir), "is a directory")
	assert.Error(t, m.Write(filepath.Join(dir, "none", "model.qat")))
	for i := range 1000 { // no name is left for the new file
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf(".qat-%03d.tmp", i)), nil, 0o666))
	}
	assert.ErrorContains(t, m.Write(path), "temporary files")
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, content)
}

// TestWrite_replaces: the new file is another one, so that who reads the old sees it whole.
func TestWrite_replaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.qat")
	m := random(t, smallSpec(quant.Int4), nil)
	require.NoError(t, m.Write(path))
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, m.Write(path))
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.False(t, os.SameFile(before, after))
}

// fullDisk takes so many bytes.
type fullDisk struct{ room int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, errFull
	}
	d.room -= len(p)
	return len(p), nil
}

func TestEncode_writeErrors(t *testing.T) {
	m := full(t)
	size := len(encoded(t, m))
	for room := range size {
		require.ErrorIs(t, m.Encode(&fullDisk{room}), errFull, "%d of %d bytes", room, size)
	}
	require.NoError(t, m.Encode(&fullDisk{size}))
}

func TestEncode_invalid(t *testing.T) {
	m := full(t)
	m.Weights[1].Scales[0] = -1
	var b bytes.Buffer
	assert.ErrorContains(t, m.Encode(&b), "packed: tensor blocks.0.attn.out.weight.scale: scale 0 is -1, want a finite number from 0 up")
	assert.Zero(t, b.Len())
}
