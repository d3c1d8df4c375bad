package packed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
