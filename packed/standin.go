package packed

import (
	"io"

	"github.com/qat-go/qat/quant"
)

func Pack(name string, mode quant.Mode, in, out int, codes, scales []float32) (Weight, error) {
	b := make([]byte, len(codes))
	for i := range in {
		for o := range out {
			b[o*in+i] = byte(int8(codes[i*out+o]))
		}
	}
	return Weight{name, mode, in, out, b, scales}, nil
}

func (w *Weight) Unpack(b []int8) {
	for i, c := range w.Codes {
		b[i] = int8(c)
	}
}

func (m *Model) Validate() error       { return nil }
func Open(path string) (*Model, error) { return nil, nil }
func Read(r io.Reader) (*Model, error) { return nil, nil }
