package packed

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/internal/tensorfile"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

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
	s := smallSpec(quant.Int8)
	s.HiddenSize = 8192 // int8 weights of 64 to 256 MB, as many as a 386 reads
	header := claim(t, s)
	s.EmbedDim = 8191 // and floats of 256 MB
	floats := parts{header: claim(t, s)}.bytes()
	codes := parts{header, make([]byte, 4*(3*8192+16*8192+4))}.bytes() // all the floats, and no codes
	for name, r := range map[string]io.Reader{
		"floats": bytes.NewReader(floats), "floats streamed": stream{bytes.NewReader(floats)},
		"codes": bytes.NewReader(codes), "codes streamed": stream{bytes.NewReader(codes)},
	} {
		var err error
		assert.Less(t, allocated(func() { _, err = Read(r) }), uint64(8<<20), name)
		require.Error(t, err, name)
		if strings.Contains(name, "streamed") {
			assert.ErrorContains(t, err, map[byte]string{'f': "input_projection.weight: 0 bytes", 'c': "attn.qkv.weight.codes: 0 bytes"}[name[0]])
		}
	}

	s.HiddenSize, s.Quantize, s.Activations = 16384, quant.Float, spec.FloatActivations
	m := &Model{Spec: s}
	require.NoError(t, m.skeleton())
	require.Len(t, m.sizeFaults(), 1, "it is said when writing, too")
	assert.ErrorContains(t, m.sizeFaults()[0], "a file of 13")
	_, err := Read(stream{bytes.NewReader(parts{header: claim(t, s)}.bytes())})
	assert.ErrorContains(t, err, fmt.Sprintf("bytes, want at most %d", tensorfile.MostBytes()))

	// Headers of layers, sizes and lists that are not there.
	for name, metadata := range map[string][2]string{
		"layers": {`"num_layers":1`, `"num_layers":32768`},
		"sizes":  {`"hidden_size":8192`, `"hidden_size":32768`},
		"window": {`"window_size":11`, `"window_size":32768`},
	} {
		p := parts{header: header}.replaced(t, strings.ReplaceAll(metadata[0], `"`, `\"`), strings.ReplaceAll(metadata[1], `"`, `\"`))
		var err error
		assert.Less(t, allocated(func() { _, err = readBytes(p.bytes()) }), uint64(1<<20), name)
		assert.Error(t, err, name)
	}
}

// claim is the header of a model that need not be there.
func claim(t *testing.T, s spec.Model) string {
	m := &Model{Spec: s}
	require.NoError(t, m.skeleton())
	header, err := m.header(m.entries(), noSum)
	require.NoError(t, err)
	return string(header)
}

// memoryFactor bounds what is allocated in all, rather than held, for a file: JSON is
// decoded in pieces, each of them garbage soon, and the race detector adds to them.
const memoryFactor = 64

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
