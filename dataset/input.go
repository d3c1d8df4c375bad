package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Input is a file, opened anew for each pass over it.
type Input struct {
	Name string // as messages call it
	Open func() (io.ReadCloser, error)
}

// File is the file at path. Text in it may be compressed with gzip.
func File(path string) Input {
	return Input{Name: path, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = &os.PathError{Op: "read", Path: path, Err: errors.New("is a directory, want a file")}
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		return f, nil
	}}
}

// Files are the files at paths.
func Files(paths ...string) []Input {
	all := make([]Input, len(paths))
	for i, path := range paths {
		all[i] = File(path)
	}
	return all
}

// Bytes is a file that is in memory.
func Bytes(name string, data []byte) Input {
	return Input{Name: name, Open: func() (io.ReadCloser, error) {
		return memoryFile{bytes.NewReader(data)}, nil
	}}
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// base is the name without its folders.
func (in Input) base() string { return filepath.Base(in.Name) }

// open opens the file; its error names the file once.
func (in Input) open() (io.ReadCloser, error) {
	if in.Open == nil {
		return nil, fmt.Errorf("dataset: %s: no file is given", in.Name)
	}
	r, err := in.Open()
	if err != nil {
		return nil, in.fault(err)
	}
	return r, nil
}

// fault wraps an error of reading the file.
func (in Input) fault(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok && path.Path == in.Name {
		err = path.Err
	}
	return fmt.Errorf("dataset: %s: %w", in.Name, err)
}

// textBuffer is how far ahead a text file is read, and so the most of its first
// line that the search for a delimiter looks at.
const textBuffer = 64 << 10

// openText opens a text file: it unpacks gzip, which two bytes show, steps over
// a UTF-8 byte order mark and refuses UTF-16.
func (in Input) openText() (*bufio.Reader, func(), error) {
	file, err := in.open()
	if err != nil {
		return nil, nil, err
	}
	shut := func() { _ = file.Close() }
	r := bufio.NewReaderSize(file, textBuffer)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			shut()
			return nil, nil, in.fault(err)
		}
		r = bufio.NewReaderSize(z, textBuffer)
	}
	start, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		shut()
		return nil, nil, in.fault(err)
	}
	switch {
	case bytes.HasPrefix(start, []byte{0xef, 0xbb, 0xbf}):
		_, _ = r.Discard(3)
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		shut()
		return nil, nil, &FormatError{File: in.Name, Line: 1, Saw: "UTF-16 text", Want: "UTF-8"}
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		shut()
		return nil, nil, &FormatError{File: in.Name, Saw: "a zip archive", Want: "text: unpack it first"}
	}
	return r, shut, nil
}
