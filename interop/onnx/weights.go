package onnx

import (
	"fmt"
	"strings"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
)

// Weights is the narrowest type that a file stores the codes of weights in. A layer
// whose codes do not fit takes the next wider one that they fit.
type Weights uint8

const (
	// Int8 stores every code in a byte: opset 17, which most runtimes take.
	Int8 Weights = iota
	// Int4 stores two codes of binary, ternary and int4 layers in a byte: opset 21.
	Int4
	// Int2 stores four codes of binary and ternary layers in a byte: opset 25.
	Int2
)

var weightsNames = [...]string{"int8", "int4", "int2"}

// version is what a file needs of its readers: opset and IR version.
func (w Weights) version() (opset, ir int64) {
	switch w {
	case Int4:
		return 21, 10
	case Int2:
		return 25, 13
	}
	return 17, 8
}

// String returns int8, int4 or int2.
func (w Weights) String() string {
	if int(w) >= len(weightsNames) {
		return fmt.Sprintf("Weights(%d)", uint8(w))
	}
	return weightsNames[w]
}

// UnmarshalText reads a name.
func (w *Weights) UnmarshalText(text []byte) error {
	for i, n := range weightsNames {
		if strings.EqualFold(n, string(text)) {
			*w = Weights(i)
			return nil
		}
	}
	return fmt.Errorf("onnx: unknown weights %q: want one of %s", text, strings.Join(weightsNames[:], ", "))
}

// stored is the type that a weight's codes are stored in.
func (t *translator) stored(w *packed.Weight) dataType {
	switch {
	case t.stores == Int2 && w.Mode.MaxCode() == 1:
		return typeInt2
	case t.stores != Int8 && w.Mode != quant.Int8:
		return typeInt4
	}
	return typeInt8
}

// codes adds a weight's codes as a tensor [in, out].
func (t *translator) codes(path string, w *packed.Weight) value {
	codes := make([]int8, w.In*w.Out) // [out, in]
	w.Unpack(codes)
	kind := t.stored(w)
	per, bits := 1, 8 // codes a byte, bits a code
	switch kind {
	case typeInt4:
		per, bits = 2, 4
	case typeInt2:
		per, bits = 4, 2
	}
	raw := make([]byte, (len(codes)+per-1)/per) // the first code in the lowest bits
	at := 0
	for i := range w.In {
		for o := range w.Out {
			raw[at/per] |= byte(codes[o*w.In+i]) & (1<<bits - 1) << (at % per * bits)
			at++
		}
	}
	return t.parameter(path+".weight.codes", kind, raw, int64(w.In), int64(w.Out))
}

// scales adds a weight's scales.
func (t *translator) scales(path string, w *packed.Weight) value {
	return t.parameter(path+".weight.scale", typeFloat, rawFloats(w.Scales), int64(len(w.Scales)))
}
