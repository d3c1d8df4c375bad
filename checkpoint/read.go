package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/nlpodyssey/safetensors"

	"github.com/qat-go/qat/internal/tensorfile"
)

// Read reads a file that Write wrote, or any safetensors file of float32
// tensors within the same rules.
//
// Tensors come sorted by name. Metadata and shapes are never nil.
// Units: at its peak it holds twice the file's bytes, after the file's and the
// header's length were found possible.
// Errors: whatever is wrong, naming the file and the tensor.
func Read(path string) (File, error) {
	raw, err := readAll(path)
	if err != nil {
		return File{}, inFile(path, err)
	}
	f, err := decode(raw)
	if err != nil {
		return File{}, inFile(path, err)
	}
	return f, nil
}

// readAll reads a file whose size, and first bytes, are those of a checkpoint.
func readAll(path string) ([]byte, error) {
	f, size, err := tensorfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var prefix [tensorfile.PrefixBytes]byte
	n, err := io.ReadFull(f, prefix[:])
	if err != nil {
		return nil, fmt.Errorf("%d bytes are no safetensors file: %w", n, err)
	}
	if _, err := tensorfile.HeaderLength(prefix[:], size); err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	copy(raw, prefix[:])
	_, err = io.ReadFull(f, raw[len(prefix):])
	return raw, err
}

// decode reads the bytes of a whole file.
func decode(raw []byte) (File, error) {
	const start = tensorfile.PrefixBytes
	if len(raw) < start {
		return File{}, fmt.Errorf("%d bytes are no safetensors file: %w", len(raw), io.ErrUnexpectedEOF)
	}
	n, err := tensorfile.HeaderLength(raw, int64(len(raw)))
	if err != nil {
		return File{}, err
	}
	header, data := raw[start:start+n], raw[start+n:]
	if err := checkHeader(header); err != nil {
		return File{}, err
	}
	_, parsed, err := safetensors.ReadMetadata(raw)
	if err != nil {
		return File{}, errors.New(tensorfile.Clip(err.Error()))
	}
	f := File{Metadata: map[string]string{}}
	maps.Copy(f.Metadata, parsed.Metadata())
	infos := parsed.Tensors()
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		t, err := decodeTensor(name, infos[name], data)
		if err != nil {
			return File{}, err
		}
		f.Tensors = append(f.Tensors, t)
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	return f, nil
}

// checkHeader refuses what the library lets through: text that JSON repairs
// in silence, and a key that is there twice, of which the last would win.
func checkHeader(header []byte) error {
	if len(header) == 0 || header[0] != '{' {
		return fmt.Errorf("the header begins %.8q, want {", header)
	}
	if !utf8.Valid(header) {
		return errors.New("the header is not UTF-8")
	}
	tokens := json.NewDecoder(bytes.NewReader(header))
	tokens.UseNumber()
	err := checkKeys(tokens, maxHeaderDepth)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	return nil
}

// maxHeaderDepth is the nesting of a header: itself, a tensor, its shape.
const maxHeaderDepth = 3

// checkKeys reads one value and looks for keys that are there twice.
func checkKeys(tokens *json.Decoder, depth int) error {
	token, err := tokens.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return fmt.Errorf("nested deeper than %d", maxHeaderDepth)
	}
	seen := map[string]bool{}
	for tokens.More() {
		if open == '{' {
			token, err := tokens.Token()
			if err != nil {
				return err
			}
			key, _ := token.(string) // the decoder sees to it
			if seen[key] {
				return fmt.Errorf("key %q is there twice", tensorfile.Clip(key))
			}
			seen[key] = true
		}
		if err := checkKeys(tokens, depth-1); err != nil {
			return err
		}
	}
	_, err = tokens.Token() // the closing bracket
	return err
}

// decodeTensor copies one tensor out of the data.
func decodeTensor(name string, info *safetensors.TensorInfo, data []byte) (Tensor, error) {
	if err := checkName(name); err != nil {
		return Tensor{}, err
	}
	if info.DType != safetensors.F32 {
		return Tensor{}, fmt.Errorf("tensor %s: type %v, want F32", name, info.DType)
	}
	if len(info.Shape) > maxDims {
		return Tensor{}, fmt.Errorf("tensor %s: %d dimensions, want at most %d", name, len(info.Shape), maxDims)
	}
	t := Tensor{Name: name, Shape: make([]int, len(info.Shape))}
	for i, dim := range info.Shape {
		if dim > math.MaxInt {
			return Tensor{}, fmt.Errorf("tensor %s: shape %v is too large", name, info.Shape)
		}
		t.Shape[i] = int(dim)
	}
	n, err := elements(t.Shape)
	if err != nil {
		return Tensor{}, fmt.Errorf("tensor %s: %w", name, err)
	}
	// The library has seen to this; a slice out of bounds would panic.
	begin, end := info.DataOffsets[0], info.DataOffsets[1]
	if begin > end || end > uint64(len(data)) || end-begin != 4*uint64(n) {
		return Tensor{}, fmt.Errorf("tensor %s: bytes %d to %d of %d for shape %v", name, begin, end, len(data), t.Shape)
	}
	t.Values = make([]float32, n)
	_, err = binary.Decode(data[begin:end], binary.LittleEndian, t.Values)
	return t, err
}
