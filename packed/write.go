package packed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"

	"github.com/qat-go/qat/checkpoint"
)

// chunkBytes is how much is read, summed or written at a time.
const chunkBytes = 1 << 16

// Write replaces the file at path by m, atomically (see checkpoint.WriteFileAtomic).
//
// Errors: Validate's, and those of writing; the old file is then as it was.
func (m *Model) Write(path string) error {
	if err := m.Validate(); err != nil {
		return err
	}
	return checkpoint.WriteFileAtomic(path, m.encode)
}

// Encode writes m as Write does. The bytes are a function of m alone.
//
// Errors: Validate's, and then nothing is written; w's.
func (m *Model) Encode(w io.Writer) error {
	if err := m.Validate(); err != nil {
		return err
	}
	return m.encode(w)
}

// encode writes a model without faults.
func (m *Model) encode(w io.Writer) error {
	entries := m.entries()
	sum := sha256.New()
	buf := make([]byte, 0, chunkBytes)
	for i := range entries {
		if err := entries[i].write(sum, buf); err != nil {
			return err
		}
	}
	header, err := m.header(entries, hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return err
	}
	prefix := binary.LittleEndian.AppendUint64(buf, uint64(len(header)))
	if _, err := w.Write(append(prefix, header...)); err != nil {
		return err
	}
	for i := range entries {
		if err := entries[i].write(w, buf); err != nil {
			return err
		}
	}
	return nil
}

// write writes the tensor through buf, which is empty and has room.
func (e *entry) write(w io.Writer, buf []byte) error {
	if e.codes != nil {
		_, err := w.Write(*e.codes)
		return err
	}
	for values := range slices.Chunk(*e.floats, cap(buf)/4) {
		chunk, err := binary.Append(buf, binary.LittleEndian, values)
		if err != nil {
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
