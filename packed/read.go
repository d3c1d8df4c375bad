package packed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/qat-go/qat/internal/tensorfile"
)

// Open reads a file that Write wrote.
//
// Errors: Read's, with the path.
func Open(path string) (*Model, error) {
	m, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("packed: %w", tensorfile.InFile(path, err))
	}
	return m, nil
}

func open(path string) (*Model, error) {
	f, size, err := tensorfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, size)
}

// Read reads, to the end, what Encode wrote, and accepts nothing else: the model
// would be encoded to the very bytes that were read. docs/format.md lists the rules.
//
// Units: at its peak it holds about the bytes of the file where the size is known
// before (r has a method Len, as a bytes.Reader does), about twice as many elsewhere.
// It reads the header, and judges it, before it allocates anything for tensors.
// Errors: the first fault, in one line, which names the tensor and the fact.
func Read(r io.Reader) (*Model, error) {
	size := int64(unknownSize)
	if sized, ok := r.(interface{ Len() int }); ok {
		size = int64(sized.Len())
	}
	m, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("packed: %w", err)
	}
	return m, nil
}

// unknownSize is that of a stream.
const unknownSize = -1

// read reads a file of the given size.
func read(r io.Reader, size int64) (*Model, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	m, sum, err := decodeHeader(header)
	if err != nil {
		return nil, clipped(err)
	}
	entries := m.entries()
	if want := total(header, entries); size != unknownSize && size != want {
		return nil, fmt.Errorf("the file has %d bytes, want %d for the tensors of its header", size, want)
	}
	d := dataReader{r: r, sum: sha256.New(), sized: size != unknownSize, chunk: make([]byte, chunkBytes)}
	for i := range entries {
		if err := d.read(&entries[i]); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", entries[i].name, err)
		}
	}
	if err := atEnd(r); err != nil {
		return nil, err
	}
	if errs := m.faults(); len(errs) > 0 {
		return nil, clipped(errs[0])
	}
	if got := hex.EncodeToString(d.sum.Sum(nil)); got != sum {
		return nil, fmt.Errorf("the tensors are damaged: their sha256 is %s, the metadata has %.64q", got, sum)
	}
	return m, nil
}

// readHeader reads up to the data.
func readHeader(r io.Reader, size int64) ([]byte, error) {
	var prefix [tensorfile.PrefixBytes]byte
	n, err := io.ReadFull(r, prefix[:])
	if err != nil {
		return nil, fmt.Errorf("%d bytes are no packed model: %w", n, cutShort(err))
	}
	if size == unknownSize {
		size = tensorfile.MostBytes()
	}
	if n, err = tensorfile.HeaderLength(prefix[:], size); err != nil {
		return nil, err
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(n))) // which grows as bytes come
	if err == nil && len(header) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%d bytes of a header of %d: %w", len(header), n, err)
	}
	return header, nil
}

// dataReader reads tensors one after another.
type dataReader struct {
	r     io.Reader
	sum   hash.Hash // of what was read
	sized bool      // the file is known to hold what the header says
	chunk []byte
}

// read reads one tensor. Memory for it grows as bytes come, unless they are known to.
func (d *dataReader) read(e *entry) error {
	size := e.bytes()
	room := size
	if !d.sized {
		room = min(room, chunkBytes)
	}
	if e.codes != nil {
		*e.codes = make([]byte, 0, room)
	} else {
		*e.floats = make([]float32, 0, room/4)
	}
	for at := int64(0); at < size; at += chunkBytes {
		chunk := d.chunk[:min(size-at, chunkBytes)]
		if n, err := io.ReadFull(d.r, chunk); err != nil {
			return fmt.Errorf("%d bytes, want %d: %w", at+int64(n), size, cutShort(err))
		}
		d.sum.Write(chunk)
		if e.codes != nil {
			*e.codes = append(*e.codes, chunk...)
			continue
		}
		var err error
		if *e.floats, err = appendFloats(*e.floats, chunk); err != nil {
			return err
		}
	}
	return nil
}

// appendFloats appends the floats in chunk.
func appendFloats(floats []float32, chunk []byte) ([]float32, error) {
	have := len(floats)
	floats = append(floats, make([]float32, len(chunk)/4)...) // which allocates no second slice
	_, err := binary.Decode(chunk, binary.LittleEndian, floats[have:])
	return floats, err
}

// atEnd reports what follows where nothing should.
func atEnd(r io.Reader) error {
	var next [1]byte
	switch _, err := io.ReadFull(r, next[:]); {
	case err == nil:
		return errors.New("bytes follow the last tensor")
	case err != io.EOF:
		return err
	}
	return nil
}

// cutShort is io.ReadFull's error where an end is always too early.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// clipped shortens an error with text of the file in it.
func clipped(err error) error {
	if text := err.Error(); tensorfile.Clip(text) != text {
		return errors.New(tensorfile.Clip(text))
	}
	return err
}
