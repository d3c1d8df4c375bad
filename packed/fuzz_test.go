package packed

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
)

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
