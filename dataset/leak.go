package dataset

import (
	"errors"
	"fmt"
	"os"
)

// ErrLeak is the refusal of test files that hold what was trained on.
var ErrLeak = errors.New("is in the training files too")

// leak refuses a test file that is a training file, and a group that both have, unless
// LeakOverlaps.
func (r *reading) leak(train, test *opened) error {
	if r.LeakOverlaps {
		return nil
	}
	for _, path := range r.Test {
		if isOneOf(path, r.Files) {
			return fmt.Errorf("dataset: test file %s %w: want files of its own, or allow the leak by name", path, ErrLeak)
		}
	}
	if format, _ := r.FileFormat(); format == FormatRecording && r.Recording.Group == "" {
		return nil // a group is a file
	}
	seen := map[string]bool{}
	for _, name := range train.index.Groups {
		seen[name] = true
	}
	for _, name := range test.index.Groups {
		if seen[name] {
			return fmt.Errorf("dataset: %s: group %q %w: want each wholly in one part, or allow the leak by name", test.Name, name, ErrLeak)
		}
	}
	return nil
}

// isOneOf tells whether path is one of files, whatever it is called there.
func isOneOf(path string, files []string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false // which reading it tells
	}
	for _, file := range files {
		if other, err := os.Stat(file); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}
