package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Dir is a directory of checkpoints named by step, of which the last few are kept.
type Dir struct {
	Path string
	Keep int // at least 1: how many to keep
}

const (
	stepPrefix = "step-"
	stepSuffix = ".safetensors"
)

func stepName(step int) string { return fmt.Sprintf("%s%010d%s", stepPrefix, step, stepSuffix) }

// Save writes a checkpoint and then removes those that are older than the last
// Keep. A checkpoint is there wholly or not at all.
//
// Errors: Write's; those before are then untouched. One that cannot be removed.
func (d Dir) Save(step int, f File) error {
	if step < 0 || d.Keep < 1 {
		return fmt.Errorf("checkpoint: %s: step %d, keep %d: want 0 or more, 1 or more", d.Path, step, d.Keep)
	}
	if err := os.MkdirAll(d.Path, 0o777); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := Write(filepath.Join(d.Path, stepName(step)), f); err != nil {
		return err
	}
	steps, err := d.Steps()
	if err != nil {
		return err
	}
	for _, old := range steps[min(d.Keep, len(steps)):] {
		if err := os.Remove(filepath.Join(d.Path, stepName(old))); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// Steps lists the steps that have a checkpoint, the latest first. Files of other
// names are no checkpoints.
func (d Dir) Steps() ([]int, error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var steps []int
	for _, e := range entries {
		digits := strings.TrimSuffix(strings.TrimPrefix(e.Name(), stepPrefix), stepSuffix)
		if step, err := strconv.Atoi(digits); err == nil && e.Name() == stepName(step) {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps, nil
}

// Latest reads the latest checkpoint that use accepts: one that is damaged, or
// that use refuses, is passed over for the one before it. The damage is returned
// beside, so that it can be told.
//
// Errors: no checkpoint that can be used, with the reason of each.
func (d Dir) Latest(use func(path string, f File) error) (damaged []error, err error) {
	steps, err := d.Steps()
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		path := filepath.Join(d.Path, stepName(step))
		f, err := Read(path)
		if err == nil {
			err = use(path, f)
		}
		if err == nil {
			return damaged, nil
		}
		damaged = append(damaged, err)
	}
	if len(damaged) == 0 {
		return nil, fmt.Errorf("checkpoint: %s: no checkpoint", d.Path)
	}
	return nil, fmt.Errorf("checkpoint: %s: no checkpoint that can be used: %w", d.Path, errors.Join(damaged...))
}
