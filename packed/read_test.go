package packed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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

// parts is a file in two, to be damaged.
type parts struct {
	header string
	data   []byte
}

func split(file []byte) parts {
	n := 8 + int(binary.LittleEndian.Uint64(file))
	return parts{string(file[8:n]), bytes.Clone(file[n:])}
}

func (p parts) bytes() []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(p.header)))
	return append(append(out, p.header...), p.data...)
}

// summed has the sum of its data.
func (p parts) summed() parts {
	const key = `"sha256":"`
	at := strings.Index(p.header, key) + len(key)
	sum := sha256.Sum256(p.data)
	p.header = p.header[:at] + hex.EncodeToString(sum[:]) + p.header[at+64:]
	return p
}

// replaced has another text in its header, which is there.
func (p parts) replaced(t require.TestingT, old, new string) parts {
	require.Contains(t, p.header, old)
	p.header = strings.Replace(p.header, old, new, 1)
	return p
}

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

// TestRead_header breaks one rule of a header at a time.
func TestRead_header(t *testing.T) {
	const qkv = "blocks.0.attn.qkv.weight"
	whole := split(encoded(t, full(t)))
	change := func(old, new string) func(parts) parts {
		return func(p parts) parts { return p.replaced(t, old, new) }
	}
	metadata := func(old, new string) func(parts) parts { // of JSON in JSON
		return change(strings.ReplaceAll(old, `"`, `\"`), strings.ReplaceAll(new, `"`, `\"`))
	}
	only := func(header string) func(parts) parts {
		return func(p parts) parts { return parts{header: header, data: p.data} }
	}
	entry := `,"` + qkv + `.codes":{`
	for _, tc := range []struct {
		name   string
		damage func(p parts) parts
		want   string
	}{
		{"text", only("hello"), "the header: invalid character 'h'"},
		{"empty", only(""), "the header: unexpected EOF"},
		{"list", only("[]"), `the header: it begins "[", want {`},
		{"open", only(`{"a":1`), "the header: unexpected EOF"},
		{"bare", only(`{}`), "the header: no metadata: not a packed model"},
		{"deep", only(`{"w":` + strings.Repeat("[", 99991)), "the header: "},
		{"metadata_list", only(`{"__metadata__":[]}`), `the header: the metadata begin "[", want {`},
		{"metadata_number", only(`{"__metadata__":{"k":1}}`), `the header: metadata "k": 1, want a text`},
		{"metadata_many", only(`{"__metadata__":{` + strings.Repeat(`"a":"",`, 9) + `"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":"","11":"","12":"","13":"","14":"","15":"","16":""}}`), "the header: more than 16 metadata"},
		{"format", change(`"qat.packed"`, `"qat.latents"`), `not a packed model: format is "qat.latents", want "qat.packed"`},
		{"format_none", only(`{"__metadata__":{}}`), `not a packed model: format is "", want "qat.packed"`},
		{"version", change(`"version":"1"`, `"version":"2"`), `version is "2", want "1"`},
		{"metadata_unknown", change(`"version"`, `"author":"me","version"`), `metadata "author", want one of ["format" "version" "spec" "sha256" "head" "input"]`},
		{"metadata_missing", change(`"sha256"`, `"head"`), `metadata "sha256" is missing`},
		{"metadata_twice", change(`"version":"1"`, `"version":"1","version":"1"`), "the header: from byte"},
		{"spec_text", metadata(`"embed_dim":6`, `"embed_dim":"6"`), `metadata "spec": json: cannot unmarshal string`},
		{"spec_cut", metadata(`"layer_modes":[{`, `{`), `metadata "spec": invalid character`},
		{"spec_unknown", metadata(`"embed_dim":6`, `"embed_dim":6,"experts":2`), `metadata "spec": json: unknown field "experts"`},
		{"spec_twice", metadata(`"embed_dim":6`, `"embed_dim":6,"embed_dim":6`), "the header: from byte"},
		{"spec_case", metadata(`"embed_dim"`, `"Embed_Dim"`), "the header: from byte"},
		{"spec_huge", metadata(`"embed_dim":6`, `"embed_dim":99999999999999999999`), `metadata "spec": json: cannot unmarshal number`},
		{"spec_trailing", metadata(`"mode":"float"}]}`, `"mode":"float"}]} {}`), "the header: from byte"},
		{"spec_fault", metadata(`"hidden_size":7`, `"hidden_size":0`), "spec: WithHiddenSize: hidden size 0 is outside 1..32768"},
		{"spec_layers", metadata(`"num_layers":2`, `"num_layers":32768`), "spec: 32768 layers, but a header of"},
		{"spec_more_layers", metadata(`"num_layers":2`, `"num_layers":3`), "the header: tensor "},
		{"spec_long", metadata(`"pattern":"*.ffn.up"`, `"pattern":"`+strings.Repeat("*", 1<<16)+`"`), "bytes of JSON, want at most 65536"},
		{"head", metadata(`"width":3`, `"width":2`), "head: 3 classes, want the width 2"},
		{"head_null", change(`"head":"{`, `"head":"null{`), `head: width 0 is outside 1..1073741824`},
		{"head_open", change(`"head":"{`, `"head":"{{`), `metadata "head": invalid character '{'`},
		{"head_unknown", metadata(`"width":3`, `"width":3,"w":1`), `metadata "head": json: unknown field "w"`},
		{"head_missing", func(p parts) parts {
			at, end := strings.Index(p.header, `"head":"`), strings.Index(p.header, `"input":"`)
			p.header = p.header[:at] + p.header[end:]
			return p
		}, `the header: tensor "head.weight": the model has none of this name`},
		{"input", metadata(`"hop":5`, `"hop":0`), "input: preprocess: frame 2, hop 0, window 11"},
		{"input_window", metadata(`"window":11`, `"window":13`), "input: window 13 of 6 features, want the model's 11 of 6"},
		{"dtype", change(`"U8"`, `"I8"`), "the header: tensor " + qkv + `.codes: type "I8", want U8`},
		{"dtype_half", change(`"F32"`, `"F16"`), `the header: tensor input_projection.weight: type "F16", want F32`},
		{"shape", change(`"shape":[6,7]`, `"shape":[7,6]`), "the header: tensor input_projection.weight: shape [7 6], want [6 7]"},
		{"shape_huge", change(`"shape":[6,7]`, `"shape":[4294967296,4294967296]`), "the header: tensor input_projection.weight: shape [4294967296 4294967296], want [6 7]"},
		{"shape_many", change(`"shape":[6,7]`, `"shape":[6,7`+strings.Repeat(",1", 1000)+`]`), "the header: tensor input_projection.weight: 2052 bytes of the header, want at most 1024"},
		{"shape_negative", change(`"shape":[6,7]`, `"shape":[-6,7]`), "the header: tensor input_projection.weight: json: cannot unmarshal number -6"},
		{"offsets", change(`"data_offsets":[0,168]`, `"data_offsets":[4,172]`), "the header: tensor input_projection.weight: bytes [4 172] of the data, want [0 168]"},
		{"offsets_size", change(`"data_offsets":[0,168]`, `"data_offsets":[0,164]`), "bytes [0 164] of the data, want [0 168]"},
		{"offsets_huge", change(`"data_offsets":[0,168]`, `"data_offsets":[0,18446744073709551615]`), "bytes [0 18446744073709551615] of the data"},
		{"entry", change(entry, entry+`"x":1,`), "the header: tensor " + qkv + `.codes: json: unknown field "x"`},
		{"entry_number", change(entry, `,"`+qkv+`.codes":1,"a":{`), "the header: tensor " + qkv + ".codes: json: cannot unmarshal number"},
		{"missing", change(entry, `,"w":{`), `the header: tensor "w": the model has none of this name`},
		{"missing_last", func(p parts) parts {
			at := strings.LastIndex(p.header, `,"blocks.1.ffn.down.weight.codes"`)
			p.header = p.header[:at] + "}"
			return p
		}, "the header: tensor blocks.1.ffn.down.weight.codes is missing"},
		{"twice", func(p parts) parts {
			at := strings.Index(p.header, entry)
			end := at + 1 + strings.Index(p.header[at+1:], `,"blocks`)
			p.header = p.header[:end] + p.header[at:]
			return p
		}, "the header: tensor " + qkv + ".codes is there twice"},
		{"name_long", change(entry, `,"`+strings.Repeat("w", 9999)+`":{`), "www..."},
		{"spaces", change(`{"__metadata__"`, `{ "__metadata__"`), `the header: from byte 1 on it is " \"__metadata__\":{\"format`},
		{"escapes", change(entry, strings.Replace(entry, "b", `\u0062`, 1)), "a model has one text"},
		{"padding", func(p parts) parts { p.header = strings.TrimRight(p.header, " "); return p }, "a model has one text"},
		{"padding_more", func(p parts) parts { p.header += strings.Repeat(" ", 8); return p }, "a model has one text"},
		{"utf8", metadata(`"x"`, "\"\xff\""), "a model has one text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			damaged := tc.damage(whole)
			m, err := readBytes(damaged.bytes())
			require.ErrorContains(t, err, "packed: ")
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 1009, "no error repeats the file")
			assert.Nil(t, m)
		})
	}
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

// allocated is what f allocates, in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestRead_claims: a header that claims more than there is costs next to nothing.
func TestRead_claims(t *testing.T) {
	m := &Model{Spec: smallSpec(quant.Int8)}
	m.Spec.HiddenSize = 8192 // int8 weights of 192 to 256 MB, as many as a 386 reads
	require.NoError(t, m.skeleton())
	header, err := m.header(m.entries(), noSum)
	require.NoError(t, err)
	file := parts{header: string(header)}.bytes()
	for name, r := range map[string]io.Reader{"sized": bytes.NewReader(file), "stream": stream{bytes.NewReader(file)}} {
		var err error
		assert.Less(t, allocated(func() { _, err = Read(r) }), uint64(1<<20), name)
		assert.Error(t, err, name)
	}

	// Headers of layers, sizes and lists that are not there.
	for name, metadata := range map[string][2]string{
		"layers": {`"num_layers":1`, `"num_layers":32768`},
		"sizes":  {`"hidden_size":8192`, `"hidden_size":32768`},
		"window": {`"window_size":11`, `"window_size":32768`},
	} {
		p := parts{header: string(header)}.replaced(t, strings.ReplaceAll(metadata[0], `"`, `\"`), strings.ReplaceAll(metadata[1], `"`, `\"`))
		var err error
		assert.Less(t, allocated(func() { _, err = readBytes(p.bytes()) }), uint64(1<<20), name)
		assert.Error(t, err, name)
	}
}

// memoryFactor bounds what is allocated in all, rather than held, for a file: JSON is
// decoded in pieces, each of them garbage soon.
const memoryFactor = 48

// TestRead_memory: a hostile header of a megabyte is not blown up.
func TestRead_memory(t *testing.T) {
	const size = 1 << 20
	valid := split(encoded(t, full(t)))
	fill := func(text string) string { return strings.Repeat(text, size/len(text)) }
	for name, p := range map[string]parts{
		"zeros":    {header: strings.Repeat("\x00", size)},
		"brackets": {header: `{"w":` + fill("[")},
		"members":  {header: `{` + fill(`"a":1,`) + `"a":1}`},
		"numbers":  {header: `{"w":[` + fill(`1,`) + `1]}`},
		"metadata": {header: `{"__metadata__":{` + fill(`"a":"",`)},
		"tensors":  {header: strings.Replace(valid.header, `,"input_projection.weight"`, fill(`,"w":{}`)+`,"input_projection.weight"`, 1)},
		"shape":    valid.replaced(t, `"shape":[6,7]`, `"shape":[`+fill("1,")+`1]`),
		"classes":  valid.replaced(t, `\"classes\":[`, `\"classes\":[`+fill(`\"\",`)),
		"means":    valid.replaced(t, `\"mean\":[`, `\"mean\":[`+fill(`0,`)),
		"modes":    valid.replaced(t, `\"layer_modes\":[`, `\"layer_modes\":[`+fill(`{},`)),
	} {
		file := p.bytes()
		var err error
		n := allocated(func() { _, err = readBytes(file) })
		assert.Error(t, err, name)
		assert.Less(t, n, uint64(memoryFactor*len(file)), name)
	}
}

// TestOpen_memory: a model takes the memory of its file.
func TestOpen_memory(t *testing.T) {
	s := smallSpec(quant.Int8)
	s.HiddenSize = 512
	path := filepath.Join(t.TempDir(), "model.qat")
	require.NoError(t, random(t, s, nil).Write(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	n := allocated(func() { _, err = Open(path) })
	require.NoError(t, err)
	assert.Less(t, n, uint64(info.Size()*5/4))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	n = allocated(func() { _, err = Read(stream{bytes.NewReader(file)}) })
	require.NoError(t, err)
	assert.Less(t, n, uint64(info.Size()*6))
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
	assert.ErrorContains(t, err, "not a safetensors file, or one with a header of 18446744073709551615 bytes, want at most 4194304")

	if runtime.GOOS == "windows" {
		t.Skip("files are not sparse")
	}
	require.NoError(t, os.Truncate(path, tensorfile.MaxBytes+1))
	_, err = Open(path)
	assert.ErrorContains(t, err, "4294967297 bytes, want at most ")
}

func FuzzRead(f *testing.F) {
	f.Add(encoded(f, full(f)))
	for _, mode := range quant.Modes() {
		f.Add(encoded(f, random(f, smallSpec(mode), nil)))
	}
	f.Add(encoded(f, edifice(f, quant.Int4)))
	targets := preprocess.Identity(2)
	f.Add(encoded(f, random(f, smallSpec(quant.Ternary), &Head{Targets: &targets, Width: 2})))
	f.Add(parts{header: `{"__metadata__":{"format":"qat.packed","version":"1","spec":"{}","sha256":""}}`}.bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, file := range [][]byte{file, resummed(file)} {
			m, err := readBytes(file)
			streamed, streamErr := Read(stream{bytes.NewReader(file)})
			require.Equal(t, err == nil, streamErr == nil, "%v, %v", err, streamErr)
			if err != nil {
				continue
			}
			require.Equal(t, m, streamed)
			require.NoError(t, m.Validate())
			require.Equal(t, file, encoded(t, m))
		}
	})
}

// resummed is a file whose sum is right, so that fuzzing gets behind it.
func resummed(file []byte) []byte {
	if len(file) < 8 {
		return nil
	}
	if n := binary.LittleEndian.Uint64(file); n > uint64(len(file)-8) {
		return nil
	}
	p := split(file)
	if at := strings.Index(p.header, `"sha256":"`); at < 0 || len(p.header) < at+74 {
		return nil
	}
	return p.summed().bytes()
}
