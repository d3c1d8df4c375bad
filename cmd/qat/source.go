package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
)

// judgeData makes the source of the flags.
func (r *recipe) judgeData() error {
	d, s := &r.data, &r.source
	var errs []error
	for _, n := range []struct {
		name         string
		value, least int
	}{{"memory", d.memory, 1}, {"window", d.window, 0}, {"stride", d.stride, 0}, {"horizon", d.horizon, 0}} {
		if n.value < n.least {
			errs = append(errs, fmt.Errorf("--%s %d: want %d or more", n.name, n.value, n.least))
		}
	}
	if len(d.data) == 0 || d.data[0] == "" {
		errs = append(errs, errors.New("--data is empty: name "+strings.Join(dataset.Sources(), ", ")+" or a file"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.Memory = 0
	if d.memory != dataset.MemoryDefault>>20 {
		s.Memory = int64(d.memory) << 20
	}
	if len(d.data) == 1 && slices.Contains(dataset.Sources(), d.data[0]) {
		return r.judgeEmbedded()
	}
	return r.judgeFiles()
}

// judgeFiles is judgeData of files.
func (r *recipe) judgeFiles() error {
	d, s := &r.data, &r.source
	if err := errors.Join(readable("data", d.data), readable("test", d.test)); err != nil {
		return err
	}
	var err error
	if s.Files, err = absolute(d.data); err != nil {
		return err
	}
	if s.Test, err = absolute(d.test); err != nil {
		return err
	}
	s.Name = ""
	if s.Split == "" {
		s.Split = dataset.SplitAuto
	}
	if ways := []string{dataset.SplitAuto, string(dataset.SplitBySeries), string(dataset.SplitByGroup), string(dataset.SplitByTime)}; !slices.Contains(ways, s.Split) {
		return fmt.Errorf("--split %s does not go with files: want %s; series draws at random, with --leak-overlaps where windows overlap", s.Split, strings.Join(ways, ", "))
	}
	if len(s.Test) > 0 {
		s.TestFraction = 0
	}
	s.Task, s.Wide, s.Prepare.Window = "", dataset.WideOptions{}, 0
	s.Recording = dataset.RecordingOptions{Window: d.window} // which tells a recording from a wide file
	format, err := s.FileFormat()
	if err != nil {
		return err
	}
	if err := r.refuseUnused(format); err != nil {
		return err
	}
	switch format {
	case dataset.FormatRecording:
		s.Recording = dataset.RecordingOptions{
			Channels: d.channels, Label: d.label, Group: d.group, Targets: d.targets, Window: d.window, Stride: d.stride,
			Horizon: d.horizon, LabelRule: dataset.LabelRule(d.labelRule),
		}
		return s.Validate()
	case dataset.FormatWide:
		s.Wide = dataset.WideOptions{Label: d.label, Group: d.group, Targets: d.targets}
	case dataset.FormatNPY:
		s.Task = dataset.NPYTask(d.task)
	}
	s.Recording, s.Prepare.Window = dataset.RecordingOptions{}, d.window
	return s.Validate()
}

// unused are the flags that say nothing about a format.
var unused = map[string][]string{
	dataset.FormatRecording: {"task"},
	dataset.FormatWide:      {"channels", "stride", "horizon", "label-rule", "task"},
	dataset.FormatTS:        {"label", "group", "target", "channels", "stride", "horizon", "label-rule", "task"},
	dataset.FormatNPY:       {"label", "group", "target", "channels", "stride", "horizon", "label-rule"},
}

// refuseUnused reports the flags that would be ignored.
func (r *recipe) refuseUnused(format string) error {
	all := r.listGiven(unused[format])
	switch {
	case len(all) == 0:
		return nil
	case format == dataset.FormatWide:
		return fmt.Errorf("%s: of no use for a file with a series a row; for a recording, with a time step a row, name a --window", all)
	case format == dataset.FormatNPY:
		return fmt.Errorf("%s: of no use for NumPy arrays: y says what is to be learnt", all)
	}
	return fmt.Errorf("%s: of no use for data in the format %s", all, format)
}

// listGiven lists those of the flags that were given.
func (r *recipe) listGiven(names []string) string { return listGiven(r.given, names) }

func listGiven(given []setting, names []string) string {
	var all []string
	for _, name := range names {
		if slices.ContainsFunc(given, func(s setting) bool { return s.name == name }) {
			all = append(all, "--"+name)
		}
	}
	return strings.Join(all, ", ")
}

// readable refuses what is no file.
func readable(flag string, paths []string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist) && flag == "data":
			return fmt.Errorf("--data %s: no such file, and not one of the embedded data: %s", path, strings.Join(dataset.Sources(), ", "))
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("--%s %s: no such file", flag, path)
		case err != nil:
			return fmt.Errorf("--%s: %w", flag, err)
		case info.IsDir():
			return fmt.Errorf("--%s %s: is a directory, want files", flag, path)
		}
	}
	return nil
}

// judgeEmbedded is judgeData of data that is in the binary.
func (r *recipe) judgeEmbedded() error {
	s := &r.source
	s.Name, s.Files, s.Test = r.data.data[0], nil, nil
	if s.Split == "" {
		s.Split = dataset.SplitGiven
	}
	if s.Split != dataset.SplitRandom {
		s.TestFraction = 0
	}
	unused := r.listGiven([]string{"format", "label", "group", "target", "channels", "window", "stride", "horizon", "label-rule", "task", "frame", "hop", "center", "scale-inputs", "raw", "memory", "test", "leak-overlaps"})
	if unused != "" {
		return fmt.Errorf("%s: for files, and the data is the embedded %s", unused, s.Name)
	}
	return s.Validate()
}

// dataFlagsOf are the flags that would make s.
func dataFlagsOf(s dataset.Source) dataFlags {
	d := dataFlags{
		data: s.Files, test: s.Test, labelRule: string(dataset.LabelLast), task: string(s.Task),
		label: s.Wide.Label, group: s.Wide.Group, targets: s.Wide.Targets, window: s.Prepare.Window,
		memory: dataset.MemoryDefault >> 20,
	}
	if len(s.Files) == 0 {
		d.data = []string{s.Name}
	}
	if s.Memory > 0 {
		d.memory = int(s.Memory >> 20)
	}
	if o := s.Recording; o.Window > 0 {
		d.channels, d.label, d.group, d.targets = o.Channels, o.Label, o.Group, o.Targets
		d.window, d.stride, d.horizon = o.Window, o.Stride, o.Horizon
		if o.LabelRule != "" {
			d.labelRule = string(o.LabelRule)
		}
	}
	return d
}

// absolute makes paths that hold from any directory, for qat eval.
func absolute(paths []string) ([]string, error) {
	out := make([]string, len(paths))
	for i, p := range paths {
		var err error
		if out[i], err = filepath.Abs(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// errRowIsSeries is how a .csv without --window is read.
var errRowIsSeries = errors.New("each row is a series")

// asRows adds to an error about a cell of a file with a series a row that it was read so.
func (r *recipe) asRows(err error) error {
	var fault *dataset.FormatError
	if !errors.As(err, &fault) {
		return err
	}
	if format, _ := r.source.FileFormat(); format == dataset.FormatWide {
		return fmt.Errorf("%w (%w)", err, errRowIsSeries)
	}
	return err
}
