// Package tensorfile is what the readers of safetensors files here have in common:
// the limits, and a beginning in which the file's size and the header's are found
// possible before anything is allocated for them.
package tensorfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
)

// Limits of what is read, and so of what is written. The file's size is known
// before its header is read, and the header's before it is parsed.
const (
	MaxBytes       = int64(4) << 30 // a billion float32 values
	MaxHeaderBytes = 4 << 20        // about 30,000 tensors
)

// PrefixBytes is the header's length, which comes before it.
const PrefixBytes = 8

// MetadataKey is where the format keeps the metadata among the tensors.
const MetadataKey = "__metadata__"

// MostBytes is MaxBytes, or less on a machine whose int is shorter.
func MostBytes() int64 { return min(MaxBytes, math.MaxInt) }

// Open opens a file that may be one of tensors by what it is and by its size, which
// it returns.
//
// Errors: a file that is not there, not a regular one, or too large.
func Open(path string) (f *os.File, size int64, err error) {
	info, err := os.Stat(path) // before opening: opening a pipe waits
	if err != nil {
		return nil, 0, err
	}
	if err := Regular(info); err != nil {
		return nil, 0, err
	}
	if f, err = os.Open(path); err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil { // path may be another file by now
		if size = info.Size(); size > MostBytes() {
			err = fmt.Errorf("%d bytes, want at most %d", size, MostBytes())
		}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// Regular refuses directories, devices, pipes and sockets.
func Regular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return errors.New("is a directory, want a file")
	case !mode.IsRegular():
		return fmt.Errorf("is not a regular file (mode %v)", mode)
	}
	return nil
}

// HeaderLength reads the header's length and holds it against the file's size.
//
// Shapes: prefix [PrefixBytes] or more.
func HeaderLength(prefix []byte, size int64) (int, error) {
	n := binary.LittleEndian.Uint64(prefix)
	if n > MaxHeaderBytes {
		return 0, fmt.Errorf("not a safetensors file: it begins with %q, want a header's length of at most %d", prefix[:PrefixBytes], MaxHeaderBytes)
	}
	if int64(n) > size-PrefixBytes {
		return 0, fmt.Errorf("cut short: a header of %d bytes in a file of %d", n, size)
	}
	return int(n), nil
}

// Clip shortens a text that may be long, for an error.
func Clip(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// InFile says which file the error is of, once: an error of package os that
// names the same file is cut to its operation and reason.
func InFile(path string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) && inner == err && inner.Path == path {
		err = fmt.Errorf("%s: %w", inner.Op, inner.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
