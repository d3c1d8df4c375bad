package qat

import (
	"errors"
	"fmt"
	"slices"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// Option sets one thing about a model or layer. Options cannot fail: the builder
// judges them together and reports every fault at once. A later one wins.
type Option func(*config)

// Mode says how the weights of a linear layer are quantized.
type Mode = quant.Mode

// The modes.
const (
	Float   = quant.Float
	Binary  = quant.Binary
	Ternary = quant.Ternary
	Int4    = quant.Int4
	Int8    = quant.Int8
)

// Granularity says how much of a weight shares a scale.
type Granularity = quant.Granularity

// The granularities: one scale a weight, or one for each of its outputs.
const (
	PerTensor  = quant.PerTensor
	PerChannel = quant.PerChannel
)

// ParseMode returns the mode called float, binary, ternary, int4 or int8.
func ParseMode(name string) (Mode, error) { return quant.ParseMode(name) }

// The values of WithNumerics, WithActivations, WithSTE, WithPooling and
// WithPositions; package spec says what each means.
const (
	BitNet           = spec.BitNet
	Edifice          = spec.Edifice
	Int8Activations  = spec.Int8Activations
	FloatActivations = spec.FloatActivations
	Identity         = spec.Identity
	Clipped          = spec.Clipped
	LastTimestep     = spec.LastTimestep
	Mean             = spec.Mean
	AllTimesteps     = spec.AllTimesteps
	NoPositions      = spec.NoPositions
	Rotary           = spec.Rotary
	Learned          = spec.Learned
)

// ParamSource is a *Model or a *Layer.
type ParamSource interface{ Params() []Param }

// config is what the options add up to.
type config struct {
	spec    spec.Model
	batch   int
	seed    uint64
	name    string
	input   *gorgonia.Node
	lengths *gorgonia.Node
	source  ParamSource
	given   []string // names of the options, in order
	nilOpt  bool
}

func newConfig(opts []Option) *config {
	c := &config{spec: RecommendedDefaults(), batch: defaultBatchSize, seed: defaultSeed}
	for _, opt := range opts {
		if opt == nil {
			c.nilOpt = true
			continue
		}
		opt(c)
	}
	return c
}

// implyActivations takes the activations that float weights in every layer and the
// Edifice numerics imply.
func (c *config) implyActivations(float bool) {
	if !c.has("WithActivations") && (float || c.spec.Numerics == Edifice && !c.has("WithSpec")) {
		c.spec.Activations = FloatActivations
	}
}

func (c *config) has(option string) bool { return slices.Contains(c.given, option) }

func option(name string, set func(*config)) Option {
	return func(c *config) {
		c.given = append(c.given, name)
		set(c)
	}
}

// WithEmbedDim sets E, the number of values in a time step. Build needs it,
// unless WithInput says it.
func WithEmbedDim(e int) Option {
	return option("WithEmbedDim", func(c *config) { c.spec.EmbedDim = e })
}

// WithHiddenSize sets H, the width of the blocks and of the output. Default 256.
func WithHiddenSize(h int) Option {
	return option("WithHiddenSize", func(c *config) { c.spec.HiddenSize = h })
}

// WithNumHeads sets the number of attention heads; it divides H. Default 4.
func WithNumHeads(n int) Option {
	return option("WithNumHeads", func(c *config) { c.spec.NumHeads = n })
}

// WithNumLayers sets L, the number of blocks. Default 4.
func WithNumLayers(n int) Option {
	return option("WithNumLayers", func(c *config) { c.spec.NumLayers = n })
}

// WithQuantize sets how the linear layers' weights are quantized. Default Ternary.
func WithQuantize(m Mode) Option {
	return option("WithQuantize", func(c *config) { c.spec.Quantize = m })
}

// WithLayerMode sets the mode of the layers that a pattern matches, whatever
// WithQuantize says: that of path.Match on a layer's name without the model's, as
// blocks.0.attn.qkv or blocks.0.ffn.*. It can be given again; of the patterns that
// match a layer the last one holds. A layer of mode Float has float inputs.
func WithLayerMode(pattern string, m Mode) Option {
	return option("WithLayerMode", func(c *config) {
		c.spec.LayerModes = append(c.spec.LayerModes, spec.LayerMode{Pattern: pattern, Mode: m})
	})
}

// WithGranularity sets how much of a weight shares a scale. Default PerTensor. The
// Edifice numerics know no other, and float weights have no scale.
func WithGranularity(g Granularity) Option {
	return option("WithGranularity", func(c *config) { c.spec.Granularity = g })
}

// WithDropout sets the probability of dropping an element, in [0, 1). Default 0.1.
func WithDropout(p float64) Option {
	return option("WithDropout", func(c *config) { c.spec.Dropout = p })
}

// WithWindowSize sets T, the number of time steps of a sequence. Default 60.
func WithWindowSize(t int) Option {
	return option("WithWindowSize", func(c *config) { c.spec.WindowSize = t })
}

// WithBatchSize sets B, the number of sequences of a run. Default 1.
func WithBatchSize(b int) Option {
	return option("WithBatchSize", func(c *config) { c.batch = b })
}

// WithInput makes the caller's own float32 node [B, T, E] the model's input. B, T
// and E are taken from it; an option that says otherwise is an error.
func WithInput(x *gorgonia.Node) Option {
	return option("WithInput", func(c *config) { c.input = x })
}

// WithLengths gives a float32 node [B] with the number of real steps, 1 to T, of
// sequences that are padded at their front. Padded steps are never read, and the
// result is, to the bit, that of the sequence without them.
func WithLengths(lengths *gorgonia.Node) Option {
	return option("WithLengths", func(c *config) { c.lengths = lengths })
}

// WithName sets what the parameters' names begin with, so that two models or
// layers can stand in one graph. A layer's default is dense, quant_linear or block.
func WithName(name string) Option {
	return option("WithName", func(c *config) { c.name = name })
}

// WithSeed sets the seed of the initial weights and of dropout. Default 0. What
// is drawn depends on the seed and on the parameter's name.
func WithSeed(seed uint64) Option {
	return option("WithSeed", func(c *config) { c.seed = seed })
}

// WithNumerics sets the rules to compute by. Default BitNet. Edifice implies
// float activations.
func WithNumerics(n spec.Numerics) Option {
	return option("WithNumerics", func(c *config) { c.spec.Numerics = n })
}

// WithActivations sets how inputs of quantized layers are represented. Default
// Int8Activations, and FloatActivations with Float weights or the Edifice numerics,
// which know no others.
func WithActivations(a spec.Activations) Option {
	return option("WithActivations", func(c *config) { c.spec.Activations = a })
}

// WithSTE sets the straight-through estimator. Default Identity.
func WithSTE(s spec.STE) Option {
	return option("WithSTE", func(c *config) { c.spec.STE = s })
}

// WithPooling sets what of the time steps is returned. Default LastTimestep.
func WithPooling(p spec.Pooling) Option {
	return option("WithPooling", func(c *config) { c.spec.Pooling = p })
}

// WithPositions sets how positions enter. Default NoPositions.
func WithPositions(p spec.Positions) Option {
	return option("WithPositions", func(c *config) { c.spec.Positions = p })
}

// WithSpec sets everything that a spec.Model holds, whatever options before it said.
func WithSpec(m spec.Model) Option {
	return option("WithSpec", func(c *config) {
		c.spec = m
		c.spec.LayerModes = slices.Clone(m.LayerModes) // others are appended
	})
}

// WithParamsFrom makes the new model's or layer's parameters share the values of
// another's, in the same or in another graph: a step on either is seen by both.
// The parameters must agree in number and shape; names may differ by a prefix.
func WithParamsFrom(source ParamSource) Option {
	return option("WithParamsFrom", func(c *config) { c.source = source })
}

// Options that mean something to each builder.
var (
	linearOptions = []string{"WithName", "WithSeed", "WithParamsFrom", "WithQuantize", "WithGranularity", "WithNumerics", "WithActivations", "WithSTE"}
	denseOptions  = []string{"WithName", "WithSeed", "WithParamsFrom"}
	fakeOptions   = []string{"WithName", "WithNumerics", "WithSTE", "WithGranularity"}
	blockOptions  = append(slices.Clone(linearOptions), "WithLayerMode", "WithHiddenSize", "WithNumHeads", "WithDropout", "WithPositions", "WithLengths")
	buildOptions  = append(slices.Clone(blockOptions), "WithEmbedDim", "WithNumLayers", "WithWindowSize", "WithBatchSize", "WithInput", "WithPooling", "WithSpec")
)

// faults returns an error for each option that means nothing to a builder.
func (c *config) faults(builder string, known []string) (errs []error) {
	if c.nilOpt {
		errs = append(errs, errors.New("an option is nil"))
	}
	for i, name := range c.given {
		if !slices.Contains(known, name) && !slices.Contains(c.given[:i], name) {
			errs = append(errs, fmt.Errorf("%s means nothing to %s", name, builder))
		}
	}
	if c.has("WithInput") && c.input == nil {
		errs = append(errs, errors.New("WithInput: the node is nil"))
	}
	if c.has("WithLengths") && c.lengths == nil {
		errs = append(errs, errors.New("WithLengths: the node is nil"))
	}
	if c.has("WithParamsFrom") && isNil(c.source) {
		errs = append(errs, errors.New("WithParamsFrom: the source is nil"))
	}
	return errs
}

func isNil(s ParamSource) bool {
	switch s := s.(type) {
	case nil:
		return true
	case *Model:
		return s == nil
	case *Layer:
		return s == nil
	}
	return false
}

// fail joins faults under the package's and the builder's name; nil for none.
func fail(builder string, errs []error) error {
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("qat: %s: %w", builder, err)
	}
	return nil
}
