package main

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	file   string // of --config
	// one says that one model is trained: there are --quantize and --seed.
	one   bool
	given []setting
	// over sets what a config file says that does not say everything; nil for none.
	over func(*train.Config) error
}

// dataFlags are the flags that become a dataset.Source.
type dataFlags struct {
	data, test, channels, targets []string
	label, group                  string
	labelRule, task               string
	window, stride, horizon       int
	memory                        int // MiB
}

// testFraction is what is tested on, unless the data or a flag says it.
const testFraction = 0.2

func newRecipe(one bool) *recipe {
	return &recipe{
		config: train.Defaults(), source: dataset.Source{TestFraction: testFraction}, one: one,
		data: dataFlags{data: dataset.Sources(), labelRule: string(dataset.LabelLast), memory: dataset.MemoryDefault >> 20},
	}
}

// registerData adds the flags that say what the data is. Here as below the default
// of a flag is what r has.
func (r *recipe) registerData(f *pflag.FlagSet) {
	d, s := &r.data, &r.source
	f.StringSliceVar(&d.data, "data", d.data, "what to train on: "+strings.Join(dataset.Sources(), ", ")+", or files: .ts, .csv, .npz, or two .npy of values and of classes or targets")
	f.StringVar(&s.Format, "format", s.Format, "ts, wide (a series a row), recording (a time step a row) or npy; default: by the file's name, and recording for a .csv with --window")
	f.StringVar(&d.label, "label", d.label, "column of the class, by name or number")
	f.StringSliceVar(&d.targets, "target", d.targets, "columns of numbers to predict, instead of a class")
	f.IntVar(&d.horizon, "horizon", d.horizon, "steps from a window's last to the row of its target: a forecast")
	f.StringVar(&d.task, "task", d.task, "what y of NumPy arrays is: classes or targets; default: targets if it holds floats")
	f.StringVar(&d.group, "group", d.group, "column of a subject or session, which goes wholly to one part")
	f.StringSliceVar(&d.channels, "channels", d.channels, "columns of a recording to read; default: every column of numbers")
	f.IntVar(&d.window, "window", d.window, "steps of a recording's windows; of a series, the most that are read, the last ones")
	f.IntVar(&d.stride, "stride", d.stride, "steps from one window to the next; default: --window")
	f.StringVar(&d.labelRule, "label-rule", d.labelRule, "class of a window: its last step's (last) or the commonest (majority)")
	f.IntVar(&s.Prepare.Frame, "frame", s.Prepare.Frame, "consecutive steps that the model reads as one; 1 for none; default: by the length of the series")
	f.IntVar(&s.Prepare.Hop, "hop", s.Prepare.Hop, "steps from one frame to the next; default: --frame, or by the length of the series")
	f.BoolVar(&s.Prepare.Center, "center", s.Prepare.Center, "take each frame's mean out and keep it beside; default: by the length of the series")
	f.BoolVar(&s.Prepare.ScaleInputs, "scale-inputs", s.Prepare.ScaleInputs, "standardise what the model reads, after frames are made, too")
	f.BoolVar(&s.Prepare.Raw, "raw", s.Prepare.Raw, "leave a file's channels unscaled; default: standardised by the training part")
	f.IntVar(&d.memory, "memory", d.memory, "MiB of sequences to hold; files with more are read anew for each epoch and shuffled in so much")
	f.StringSliceVar(&d.test, "test", d.test, "files of the test part; default: split off the data")
	f.StringVar(&s.Split, "split", s.Split, "how to part train from test: given, shuffled or validation (digits); auto, series, group or time (files)")
	f.Float64Var(&s.TestFraction, "test-fraction", s.TestFraction, "part of the data to test on, where it is split off")
	f.Uint64Var(&s.Seed, "split-seed", s.Seed, "seed of what is drawn for test and validation")
	f.Float64Var(&s.ValidationFraction, "validation-fraction", s.ValidationFraction, "part of the training data to validate on after each epoch; the best epoch's weights are kept")
	f.BoolVar(&s.LeakOverlaps, "leak-overlaps", s.LeakOverlaps, "let --split series put overlapping windows into both parts, and --test hold what --data does: the accuracy is then partly memory")
}

// register adds all the flags of a recipe.
func (r *recipe) register(f *pflag.FlagSet) {
	r.registerData(f)
	f.StringVar(&r.file, "config", r.file, "begin from a config.json, as a run directory has it; other flags go over it")
	m, c := &r.config.Model, &r.config
	if r.one {
		f.Var(&weightModes{model: m}, "quantize", "float, binary, ternary, int4 or int8; of some layers another, as 'ternary,blocks.0.ffn.*=int8', of which the last to match holds")
		f.StringVar(&c.Init, "init", c.Init, "begin with the latent weights of a finished run of the same dimensions, for instance one with --quantize float")
		f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of weights, order, dropout and augmentation")
	}
	f.Var(textValue{&m.Granularity, "name"}, "granularity", "a scale for each weight (tensor) or for each of its outputs (channel)")
	f.IntVar(&m.HiddenSize, "hidden-size", m.HiddenSize, "width of the blocks")
	f.IntVar(&m.NumLayers, "num-layers", m.NumLayers, "number of blocks")
	f.IntVar(&m.NumHeads, "num-heads", m.NumHeads, "number of attention heads; divides the hidden size")
	f.Float64Var(&m.Dropout, "dropout", m.Dropout, "probability of dropping an element")
	f.Var(textValue{&m.Positions, "name"}, "positions", "none, rotary or learned")
	f.Var(textValue{&m.Pooling, "name"}, "pooling", "last or mean")
	f.Var(textValue{&m.Numerics, "name"}, "numerics", "bitnet or edifice")
	f.Var(textValue{&m.Activations, "name"}, "activations", "inputs of quantized layers: int8 or float (float with edifice)")
	f.Var(textValue{&m.STE, "name"}, "ste", "straight-through estimator: identity or clipped")

	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training data")
	f.IntVar(&c.Patience, "patience", c.Patience, "epochs without a better validation that end the training; 0 is never")
	f.IntVar(&c.BatchSize, "batch-size", c.BatchSize, "sequences a step")
	f.Float64Var(&c.LearnRate, "learning-rate", c.LearnRate, "highest learning rate")
	f.StringVar(&c.Schedule, "schedule", c.Schedule, "of the learning rate after its warm-up: cosine or linear (to 0), or constant")
	f.Float64Var(&c.QuantizeWarmup, "quantize-warmup", c.QuantizeWarmup, "part of the steps over which quantization is blended in, from float")
	f.Float64Var(&c.Warmup, "warmup", c.Warmup, "part of the steps that the learning rate rises over")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "decoupled weight decay")
	f.Float64Var(&c.ClipNorm, "clip-norm", c.ClipNorm, "largest global norm of the gradients; 0 is off")
	f.StringVar(&c.ClassWeights, "class-weights", c.ClassWeights, "balanced: each class counts the same; default: each sequence does")
	f.Float64Var(&c.Augment.Jitter, "jitter", c.Augment.Jitter, "deviation of noise added in training")
	f.Float64Var(&c.Augment.Scale, "scaling", c.Augment.Scale, "deviation of each sequence's factor in training")
	f.Float64Var(&c.Augment.Shift, "shift", c.Augment.Shift, "largest circular shift in time in training, as a part of the sequence")
}

// complete says what may stand behind the flags of a recipe.
func (r *recipe) complete(cmd *cobra.Command) {
	values := map[string][]string{
		"format":     {dataset.FormatTS, dataset.FormatWide, dataset.FormatRecording, dataset.FormatNPY},
		"split":      dataset.Splits(),
		"label-rule": {string(dataset.LabelLast), string(dataset.LabelMajority)},
		"task":       {string(dataset.NPYClasses), string(dataset.NPYTargets)},
		"positions":  {"none", "rotary", "learned"}, "pooling": {"last", "mean"}, "numerics": {"bitnet", "edifice"},
		"activations": {"int8", "float"}, "granularity": {"tensor", "channel"}, "ste": {"identity", "clipped"},
		"schedule": train.Schedules(), "class-weights": {train.BalancedClasses},
	}
	if r.one {
		all := modes(quant.Modes())
		values["quantize"] = strings.Split(all.String(), ",")
	}
	data := []string{"ts", "csv", "tsv", "txt", "npz", "npy", "gz"}
	completeValues(cmd, values, map[string][]string{"data": data, "test": data, "config": {"json"}})
}

// judge settles what depends on whether a flag was given, and reports every fault.
func (r *recipe) judge(cmd *cobra.Command) error {
	r.given = settings(cmd.Flags())
	if r.file != "" {
		if err := r.load(); err != nil {
			return err
		}
	}
	r.implyActivations()
	m, s := &r.config.Model, &r.source
	var errs []error
	if m.IsFloat() && m.Activations == spec.Int8Activations {
		errs = append(errs, errors.New("--activations: int8 activations are for quantized weights: want float with --quantize float"))
	}
	errs = append(errs, r.judgeData(), r.judgeInit())
	if p := s.Prepare; r.was("center") && !p.Center && p.Frame == 0 {
		errs = append(errs, errors.New("--center=false needs a --frame: frames that the length of the series asks for are centred"))
	}
	if r.was("test-fraction") && s.TestFraction == 0 {
		errs = append(errs, fmt.Errorf("--test-fraction has no use: the test part is given (--split %s)", s.Split))
	}
	if r.was("split-seed") && s.ValidationFraction == 0 && s.TestFraction == 0 {
		errs = append(errs, errors.New("--split-seed has no use: nothing is drawn by it"))
	}
	if r.config.Patience > 0 && s.ValidationFraction == 0 {
		errs = append(errs, errors.New("--patience needs a --validation-fraction"))
	}
	return errors.Join(append(errs, r.config.Validate())...)
}

// judgeInit makes the path of --init one that holds from any directory.
func (r *recipe) judgeInit() error {
	path := r.config.Init
	if path == "" {
		return nil
	}
	if !r.one {
		return fmt.Errorf("--config: it begins with the weights of %s, but every mode is trained from fresh ones: take init out", path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, latentsFile)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("--init: %w", err)
	}
	var err error
	r.config.Init, err = filepath.Abs(path)
	return err
}

// weightModes is the mode of all layers and those of some, as a flag.
type weightModes struct {
	model *spec.Model
	text  string // as it was given
}

// String is what was given: the mode that it left out is not the default's, where it
// goes over a config file.
func (w *weightModes) String() string {
	if w.text != "" || w.model == nil {
		return w.text
	}
	return w.model.WeightModes()
}

// Set takes a mode, patterns with modes, or both; the patterns that were are gone.
func (w *weightModes) Set(text string) error {
	mode, layers := w.model.Quantize, []spec.LayerMode(nil)
	for i, item := range strings.Split(text, ",") {
		pattern, name, some := strings.Cut(strings.TrimSpace(item), "=")
		if !some && i > 0 {
			return fmt.Errorf("%q is a second mode of all layers: want pattern=mode", item)
		}
		if !some {
			pattern, name = "", pattern
		}
		parsed, err := quant.ParseMode(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		if some {
			layers = append(layers, spec.LayerMode{Pattern: strings.TrimSpace(pattern), Mode: parsed})
		} else {
			mode = parsed
		}
	}
	w.model.Quantize, w.model.LayerModes, w.text = mode, layers, text
	return nil
}

// Type is what --help calls the value.
func (w *weightModes) Type() string { return "modes" }

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
