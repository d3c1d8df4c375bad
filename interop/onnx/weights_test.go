package onnx

import (
	"testing"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWeights(t *testing.T) {
	for _, w := range []Weights{Int8, Int4, Int2} {
		var got Weights
		require.NoError(t, got.UnmarshalText([]byte(w.String())))
		assert.Equal(t, w, got)
	}
	assert.Equal(t, "Weights(3)", Weights(3).String())
	var w Weights
	assert.EqualError(t, w.UnmarshalText([]byte("int1")), `onnx: unknown weights "int1": want one of int8, int4, int2`)
}

// TestCodes: codes lie [in, out], the first in the lowest bits, in the narrowest type that
// was asked for and that they fit.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		mode   quant.Mode
		stores Weights
		codes  []float32 // [in 2, out 3]
		kind   dataType
		raw    []byte
	}{
		{quant.Ternary, Int2, []float32{1, 0, -1, -1, 1, 0}, typeInt2, []byte{0b11_11_00_01, 0b0001}},
		{quant.Binary, Int2, []float32{1, 1, -1, -1, 1, -1}, typeInt2, []byte{0b11_11_01_01, 0b1101}},
		{quant.Int4, Int2, []float32{7, -7, 1, -1, 0, 3}, typeInt4, []byte{0x97, 0xf1, 0x30}},
		{quant.Ternary, Int4, []float32{1, 0, -1, -1, 1, 0}, typeInt4, []byte{0x01, 0xff, 0x01}},
		{quant.Int8, Int2, []float32{127, -127, 1, -1, 0, 3}, typeInt8, []byte{127, 0x81, 1, 255, 0, 3}},
		{quant.Ternary, Int8, []float32{1, 0, -1, -1, 1, 0}, typeInt8, []byte{1, 0, 255, 255, 1, 0}},
	} {
		w, err := packed.Pack("x.weight", c.mode, 2, 3, c.codes, []float32{1})
		require.NoError(t, err)
		tr := &translator{graph: newGraph(17), stores: c.stores}
		name := tr.codes("x", &w)
		want := tensorProto{dims: []int64{2, 3}, kind: c.kind, name: name, raw: c.raw}
		assert.Equal(t, []tensorProto{want}, tr.initializers, "%v as %v", c.mode, c.stores)
	}
}
