package main

import (
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
	if d.memory < 1 {
		return fmt.Errorf("--memory %d: want 1 MiB or more", d.memory)
	}
	s.Memory = 0
	if d.memory != dataset.MemoryDefault>>20 {
		s.Memory = int64(d.memory) << 20
	}
	if len(d.data) == 1 && slices.Contains(dataset.Sources(), d.data[0]) {
		return r.judgeEmbedded()
	}
	for _, path := range append(slices.Clone(d.data), d.test...) {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("--data %s: no such file, and not one of the embedded data: %s", path, strings.Join(dataset.Sources(), ", "))
		}
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
	if len(s.Test) > 0 {
		s.TestFraction = 0
	}
	s.Task = dataset.NPYTask(d.task)
	s.Recording, s.Wide, s.Prepare.Window = dataset.RecordingOptions{}, dataset.WideOptions{}, 0
	if s.Format == dataset.FormatRecording || s.Format == "" && isCSV(d.data[0]) && d.window > 0 {
		s.Recording = dataset.RecordingOptions{
			Channels: d.channels, Label: d.label, Group: d.group, Targets: d.targets, Window: d.window, Stride: d.stride,
			Horizon: d.horizon, LabelRule: dataset.LabelRule(d.labelRule),
		}
		return s.Validate()
	}
	s.Wide = dataset.WideOptions{Label: d.label, Group: d.group, Targets: d.targets}
	s.Prepare.Window = d.window
	if d.horizon > 0 || d.stride > 0 {
		return fmt.Errorf("--stride and --horizon are for recordings: a .csv with --window, or --format recording")
	}
	return s.Validate()
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
	var unused []string
	for _, name := range []string{"label", "group", "target", "channels", "window", "stride", "horizon", "task", "frame", "hop", "test"} {
		if r.was(name) {
			unused = append(unused, "--"+name)
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("%s: for files, and the data is the embedded %s", strings.Join(unused, ", "), s.Name)
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

func isCSV(path string) bool {
	ext := filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz"))
	return ext == ".csv" || ext == ".tsv" || ext == ".txt"
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
