// Package checkpoint keeps named float32 tensors and string metadata in one
// safetensors file, which other tools read too. Files are replaced as a whole
// or not at all, and a damaged or hostile file is an error, never a panic.
package checkpoint

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/qat-go/qat/internal/tensorfile"
)

// Limits beside those of every tensor file.
const (
	maxNameBytes = 255
	maxDims      = 8
)

// Tensor is a named array of finite float32 values.
//
// Shapes: Values holds the product of Shape, row-major; a Shape of no
// dimensions is one value.
type Tensor struct {
	Name   string
	Shape  []int
	Values []float32
}

// File is what one checkpoint file holds.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor
}

// check reports what is wrong with the whole file, the first fault only.
func (f File) check() error {
	seen := make(map[string]bool, len(f.Tensors))
	for _, t := range f.Tensors {
		if err := t.check(); err != nil {
			return err
		}
		if seen[t.Name] {
			return fmt.Errorf("tensor %s: the name is there twice", t.Name)
		}
		seen[t.Name] = true
	}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		// JSON would replace the bad bytes in silence.
		if !utf8.ValidString(key) {
			return fmt.Errorf("metadata %q: the key is not UTF-8", tensorfile.Clip(key))
		}
		if !utf8.ValidString(f.Metadata[key]) {
			return fmt.Errorf("metadata %q: the value is not UTF-8", tensorfile.Clip(key))
		}
	}
	return nil
}

// check reports what is wrong with the tensor.
func (t Tensor) check() error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	want, err := elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	if len(t.Values) != want {
		return fmt.Errorf("tensor %s: %d values for shape %v, want %d", t.Name, len(t.Values), t.Shape, want)
	}
	for i, v := range t.Values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("tensor %s: value %d is %v, want a finite value", t.Name, i, v)
		}
	}
	return nil
}

// checkName lets through what can be printed as it is.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a tensor has no name")
	case name == tensorfile.MetadataKey:
		return fmt.Errorf("tensor %s: the format keeps this name for the metadata", name)
	case len(name) > maxNameBytes:
		return fmt.Errorf("tensor %q: a name of %d bytes, want at most %d", tensorfile.Clip(name), len(name), maxNameBytes)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("tensor %q: the name is not printable text", name)
	}
	return nil
}

// elements is the product of shape, which must fit into a file.
func elements(shape []int) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("%d dimensions, want at most %d", len(shape), maxDims)
	}
	const most = tensorfile.MaxBytes / 4
	n := int64(1)
	for _, dim := range shape {
		if dim < 1 {
			return 0, fmt.Errorf("shape %v has a dimension of %d, want 1 or more", shape, dim)
		}
		if int64(dim) > most/n { // so n*dim <= most
			return 0, fmt.Errorf("shape %v is too large, want at most %d values", shape, most)
		}
		n *= int64(dim)
	}
	if n > math.MaxInt/4 {
		return 0, fmt.Errorf("shape %v is too large for this machine", shape)
	}
	return int(n), nil
}
