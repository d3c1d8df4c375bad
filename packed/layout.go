package packed

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/qat-go/qat/internal/tensorfile"
	"github.com/qat-go/qat/quant"
)

// The metadata of a packed model; spec, head and input are JSON.
const (
	formatKey, format   = "format", "qat.packed"
	versionKey, version = "version", "1"
	specKey             = "spec"
	headKey             = "head"
	inputKey            = "input"
	sumKey              = "sha256" // of all bytes behind the header, in hexadecimal
)

// noSum stands for a sum where only the header's length is of interest.
var noSum = strings.Repeat("0", 64)

// What the name of a weight ends in, in the file.
const (
	codesSuffix = ".codes"
	scaleSuffix = ".scale"
)

// entry is one tensor of the file: codes, or floats where codes is nil.
type entry struct {
	name   string
	shape  []int
	codes  *[]byte
	floats *[]float32
}

func (e *entry) dtype() string {
	if e.codes != nil {
		return "U8"
	}
	return "F32"
}

// bytes is the length of the tensor in the file.
func (e *entry) bytes() int64 {
	n := int64(1)
	for _, d := range e.shape {
		n *= int64(d)
	}
	if e.codes != nil {
		return n
	}
	return 4 * n
}

// entries lists the tensors in the order of the file: floats first, which keeps them
// aligned, each kind in the order of the parameters. Weights and Tensors are those of
// the parameters, in their order; what they hold is not looked at.
func (m *Model) entries() []entry {
	var floats, codes []entry
	w, t := 0, 0
	for _, p := range m.params() {
		if p.Mode == quant.Float {
			floats = append(floats, entry{name: p.Name, shape: p.Shape, floats: &m.Tensors[t].Values})
			t++
			continue
		}
		in, out := p.Shape[0], p.Shape[1]
		floats = append(floats, entry{name: p.Name + scaleSuffix, shape: []int{m.Spec.Granularity.Scales(out)}, floats: &m.Weights[w].Scales})
		codes = append(codes, entry{name: p.Name + codesSuffix, shape: []int{CodeBytes(p.Mode, in*out)}, codes: &m.Weights[w].Codes})
		w++
	}
	return append(floats, codes...)
}

// skeleton makes the weights and tensors that the parameters ask for, without values.
//
// Errors: a parameter that is too large.
func (m *Model) skeleton() error {
	for _, p := range m.params() {
		if _, err := product(p.Shape...); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		if p.Mode == quant.Float {
			m.Tensors = append(m.Tensors, Tensor{Name: p.Name, Shape: p.Shape})
		} else {
			m.Weights = append(m.Weights, Weight{Name: p.Name, Mode: p.Mode, In: p.Shape[0], Out: p.Shape[1]})
		}
	}
	return nil
}

// total is the length of a file.
func total(header []byte, entries []entry) int64 {
	n := int64(tensorfile.PrefixBytes + len(header))
	for i := range entries {
		n += entries[i].bytes()
	}
	return n
}

func checkTotal(header []byte, entries []entry) error {
	if n := total(header, entries); n > tensorfile.MostBytes() {
		return fmt.Errorf("a file of %d bytes, want at most %d", n, tensorfile.MostBytes())
	}
	return nil
}

// header is what the file begins with, a function of what it holds: a reader that
// knows the metadata knows every byte of it.
func (m *Model) header(entries []entry, sum string) ([]byte, error) {
	metadata := map[string]string{formatKey: format, versionKey: version, sumKey: sum}
	add := func(key string, value any) error {
		text, err := json.Marshal(value)
		metadata[key] = string(text)
		return err
	}
	if err := add(specKey, m.Spec); err != nil {
		return nil, err
	}
	if m.Head != nil {
		if err := add(headKey, m.Head); err != nil {
			return nil, err
		}
	}
	if m.Input != nil {
		if err := add(inputKey, m.Input); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(map[string]any{tensorfile.MetadataKey: metadata})
	if err != nil {
		return nil, err
	}
	text = text[:len(text)-1] // less the closing bracket
	at := int64(0)
	for i := range entries {
		e := &entries[i]
		shape, err := json.Marshal(e.shape)
		if err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, `,%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, e.name, e.dtype(), shape, at, at+e.bytes())
		at += e.bytes()
	}
	text = append(text, '}')
	for len(text)%8 != 0 { // which keeps the floats aligned
		text = append(text, ' ')
	}
	return text, nil
}
