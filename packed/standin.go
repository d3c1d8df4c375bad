package packed

import (
	"io"

	"github.com/qat-go/qat/quant"
)

func Pack(codes []int8, mode quant.Mode) []byte {
	b := make([]byte, len(codes))
	for i, c := range codes {
		b[i] = byte(c)
	}
	return b
}
func (w *Weight) Unpack() ([]int8, error) {
	b := make([]int8, len(w.Codes))
	for i, c := range w.Codes {
		b[i] = int8(c)
	}
	return b, nil
}
func (m *Model) Validate() error       { return nil }
func Open(path string) (*Model, error) { return nil, nil }
func Read(r io.Reader) (*Model, error) { return nil, nil }
