package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nlpodyssey/safetensors"

	"github.com/qat-go/qat/internal/tensorfile"
)

// Write replaces the file at path by f, atomically (see WriteFileAtomic).
//
// The bytes are a function of f's contents alone: tensors are stored sorted by
// name, whatever their order in f, metadata sorted by key.
//
// Errors: a name that is empty, there twice, not printable or
// "__metadata__"; a shape with a dimension below 1, or one that does not match
// the number of values; a value that is NaN or Inf, with its index; text that
// is not UTF-8; more than Read reads; and all of WriteFileAtomic's. Nothing is
// written then.
func Write(path string, f File) error {
	if err := f.check(); err != nil {
		return inFile(path, err)
	}
	if err := checkSize(f); err != nil {
		return inFile(path, err)
	}
	return WriteFileAtomic(path, func(w io.Writer) error { return encode(w, f) })
}

// checkSize refuses what Read would refuse for its size.
func checkSize(f File) error {
	// The library writes the header first, and no data where there is none.
	var header bytes.Buffer
	if err := safetensors.SerializeToWriter(views(f, headerOnly), f.Metadata, &header); err != nil {
		return err
	}
	if n := header.Len() - tensorfile.PrefixBytes; n > tensorfile.MaxHeaderBytes {
		return fmt.Errorf("a header of %d bytes, want at most %d: too many tensors, or too much metadata", n, tensorfile.MaxHeaderBytes)
	}
	size := int64(header.Len())
	for _, t := range f.Tensors {
		size += 4 * int64(len(t.Values))
		if size > tensorfile.MaxBytes {
			return fmt.Errorf("more than %d bytes", tensorfile.MaxBytes)
		}
	}
	return nil
}

// encode writes a checked file.
func encode(w io.Writer, f File) error {
	return safetensors.SerializeToWriter(views(f, !headerOnly), f.Metadata, w)
}

// headerOnly makes views of no data.
const headerOnly = true

func views(f File, empty bool) map[string]view {
	all := make(map[string]view, len(f.Tensors))
	for _, t := range f.Tensors {
		all[t.Name] = view{tensor: t, empty: empty}
	}
	return all
}

// view shows a tensor to the library, one converted at a time. The library's
// own view takes a shape of no dimensions for no values.
type view struct {
	tensor Tensor
	empty  bool
}

func (v view) DType() safetensors.DType { return safetensors.F32 }

// Shape is never nil, which would be written as null.
func (v view) Shape() []uint64 {
	shape := make([]uint64, len(v.tensor.Shape))
	for i, dim := range v.tensor.Shape {
		shape[i] = uint64(dim)
	}
	return shape
}

func (v view) Data() []byte {
	if v.empty {
		return nil
	}
	data := make([]byte, v.DataLen())
	if _, err := binary.Encode(data, binary.LittleEndian, v.tensor.Values); err != nil {
		panic(err) // only for a short buffer, or a type of no fixed size
	}
	return data
}

func (v view) DataLen() uint64 { return 4 * uint64(len(v.tensor.Values)) }
