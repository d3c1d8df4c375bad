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

// format is what the files are, by their names unless it is given.
func (s Source) format() (string, error) {
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
func (s Source) Open(files []string) (*Stream, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("dataset: no files")
	}
	format, err := s.format()
	if err != nil {
		return nil, err
	}
	if format == FormatRecording {
		return ReadRecording(Files(files...), s.Recording)
	}
	if len(files) > 1 && format != FormatNPY {
		return nil, fmt.Errorf("dataset: %d files, want one: only recordings come in several", len(files))
	}
	switch in := File(files[0]); {
	case format == FormatTS:
		return ReadTS(in)
	case format == FormatWide:
		return ReadWide(in, s.Wide)
	case strings.HasSuffix(files[0], ".npz") && len(files) == 1:
		return ReadNPZ(in, NPYClasses)
	case len(files) == 2:
		return ReadNPY(in, NPYOptions{Y: File(files[1]), Task: NPYClasses})
	}
	return nil, fmt.Errorf("dataset: %s: an .npy file holds no classes: name two, of values and classes", files[0])
}

// loadFiles reads, splits and prepares files. The scaling is the training part's.
func (s Source) loadFiles() (parts Parts, err error) {
	train, validation, test, err := s.collect(&parts)
	if err != nil {
		return parts, err
	}
	if len(train.Classes) < 2 {
		return parts, fmt.Errorf("dataset: %s: %d classes in the training part, want 2 or more", train.Name, len(train.Classes))
	}
	if parts.Preprocess, err = FitPreprocess(s.Prepare, train.Channels, train.All()); err != nil {
		return parts, err
	}
	for _, p := range []struct {
		to   **Set
		from *Collection
	}{{&parts.Train, train}, {&parts.Validation, validation}, {&parts.Test, test}} {
		if p.from == nil {
			continue
		}
		sequences, err := p.from.Sequences(parts.Preprocess, train.Classes)
		if err != nil {
			return parts, err
		}
		if *p.to, err = sequences.Set(); err != nil {
			return parts, err
		}
	}
	return parts, nil
}

// collect reads the files and splits them; validation may be nil.
func (s Source) collect(parts *Parts) (train, validation, test *Collection, err error) {
	all, err := s.read(s.Files, parts)
	if err != nil {
		return nil, nil, nil, err
	}
	o := SplitOptions{Test: s.TestFraction, Validation: s.ValidationFraction * (1 - s.TestFraction), Seed: s.Seed, LeakOverlaps: s.LeakOverlaps}
	if s.Split != SplitAuto {
		o.By = SplitBy(s.Split)
	}
	if len(s.Test) > 0 {
		o.Test, o.Validation = 0, s.ValidationFraction
		if test, err = s.read(s.Test, parts); err != nil {
			return nil, nil, nil, err
		}
	}
	partition, err := all.Split(o)
	if err != nil {
		return nil, nil, nil, err
	}
	parts.Notes = append(parts.Notes, partition.Notes...)
	if train, err = all.Subset(partition.Train); err != nil {
		return nil, nil, nil, err
	}
	if len(partition.Validation) > 0 {
		if validation, err = all.Subset(partition.Validation); err != nil {
			return nil, nil, nil, err
		}
	}
	if test == nil {
		test, err = all.Subset(partition.Test)
	}
	return train, validation, test, err
}

func (s Source) read(files []string, parts *Parts) (*Collection, error) {
	stream, err := s.Open(files)
	if err != nil {
		return nil, err
	}
	c, err := Collect(stream)
	if err == nil {
		parts.Notes = append(parts.Notes, c.Notes...)
	}
	return c, err
}
