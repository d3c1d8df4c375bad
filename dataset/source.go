package dataset

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat/preprocess"
)

// Source says which data a run uses and how it is split, so that the same parts
// can be made again.
type Source struct {
	Name  string   `json:"name,omitempty"`  // embedded data: digits
	Files []string `json:"files,omitempty"` // or files of one format
	Test  []string `json:"test,omitempty"`  // files of the test part; without, it is split off
	// Format is ts, wide, recording or npy; empty: by the files' names and whether
	// there is a Recording.Window.
	Format    string            `json:"format,omitempty"`
	Wide      WideOptions       `json:"wide,omitzero"`
	Recording RecordingOptions  `json:"recording,omitzero"`
	Task      NPYTask           `json:"task,omitempty"` // what y of NumPy arrays is
	Prepare   PreprocessOptions `json:"prepare,omitzero"`

	// Split says how the test part is made, where no file gives it.
	Split        string  `json:"split"`
	TestFraction float64 `json:"test_fraction,omitempty"` // of all
	Seed         uint64  `json:"seed,omitempty"`
	// LeakOverlaps lets a split by series put windows that share steps into both
	// parts, and test files hold groups of the training files.
	LeakOverlaps bool `json:"leak_overlaps,omitempty"`
	// ValidationFraction of the training part is held out to watch the training by;
	// 0 for none.
	ValidationFraction float64 `json:"validation_fraction,omitempty"`

	// Memory is how many bytes of sequences are held. Files with more are Streamed,
	// and shuffled in so much. 0 is MemoryDefault.
	Memory int64 `json:"memory,omitempty"`
}

// MemoryDefault is 1 GiB.
const MemoryDefault = 1 << 30

// Parts is a source's data, split.
type Parts struct {
	Train, Test Data
	Validation  Data                 // nil for none
	Preprocess  *preprocess.Pipeline // what made the values of files; nil for embedded data
	Split       SplitBy              // as files were split; empty for embedded data
	Notes       []string             // every decision that was made on the way
}

// The splits of a Source.
const (
	// SplitGiven keeps the parts that the data comes with.
	SplitGiven = "given"
	// SplitRandom draws the test part from all of the embedded data.
	SplitRandom = "shuffled"
	// SplitValidation makes a test part of the last fifth of the given training
	// part: for choosing between recipes, which the given test part must not do.
	SplitValidation = "validation"
	// Files are split by SplitAuto, or as SplitBySeries, SplitByGroup and
	// SplitByTime say.
	SplitAuto = "auto"
)

// Sources lists the embedded data.
func Sources() []string { return []string{"digits"} }

// Splits lists the splits that a Source may have.
func Splits() []string {
	return []string{SplitGiven, SplitRandom, SplitValidation, SplitAuto, string(SplitBySeries), string(SplitByGroup), string(SplitByTime)}
}

// Title is the source's name for people.
func (s Source) Title() string {
	if len(s.Files) == 0 {
		return s.Name
	}
	return strings.TrimSuffix(filepath.Base(s.Files[0]), filepath.Ext(s.Files[0]))
}

// Validate reports every fault of s at once.
func (s Source) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("dataset: "+format, args...)) }
	embedded := len(s.Files) == 0
	if embedded && !slices.Contains(Sources(), s.Name) {
		fault("unknown data %q: want %s, or files", s.Name, strings.Join(Sources(), ", "))
	}
	if !slices.Contains(Splits(), s.Split) {
		fault("unknown split %q: want one of %s", s.Split, strings.Join(Splits(), ", "))
	} else if own := s.Split == SplitGiven || s.Split == SplitRandom || s.Split == SplitValidation; own != embedded {
		fault("split %q does not go with %s", s.Split, map[bool]string{true: "embedded data", false: "files"}[embedded])
	}
	if needed := s.Split != SplitGiven && s.Split != SplitValidation && len(s.Test) == 0; needed && !(s.TestFraction > 0 && s.TestFraction < 1) {
		fault("test fraction %v is outside (0, 1)", s.TestFraction)
	}
	if !(s.ValidationFraction >= 0 && s.ValidationFraction < 1) {
		fault("validation fraction %v is outside [0, 1)", s.ValidationFraction)
	}
	if embedded && len(s.Test) > 0 {
		fault("test files need training files")
	}
	if p := s.Prepare; p.Frame < 0 || p.Hop < 0 {
		fault("frame %d, hop %d, want 0 or more of each", p.Frame, p.Hop)
	}
	if s.Memory < 0 {
		fault("memory of %d bytes, want 0 or more", s.Memory)
	}
	if !embedded {
		errs = append(errs, s.validateFormat())
	}
	return errors.Join(errs...)
}

// validateFormat reports what is wrong with the format of the files, and with the
// options of that format.
func (s Source) validateFormat() error {
	format, err := s.FileFormat()
	if err != nil {
		return err
	}
	if format == FormatRecording {
		err = s.Recording.Validate()
	}
	for _, path := range s.Test {
		own := s
		own.Files = []string{path}
		if other, otherErr := own.FileFormat(); otherErr != nil || other != format {
			err = errors.Join(err, fmt.Errorf("dataset: test file %s: want %s as the training files are", path, format))
		}
	}
	return err
}

// Load reads the data and splits it.
func (s Source) Load() (Parts, error) {
	if err := s.Validate(); err != nil {
		return Parts{}, err
	}
	if len(s.Files) > 0 {
		return s.loadFiles()
	}
	train, test, err := s.loadDigits()
	if err != nil {
		return Parts{}, err
	}
	if s.ValidationFraction == 0 {
		return Parts{Train: train, Test: test}, nil
	}
	train, validation, err := train.SplitShuffled(s.ValidationFraction, s.Seed)
	if err != nil {
		return Parts{}, err
	}
	return Parts{Train: train, Test: test, Validation: validation}, nil
}

func (s Source) loadDigits() (train, test *Set, err error) {
	all, err := Digits()
	if err != nil {
		return nil, nil, err
	}
	if s.Split == SplitRandom {
		return all.SplitShuffled(s.TestFraction, s.Seed)
	}
	train, test, err = all.SplitAt(DigitsTrain)
	if err != nil || s.Split == SplitGiven {
		return train, test, err
	}
	return train.SplitAt(train.Len() * 4 / 5)
}
