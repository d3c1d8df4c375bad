package main

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// textValue is a flag whose value has a text form of its own.
type textValue struct {
	value interface {
		encoding.TextUnmarshaler
		String() string
	}
	kind string
}

func (v textValue) String() string        { return v.value.String() }
func (v textValue) Set(text string) error { return v.value.UnmarshalText([]byte(text)) }
func (v textValue) Type() string          { return v.kind }

// recipe is the flags that train and compare share.
type recipe struct {
	config train.Config
	source dataset.Source
	data   dataFlags
}

// dataFlags are the flags that become a dataset.Source.
type dataFlags struct {
	data, test, channels []string
	label, group         string
	labelRule            string
	window, stride       int
}

func newRecipe() *recipe {
	return &recipe{config: train.Defaults(), source: dataset.Source{TestFraction: 0.2}}
}

// registerData adds the flags that say what the data is.
func (r *recipe) registerData(f *pflag.FlagSet) {
	d, s := &r.data, &r.source
	f.StringSliceVar(&d.data, "data", dataset.Sources(), "what to train on: "+strings.Join(dataset.Sources(), ", ")+", or files: .ts, .csv, .npz, or two .npy of values and classes")
	f.StringVar(&s.Format, "format", "", "ts, wide (a series a row), recording (a time step a row) or npy; default: by the file's name, and recording for a .csv with --window")
	f.StringVar(&d.label, "label", "", "column of the class, by name or number")
	f.StringVar(&d.group, "group", "", "column of a subject or session, which goes wholly to one part")
	f.StringSliceVar(&d.channels, "channels", nil, "columns of a recording to read; default: every column of numbers")
	f.IntVar(&d.window, "window", 0, "steps of a recording's windows; of a series, the most that are read")
	f.IntVar(&d.stride, "stride", 0, "steps from one window to the next; default: --window")
	f.StringVar(&d.labelRule, "label-rule", string(dataset.LabelLast), "class of a window: its last step's (last) or the commonest (majority)")
	f.IntVar(&s.Prepare.Frame, "frame", 0, "consecutive steps that the model reads as one")
	f.IntVar(&s.Prepare.Hop, "hop", 0, "steps from one frame to the next; default: --frame")
	f.BoolVar(&s.Prepare.Center, "center", false, "take each frame's mean out and keep it beside")
	f.BoolVar(&s.Prepare.ScaleInputs, "scale-inputs", false, "standardise what the model reads, after frames are made, too")
	f.BoolVar(&s.Prepare.Raw, "raw", false, "leave a file's channels unscaled; default: standardised by the training part")
}

// register adds the flags, whose defaults are the default recipe's.
func (r *recipe) register(f *pflag.FlagSet) {
	r.registerData(f)
	f.StringSliceVar(&r.data.test, "test", nil, "files of the test part; default: split off the data")
	f.StringVar(&r.source.Split, "split", "", "how to part train from test: given, shuffled or validation (digits); auto, series, group or time (files)")
	f.Float64Var(&r.source.TestFraction, "test-fraction", r.source.TestFraction, "part of the data to test on, where it is split off")
	f.Uint64Var(&r.source.Seed, "split-seed", 0, "seed of what is drawn for test and validation")
	f.Float64Var(&r.source.ValidationFraction, "validation-fraction", 0, "part of the training data to validate on after each epoch; the best epoch's weights are kept")
	f.BoolVar(&r.source.LeakOverlaps, "leak-overlaps", false, "let --split series put overlapping windows into both parts: the accuracy is then partly memory")

	m := &r.config.Model
	f.IntVar(&m.HiddenSize, "hidden-size", m.HiddenSize, "width of the blocks")
	f.IntVar(&m.NumLayers, "num-layers", m.NumLayers, "number of blocks")
	f.IntVar(&m.NumHeads, "num-heads", m.NumHeads, "number of attention heads; divides the hidden size")
	f.Float64Var(&m.Dropout, "dropout", m.Dropout, "probability of dropping an element")
	f.Var(textValue{&m.Positions, "name"}, "positions", "none, rotary or learned")
	f.Var(textValue{&m.Pooling, "name"}, "pooling", "last or mean")
	f.Var(textValue{&m.Numerics, "name"}, "numerics", "bitnet or edifice")
	f.Var(textValue{&m.Activations, "name"}, "activations", "inputs of quantized layers: int8 or float (float with edifice)")
	f.Var(textValue{&m.STE, "name"}, "ste", "straight-through estimator: identity or clipped")

	c := &r.config
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training data")
	f.IntVar(&c.Patience, "patience", c.Patience, "epochs without a better validation that end the training; 0 is never")
	f.IntVar(&c.BatchSize, "batch-size", c.BatchSize, "sequences a step")
	f.Float64Var(&c.LearnRate, "learning-rate", c.LearnRate, "highest learning rate, after the warm-up and before the cosine to 0")
	f.Float64Var(&c.Warmup, "warmup", c.Warmup, "part of the steps that the learning rate rises over")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "decoupled weight decay")
	f.Float64Var(&c.ClipNorm, "clip-norm", c.ClipNorm, "largest global norm of the gradients; 0 is off")
	f.Float64Var(&c.Augment.Jitter, "jitter", c.Augment.Jitter, "deviation of noise added in training")
	f.Float64Var(&c.Augment.Scale, "scaling", c.Augment.Scale, "deviation of each sequence's factor in training")
	f.IntVar(&c.Augment.Shift, "shift", c.Augment.Shift, "largest shift in time in training, in steps")
}

// judge settles what depends on whether a flag was given, and reports every fault.
func (r *recipe) judge(cmd *cobra.Command) error {
	m, given := &r.config.Model, cmd.Flags().Changed
	if !given("activations") && (m.Numerics == spec.Edifice || m.Quantize == quant.Float) {
		m.Activations = spec.FloatActivations
	}
	var errs []error
	if m.Quantize == quant.Float && m.Activations == spec.Int8Activations {
		errs = append(errs, errors.New("--activations: int8 activations are for quantized weights: want float with --quantize float"))
	}
	errs = append(errs, r.judgeData())
	s := r.source
	if given("test-fraction") && s.TestFraction == 0 {
		errs = append(errs, fmt.Errorf("--test-fraction has no use: the test part is given (--split %s)", s.Split))
	}
	if given("split-seed") && s.ValidationFraction == 0 && s.TestFraction == 0 {
		errs = append(errs, errors.New("--split-seed has no use: nothing is drawn by it"))
	}
	if r.config.Patience > 0 && r.source.ValidationFraction == 0 {
		errs = append(errs, errors.New("--patience needs a --validation-fraction"))
	}
	return errors.Join(append(errs, r.config.Validate())...)
}

// judgeData makes the source of the flags.
func (r *recipe) judgeData() error {
	d, s := &r.data, &r.source
	if len(d.data) == 1 && slices.Contains(dataset.Sources(), d.data[0]) {
		s.Name = d.data[0]
		if s.Split == "" {
			s.Split = dataset.SplitGiven
		}
		if s.Split != dataset.SplitRandom {
			s.TestFraction = 0
		}
		return s.Validate()
	}
	for _, path := range d.data {
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
	if s.Split == "" {
		s.Split = dataset.SplitAuto
	}
	if len(s.Test) > 0 {
		s.TestFraction = 0
	}
	recording := s.Format == dataset.FormatRecording || s.Format == "" && isCSV(d.data[0]) && d.window > 0
	if recording {
		s.Recording = dataset.RecordingOptions{
			Channels: d.channels, Label: d.label, Group: d.group, Window: d.window, Stride: d.stride,
			LabelRule: dataset.LabelRule(d.labelRule),
		}
	} else {
		s.Wide = dataset.WideOptions{Label: d.label, Group: d.group}
		s.Prepare.Window = d.window
	}
	return s.Validate()
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

// modes is a list of modes as a flag.
type modes []quant.Mode

func (m *modes) String() string {
	names := make([]string, len(*m))
	for i, mode := range *m {
		names[i] = mode.String()
	}
	return strings.Join(names, ",")
}

// Set replaces the list.
func (m *modes) Set(text string) error {
	*m = nil
	for name := range strings.SplitSeq(text, ",") {
		mode, err := quant.ParseMode(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		*m = append(*m, mode)
	}
	return nil
}

// Type is what --help calls the value.
func (m *modes) Type() string { return "list" }
