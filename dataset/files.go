package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// The formats of files.
const (
	FormatTS        = "ts"
	FormatWide      = "wide"
	FormatRecording = "recording"
	FormatNPY       = "npy"
)

// FileFormat is what the files are, by their names unless it is given.
func (s Source) FileFormat() (string, error) {
	if s.Format != "" {
		if formats := []string{FormatTS, FormatWide, FormatRecording, FormatNPY}; !slices.Contains(formats, s.Format) {
			return "", fmt.Errorf("dataset: unknown format %q: want one of %s", s.Format, strings.Join(formats, ", "))
		}
		return s.Format, nil
	}
	switch ext := filepath.Ext(strings.TrimSuffix(strings.ToLower(s.Files[0]), ".gz")); ext {
	case ".ts":
		return FormatTS, nil
	case ".npz", ".npy":
		return FormatNPY, nil
	case ".csv", ".tsv", ".txt":
		if s.Recording.Window > 0 {
			return FormatRecording, nil
		}
		return FormatWide, nil
	default:
		return "", fmt.Errorf("dataset: %s: no format is known by the name %q: want .ts, .csv, .tsv, .txt, .npy or .npz, or name the format", s.Files[0], ext)
	}
}

// Open returns the series of files, as the source reads its training files.
func (s Source) Open(files []string) (*Stream, error) { return s.OpenInputs(Files(files...)) }

// OpenInputs is Open for files that need not be on a disk. The format is the source's own.
func (s Source) OpenInputs(files []Input) (*Stream, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("dataset: no files")
	}
	format, err := s.FileFormat()
	if err != nil {
		return nil, err
	}
	if format == FormatRecording {
		return ReadRecording(files, s.Recording)
	}
	if len(files) > 1 && format != FormatNPY {
		return nil, fmt.Errorf("dataset: %d files, want one: only recordings come in several", len(files))
	}
	switch in := files[0]; {
	case format == FormatTS:
		return ReadTS(in)
	case format == FormatWide:
		return ReadWide(in, s.Wide)
	case strings.HasSuffix(in.Name, ".npz") && len(files) == 1:
		return ReadNPZ(in, s.Task)
	case len(files) == 2:
		return ReadNPY(in, NPYOptions{Y: files[1], Task: s.Task})
	}
	return nil, fmt.Errorf("dataset: %s: an .npy file holds values alone: name two, of values and of classes or targets", files[0].Name)
}
