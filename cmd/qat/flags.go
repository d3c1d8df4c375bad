package main

import (
	"encoding"
	"errors"
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
}

func newRecipe() *recipe {
	return &recipe{
		config: train.Defaults(),
		source: dataset.Source{Name: "digits", Split: dataset.SplitGiven, TestFraction: 0.2},
	}
}

// register adds the flags, whose defaults are the default recipe's.
func (r *recipe) register(f *pflag.FlagSet) {
	f.StringVar(&r.source.Name, "data", r.source.Name, "what to train on: "+strings.Join(dataset.Sources(), ", "))
	f.StringVar(&r.source.Split, "split", r.source.Split, "how to part train from test: "+strings.Join(dataset.Splits(), ", "))
	f.Float64Var(&r.source.TestFraction, "test-fraction", r.source.TestFraction, "part of the data to test on, for --split shuffled")
	f.Uint64Var(&r.source.Seed, "split-seed", 0, "seed of what is drawn for test and validation")
	f.Float64Var(&r.source.ValidationFraction, "validation-fraction", 0, "part of the training data to validate on after each epoch; the best epoch's weights are kept")

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
	if r.config.Model.Numerics == spec.Edifice && !cmd.Flags().Changed("activations") {
		r.config.Model.Activations = spec.FloatActivations
	}
	if r.source.Split != dataset.SplitRandom {
		r.source.TestFraction = 0
	}
	if err := r.source.Validate(); err != nil {
		return err
	}
	if r.config.Patience > 0 && r.source.ValidationFraction == 0 {
		return errors.New("--patience needs a --validation-fraction")
	}
	return r.config.Validate()
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
