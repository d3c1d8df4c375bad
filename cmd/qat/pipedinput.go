package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/internal/tensorfile"
)

// stdinName is what messages call it.
const stdinName = "standard input"

// isStdin says whether a file's name is one of standard input's.
func isStdin(name string) bool { return name == "-" || name == "/dev/stdin" }

// isPiped says whether a file can be read once only.
func isPiped(name string) bool {
	if isStdin(name) {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// openInput is a file that can be read several times over, as the readers do: what
// can be read once only is held in memory.
func openInput(name string, stdin io.Reader) (dataset.Input, error) {
	if !isPiped(name) {
		_, err := os.Stat(name)
		if err != nil {
			err = tensorfile.InFile(name, err)
		}
		return dataset.File(name), err
	}
	if !isStdin(name) {
		f, err := os.Open(name)
		if err != nil {
			return dataset.Input{}, tensorfile.InFile(name, err)
		}
		defer f.Close()
		stdin = f
	} else {
		name = stdinName
	}
	data, err := io.ReadAll(stdin)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return dataset.Bytes(name, data), err
}

// sniff is the format of a file whose name does not say it: by its first bytes .npy,
// .ts, or else a .csv.
func sniff(in dataset.Input) (string, error) {
	r, err := in.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	start := make([]byte, 6)
	n, _ := io.ReadFull(r, start) // a short file is a .csv, whose reader says what is wrong
	switch start = start[:n]; {
	case string(start) == "\x93NUMPY":
		return dataset.FormatNPY, nil
	case bytes.HasPrefix(start, []byte("@")), bytes.HasPrefix(start, []byte("#")):
		return dataset.FormatTS, nil
	}
	return dataset.FormatRecording, nil
}
