package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/packed"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// inputFlags say how the input of a packed model is read from files.
type inputFlags struct {
	flag           string // that names the files
	files          []string
	given          []setting
	format, group  string
	ignore         []string
	window, stride int
	anyLength      bool

	// What is known of the input, for a measure.
	answers   bool
	label     string
	targets   []string
	horizon   int
	labelRule string
	task      string
}

// register adds the flags; with answers also those that say what is known.
func (in *inputFlags) register(f *pflag.FlagSet) {
	f.StringVar(&in.format, "format", "", "ts, wide (a series a row), recording (a time step a row) or npy; default: by the file's name, and recording for a .csv with columns of the model's channels")
	f.StringVar(&in.group, "group", "", "column of a subject or session, which no window crosses")
	f.StringSliceVar(&in.ignore, "ignore", nil, "columns of a file with a series a row that are no values")
	f.IntVar(&in.window, "window", 0, "steps of a recording's windows; default: what the model reads")
	f.IntVar(&in.stride, "stride", 0, "steps from one window of a recording to the next; default: --window")
	f.BoolVar(&in.anyLength, "any-length", false, "take series of another length than the one that all series in training had")
	if !in.answers {
		return
	}
	f.StringVar(&in.label, "label", "", "column of the class, by name or number; default: the last, of a file with a series a row")
	f.StringSliceVar(&in.targets, "target", nil, "columns of the numbers that the model predicts")
	f.IntVar(&in.horizon, "horizon", 0, "steps from a window's last to the row of its target")
	f.StringVar(&in.labelRule, "label-rule", string(dataset.LabelLast), "class of a window: its last step's (last) or the commonest (majority)")
	f.StringVar(&in.task, "task", "", "what y of NumPy arrays is: classes or targets; default: what the model predicts")
}

// complete says what may stand behind the flags.
func (in *inputFlags) complete(cmd *cobra.Command) {
	values := map[string][]string{"format": {dataset.FormatTS, dataset.FormatWide, dataset.FormatRecording, dataset.FormatNPY}}
	if in.answers {
		values["label-rule"] = []string{string(dataset.LabelLast), string(dataset.LabelMajority)}
		values["task"] = []string{string(dataset.NPYClasses), string(dataset.NPYTargets)}
	}
	completeValues(cmd, values, map[string][]string{in.flag: {"ts", "csv", "tsv", "txt", "npz", "npy", "gz"}})
}

// judge reports what is wrong with the flags by themselves.
func (in *inputFlags) judge(cmd *cobra.Command) error {
	in.given = settings(cmd.Flags())
	var errs []error
	if len(in.files) == 0 || in.files[0] == "" {
		errs = append(errs, fmt.Errorf("--%s is missing: name a file, .npy, .csv or .ts", in.flag))
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"window", in.window}, {"stride", in.stride}, {"horizon", in.horizon}} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("--%s %d: want 0 or more", n.name, n.value))
		}
	}
	return errors.Join(errs...)
}

// open opens the files as p reads them, raw.
//
// Errors: those of the readers; other channels than the model's.
func (in *inputFlags) open(p *packed.Model, stdin io.Reader) (s *dataset.Stream, format string, err error) {
	inputs := make([]dataset.Input, len(in.files))
	for i, file := range in.files {
		if inputs[i], err = openInput(file, stdin); err != nil {
			return nil, "", fmt.Errorf("--%s %w", in.flag, err)
		}
	}
	source := in.source(p)
	if source.Format, err = in.formatOf(p, source, inputs); err != nil {
		return nil, "", err
	}
	if err := in.judgeFormat(p, source.Format); err != nil {
		return nil, "", &misuse{err}
	}
	if source.Format == dataset.FormatNPY && len(in.files) == 1 && !strings.HasSuffix(in.files[0], ".npz") && !in.answers {
		s, err = dataset.ReadNPY(inputs[0], dataset.NPYOptions{})
	} else {
		s, err = source.OpenInputs(inputs)
	}
	if err != nil {
		return nil, source.Format, withIgnore(source.Format, oneLine(err))
	}
	if got, want := len(s.Channels), channelsOf(p); got != want {
		shape := ""
		if source.Format == dataset.FormatNPY {
			shape = fmt.Sprintf(": want the shape [N, T, %d]", want)
		}
		return nil, "", fmt.Errorf("%s: %s a step, the model reads %d%s", inputs[0].Name, plural(got, "value"), want, shape)
	}
	return s, source.Format, nil
}

// oneLine is the first of an error's lines, and how many more there are.
func oneLine(err error) error {
	first, rest, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return fmt.Errorf("%s (and %d more)", first, 1+strings.Count(rest, "\n"))
}

// judgeFormat reports the flags that a format or a model has no use for, and those
// that it cannot do without.
func (in *inputFlags) judgeFormat(p *packed.Model, format string) error {
	if all := listGiven(in.given, unusedInput[format]); all != "" {
		return fmt.Errorf("%s: of no use for input in the format %s", all, format)
	}
	if !in.answers || format != dataset.FormatRecording && format != dataset.FormatWide {
		return nil
	}
	classes := p.Head.Classes != nil
	switch {
	case classes && len(in.targets) > 0:
		return errors.New("--target: the model predicts classes: name their column by --label")
	case !classes && in.label != "":
		return errors.New("--label: the model predicts numbers: name their columns by --target")
	case !classes && len(in.targets) != p.Head.Width:
		return fmt.Errorf("%d columns by --target, want %d: the numbers that the model predicts", len(in.targets), p.Head.Width)
	case classes && in.label == "" && format == dataset.FormatRecording:
		return errors.New("--label is missing: name the column of the class")
	}
	return nil
}

// unusedInput are the flags that say nothing about a format.
var unusedInput = map[string][]string{
	dataset.FormatRecording: {"ignore", "any-length", "task"},
	dataset.FormatWide:      {"window", "stride", "horizon", "label-rule", "task"},
	dataset.FormatTS:        {"group", "ignore", "window", "stride", "label", "target", "horizon", "label-rule", "task"},
	dataset.FormatNPY:       {"group", "ignore", "window", "stride", "label", "target", "horizon", "label-rule"},
}

// channelsOf is how many raw values the model reads of a step.
func channelsOf(p *packed.Model) int {
	if p.Input != nil {
		return len(p.Input.Channels)
	}
	return p.Spec.EmbedDim
}

// stepsOf is how many raw steps the model's window holds.
func stepsOf(p *packed.Model) int {
	if p.Input != nil {
		return p.Input.Frame + (p.Input.Window-1)*p.Input.Hop
	}
	return p.Spec.WindowSize
}

// source is how every format would be read.
func (in *inputFlags) source(p *packed.Model) dataset.Source {
	s := dataset.Source{
		Files: in.files, Format: in.format,
		Wide: dataset.WideOptions{
			Label: in.label, NoLabel: !in.answers, Targets: in.targets, Group: in.group, Ignore: in.ignore, Channels: channelsOf(p),
		},
		Recording: dataset.RecordingOptions{
			Label: in.label, Targets: in.targets, Group: in.group, Horizon: in.horizon,
			Window: in.window, Stride: in.stride, LabelRule: dataset.LabelRule(in.labelRule),
		},
	}
	if p.Input != nil {
		s.Recording.Channels = p.Input.Channels
	}
	if s.Recording.Window == 0 {
		s.Recording.Window = stepsOf(p)
	}
	if s.Task = dataset.NPYTask(in.task); in.answers && s.Task == dataset.NPYAuto {
		if s.Task = dataset.NPYTargets; p.Head != nil && p.Head.Classes != nil {
			s.Task = dataset.NPYClasses
		}
	}
	return s
}

// formatOf is the format of the files. A .csv is a recording where a flag is for one,
// where the model's channels have names that somebody gave them, or where it has
// columns of their names.
func (in *inputFlags) formatOf(p *packed.Model, s dataset.Source, inputs []dataset.Input) (string, error) {
	format, err := s.FileFormat()
	if err != nil && in.format == "" && isPiped(in.files[0]) {
		format, err = sniff(inputs[0])
	}
	if err != nil || in.format != "" || format != dataset.FormatRecording {
		return format, err
	}
	if in.window > 0 || in.stride > 0 || in.horizon > 0 {
		return format, nil
	}
	if p.Input == nil {
		return dataset.FormatWide, nil
	}
	if generic(p.Input.Channels) {
		o := dataset.RecordingOptions{Channels: p.Input.Channels, Window: 1}
		if _, err := dataset.ReadRecording(inputs, o); err != nil {
			return dataset.FormatWide, nil
		}
	}
	return format, nil
}

// generic says whether a reader made up the names, of series that have none.
func generic(names []string) bool {
	return slices.Equal(names, []string{"value"}) || slices.ContainsFunc([]string{"value", "dim", "channel"}, func(prefix string) bool {
		for i, name := range names {
			if name != fmt.Sprint(prefix, i+1) {
				return false
			}
		}
		return true
	})
}
