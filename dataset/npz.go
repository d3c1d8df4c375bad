package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ReadNPZ opens a NumPy archive with the arrays X and, if they are there, y,
// lengths and groups, in any case.
func ReadNPZ(in Input, task NPYTask) (*Stream, error) {
	keys, err := zipKeys(in)
	if err != nil {
		return nil, err
	}
	find := func(name string) Input {
		for _, key := range keys {
			if strings.EqualFold(key, name) || strings.EqualFold(key, name+".npy") {
				return zipMember(in, key)
			}
		}
		return Input{}
	}
	x := find("X")
	if x.Open == nil {
		return nil, &FormatError{File: in.Name, Saw: fmt.Sprintf("the arrays %s", listed(keys)), Want: "X and perhaps y, lengths, groups: save each part to a file of its own"}
	}
	s, err := ReadNPY(x, NPYOptions{Y: find("y"), Lengths: find("lengths"), Groups: find("groups"), Task: task})
	if err != nil {
		return nil, err
	}
	s.Name = in.base()
	for _, key := range keys {
		if !slices.Contains([]string{"x", "y", "lengths", "groups"}, strings.ToLower(strings.TrimSuffix(key, ".npy"))) {
			s.Notes = append(s.Notes, fmt.Sprintf("the array %q is not used", key))
		}
	}
	return s, nil
}

// openZip opens an archive; the file must allow reading anywhere, as one on
// disk does.
func openZip(in Input) (*zip.Reader, io.Closer, error) {
	file, err := in.open()
	if err != nil {
		return nil, nil, err
	}
	at, ok := file.(io.ReaderAt)
	size := sizeOf(file)
	if !ok || size < 0 {
		_ = file.Close()
		return nil, nil, in.fault(errors.New("an archive is read from a file or from memory only"))
	}
	z, err := zip.NewReader(at, size)
	if err != nil {
		_ = file.Close()
		return nil, nil, in.fault(err)
	}
	return z, file, nil
}

// zipKeys lists the arrays of an archive.
func zipKeys(in Input) ([]string, error) {
	z, file, err := openZip(in)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var keys []string
	for _, f := range z.File {
		if slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, f.Name) }) {
			return nil, &FormatError{File: in.Name, Saw: "the array " + quoted(f.Name) + " twice", Want: "each once"}
		}
		keys = append(keys, f.Name)
	}
	return keys, nil
}

// zipMember is a file in an archive.
func zipMember(in Input, key string) Input {
	return Input{Name: in.Name + "/" + key, Open: func() (io.ReadCloser, error) {
		z, file, err := openZip(in)
		if err != nil {
			return nil, err
		}
		for _, f := range z.File {
			if f.Name != key {
				continue
			}
			r, err := f.Open()
			if err != nil {
				_ = file.Close()
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{r, closers{r, file}}, nil
		}
		_ = file.Close()
		return nil, fmt.Errorf("the archive has no %q any more", key)
	}}
}

// closers close in order.
type closers []io.Closer

func (all closers) Close() error {
	var faults []error
	for _, c := range all {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}
