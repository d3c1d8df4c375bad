package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"codeberg.org/sbinet/npyio/npy"
)

// npyArray is an .npy file that is being read, element by element.
type npyArray struct {
	*npyHeader
	in     Input
	rest   *bufio.Reader // what follows the header
	reader *npy.Reader   // of numbers
	read   int           // elements
	shut   func()
}

// openNPY opens an .npy file after its header, and holds the size that this says
// against the file's, if that is known.
func openNPY(in Input) (*npyArray, error) {
	file, err := in.open()
	if err != nil {
		return nil, err
	}
	a := &npyArray{in: in, rest: bufio.NewReaderSize(file, textBuffer), shut: func() { _ = file.Close() }}
	if err := a.start(file); err != nil {
		a.shut()
		return nil, err
	}
	return a, nil
}

func (a *npyArray) start(file io.Reader) error {
	size := sizeOf(file) // before anything is read
	h, err := readNPYHeader(a.in, a.rest)
	if err != nil {
		return err
	}
	a.npyHeader = h
	if want := int64(h.elements())*int64(h.width()) + h.bytes; size >= 0 && size != want {
		return &FormatError{File: a.in.Name, Saw: fmt.Sprintf("%d bytes", size),
			Want: fmt.Sprintf("%d for a header of %d and %d elements of type %s", want, h.bytes, h.elements(), h.dtype())}
	}
	if h.isText() {
		return nil
	}
	return a.guarded(func() error {
		a.reader, err = npy.NewReader(io.MultiReader(bytes.NewReader(h.canonical()), a.rest))
		return err
	})
}

// sizeOf is the size of a file, or -1 if it does not tell.
func sizeOf(r any) int64 {
	switch r := r.(type) {
	case interface{ Stat() (os.FileInfo, error) }:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	case interface{ Size() int64 }:
		return r.Size()
	}
	return -1
}

// guarded runs f and makes a panic of the library an error.
func (a *npyArray) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = a.in.fault(fmt.Errorf("the array cannot be read: %v", p))
		}
	}()
	return f()
}

// npyChunk is how many elements are read at a time, so that a header that
// promises more than the file has does not ask for memory.
const npyChunk = 8192

// take reads n elements of type T and gives them to each, with their numbers.
func take[T any](a *npyArray, n int, each func(i int, v T) error) error {
	chunk := make([]T, min(n, npyChunk))
	for n > 0 {
		chunk = chunk[:min(n, len(chunk))]
		if err := a.guarded(func() error { return a.reader.Read(&chunk) }); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return a.short()
			}
			return a.in.fault(err)
		}
		for _, v := range chunk {
			if err := each(a.read, v); err != nil {
				return err
			}
			a.read++
		}
		n -= len(chunk)
	}
	return nil
}

func (a *npyArray) short() error {
	return &FormatError{File: a.in.Name, Saw: fmt.Sprintf("the end of the file in or after element %d", a.read),
		Want: plural(a.elements(), "element")}
}

// end holds that nothing follows the last element.
func (a *npyArray) end() error {
	switch _, err := a.rest.ReadByte(); {
	case err == nil:
		return &FormatError{File: a.in.Name, Saw: "bytes after the last element", Want: plural(a.elements(), "element")}
	case !errors.Is(err, io.EOF):
		return a.in.fault(err)
	}
	return nil
}

// floats reads n numbers, each as a float32. NaN is a missing value.
func (a *npyArray) floats(n int) ([]float32, error) {
	out := make([]float32, 0, min(n, npyChunk))
	if a.kind == 'f' && a.size == 4 {
		return out, take(a, n, func(i int, v float32) error {
			if math.IsInf(float64(v), 0) {
				return a.notFinite(i, float64(v))
			}
			out = append(out, v)
			return nil
		})
	}
	if a.kind == 'f' {
		err := take(a, n, func(i int, v float64) error {
			if math.IsInf(float64(float32(v)), 0) {
				return a.notFinite(i, v)
			}
			out = append(out, float32(v))
			return nil
		})
		return out, err
	}
	err := a.integers(n, func(_ int, text string, v float64) error {
		out = append(out, float32(v))
		return nil
	})
	return out, err
}

// integers reads n integers, as text and as numbers.
func (a *npyArray) integers(n int, each func(i int, text string, v float64) error) error {
	signed := func(i int, v int64) error { return each(i, strconv.FormatInt(v, 10), float64(v)) }
	unsigned := func(i int, v uint64) error { return each(i, strconv.FormatUint(v, 10), float64(v)) }
	switch {
	case a.kind == 'b':
		return take(a, n, func(i int, v bool) error {
			if v {
				return each(i, "true", 1)
			}
			return each(i, "false", 0)
		})
	case a.kind == 'i' && a.size == 1:
		return take(a, n, func(i int, v int8) error { return signed(i, int64(v)) })
	case a.kind == 'i' && a.size == 2:
		return take(a, n, func(i int, v int16) error { return signed(i, int64(v)) })
	case a.kind == 'i' && a.size == 4:
		return take(a, n, func(i int, v int32) error { return signed(i, int64(v)) })
	case a.kind == 'i':
		return take(a, n, signed)
	case a.size == 1:
		return take(a, n, func(i int, v uint8) error { return unsigned(i, uint64(v)) })
	case a.size == 2:
		return take(a, n, func(i int, v uint16) error { return unsigned(i, uint64(v)) })
	case a.size == 4:
		return take(a, n, func(i int, v uint32) error { return unsigned(i, uint64(v)) })
	}
	return take(a, n, unsigned)
}

// notFinite is the fault of element i, by its place in the array.
func (a *npyArray) notFinite(i int, v float64) error {
	place := make([]string, len(a.shape))
	for axis := len(a.shape) - 1; axis >= 0; axis-- {
		place[axis] = strconv.Itoa(i % a.shape[axis])
		i /= a.shape[axis]
	}
	want := "a finite number that fits 32 bits, or NaN where it is missing"
	if math.IsNaN(v) { // only what is to be learnt may not be missing
		want = "a number to learn"
	}
	return &FormatError{File: a.in.Name, Part: "element [" + strings.Join(place, ", ") + "]", Saw: fmt.Sprint(v), Want: want}
}

// names reads n names: text, integers or booleans.
func (a *npyArray) names(n int) ([]string, error) {
	var out []string
	if !a.isText() {
		err := a.integers(n, func(_ int, text string, _ float64) error {
			out = append(out, text)
			return nil
		})
		return out, err
	}
	raw := make([]byte, a.width())
	for range n {
		if _, err := io.ReadFull(a.rest, raw); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, a.short()
			}
			return nil, a.in.fault(err)
		}
		name, ok := a.text(raw)
		if !ok || name == "" {
			return nil, &FormatError{File: a.in.Name, Part: fmt.Sprintf("element [%d]", a.read),
				Saw: quoted(name), Want: "a name in valid text"}
		}
		out = append(out, name)
		a.read++
	}
	return out, nil
}

// text decodes an element: bytes, or letters of 32 bits; zeros fill its end.
func (a *npyArray) text(raw []byte) (string, bool) {
	if a.kind == 'S' {
		s := string(bytes.TrimRight(raw, "\x00"))
		return s, utf8.ValidString(s)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if a.order == '>' {
		order = binary.BigEndian
	}
	var letters []rune
	for i := 0; i < len(raw); i += 4 {
		letter := order.Uint32(raw[i:])
		if letter > utf8.MaxRune || !utf8.ValidRune(rune(letter)) {
			return string(letters), false
		}
		letters = append(letters, rune(letter))
	}
	return strings.TrimRight(string(letters), "\x00"), true
}
