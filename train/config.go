// Package train trains sequence classifiers on a dataset.Set: the loop, its
// recipe and its measures. It prints nothing; what happens is an iterator of
// events.
package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Config is everything that a training run depends on, besides the data. Its JSON
// form is saved with the result.
type Config struct {
	// Model is what to train. EmbedDim and WindowSize are the data's.
	Model spec.Model `json:"model"`
	Seed  uint64     `json:"seed"`

	Epochs      int     `json:"epochs"`
	BatchSize   int     `json:"batch_size"`
	LearnRate   float64 `json:"learn_rate"`   // the highest of the schedule
	Warmup      float64 `json:"warmup"`       // the part of all steps that the learning rate rises over
	WeightDecay float64 `json:"weight_decay"` // decoupled
	ClipNorm    float64 `json:"clip_norm"`    // of all gradients together; 0 is off
	Augment     Augment `json:"augment"`
	// Patience is how many epochs without a better validation end the training; 0
	// is never.
	Patience int `json:"patience"`
}

// Defaults returns the default recipe: of those that scripts/recipe.sh tries, the
// best on a validation part of the digits' training data (docs/recipe.md).
func Defaults() Config {
	return Config{
		Model: spec.Model{
			HiddenSize: 64,
			NumHeads:   4,
			NumLayers:  2,
			Quantize:   quant.Ternary,
			Dropout:    0.05,
			Positions:  spec.Rotary,
		},
		Epochs:      60,
		BatchSize:   32,
		LearnRate:   2e-3,
		Warmup:      0.1,
		WeightDecay: 0.01,
		ClipNorm:    1,
		Augment:     Augment{Jitter: 0.1, Scale: 0.1, Shift: 1},
	}
}

// model is c.Model with the activations that Float weights imply.
func (c Config) model() spec.Model {
	if c.Model.Quantize == quant.Float {
		c.Model.Activations = spec.FloatActivations
	}
	return c.Model
}

// maxCount bounds what is counted, so that no product of counts overflows.
const maxCount = 1 << 20

// Validate reports every fault of c at once, except what only the data can tell.
func (c Config) Validate() error {
	var errs []error
	count := func(what string, got, least int) {
		if got < least || got > maxCount {
			errs = append(errs, fmt.Errorf("train: %s %d is outside %d to %d", what, got, least, maxCount))
		}
	}
	within := func(what string, got, lo, hi float64) {
		if !(got >= lo && got <= hi) {
			errs = append(errs, fmt.Errorf("train: %s %v is outside [%v, %v]", what, got, lo, hi))
		}
	}
	count("epochs", c.Epochs, 1)
	count("batch size", c.BatchSize, 1)
	within("learning rate", c.LearnRate, math.SmallestNonzeroFloat64, 10)
	within("warm-up", c.Warmup, 0, 1)
	within("weight decay", c.WeightDecay, 0, 10)
	within("clip norm", c.ClipNorm, 0, math.MaxFloat32)
	within("jitter", c.Augment.Jitter, 0, 10)
	within("scaling", c.Augment.Scale, 0, 1)
	count("shift", c.Augment.Shift, 0)
	count("patience", c.Patience, 0)
	m := c.model()
	m.EmbedDim, m.WindowSize = max(m.EmbedDim, 1), max(m.WindowSize, 1) // 0 leaves them to the data
	errs = append(errs, m.Validate())
	if m.Pooling == spec.AllTimesteps {
		errs = append(errs, errors.New("train: pooling all gives every time step an output, but a sequence has one label: want last or mean"))
	}
	return errors.Join(errs...)
}
