// Package train trains a sequence model on a dataset.Data: the loop, its recipe, its
// measures, and plain methods to hold it against. It prints nothing; what happens is
// an iterator of events.
//
// Fit is the short way; a Trainer can be checkpointed and resumed.
package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/qat-go/qat/solver"
	"github.com/qat-go/qat/spec"
)

// Config is everything that a training run depends on, besides the data. Its JSON
// form is saved with the result.
type Config struct {
	// Model is what to train. EmbedDim and WindowSize are the data's.
	Model spec.Model `json:"model"`
	Seed  uint64     `json:"seed"`
	// Init is the file of latents that the parameters began as; empty for fresh ones.
	// Whoever makes the trainer reads it: see Trainer.StartFrom.
	Init string `json:"init,omitempty"`

	Epochs    int     `json:"epochs"`
	BatchSize int     `json:"batch_size"`
	LearnRate float64 `json:"learn_rate"` // the highest of the schedule
	Schedule  string  `json:"schedule"`   // of the learning rate after its warm-up: cosine, linear or constant
	Warmup    float64 `json:"warmup"`     // the part of all steps that the learning rate rises over
	// QuantizeWarmup is the part of all steps over which quantization is blended in: see
	// qat.Layer's SetQuantization.
	QuantizeWarmup float64 `json:"quantize_warmup,omitempty"`
	WeightDecay    float64 `json:"weight_decay"` // decoupled
	ClipNorm       float64 `json:"clip_norm"`    // of all gradients together; 0 is off
	Augment        Augment `json:"augment"`
	// ClassWeights is empty for none, or BalancedClasses.
	ClassWeights string `json:"class_weights,omitempty"`
	// Patience is how many epochs without a better validation end the training; 0
	// is never.
	Patience int `json:"patience"`
}

// BalancedClasses weighs the loss of a sequence so that each class counts the same.
const BalancedClasses = "balanced"

// The schedules of the learning rate.
const (
	CosineSchedule   = "cosine"
	LinearSchedule   = "linear"
	ConstantSchedule = "constant"
)

// Schedules lists them.
func Schedules() []string { return []string{CosineSchedule, LinearSchedule, ConstantSchedule} }

// schedule is c's for so many steps. It is 0 one step after the last, so that the
// last one still learns.
func (c Config) schedule(steps int) solver.Schedule {
	warmup := int(c.Warmup * float64(steps))
	switch c.Schedule {
	case LinearSchedule:
		return solver.Linear(c.LearnRate, warmup, steps+1)
	case ConstantSchedule:
		return solver.Constant(c.LearnRate, warmup)
	}
	return solver.Cosine(c.LearnRate, warmup, steps+1)
}

// model is c.Model with the activations that Float weights in every layer imply.
func (c Config) model() spec.Model {
	if c.Model.IsFloat() {
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
	within("quantization warm-up", c.QuantizeWarmup, 0, 1)
	within("weight decay", c.WeightDecay, 0, 10)
	within("clip norm", c.ClipNorm, 0, math.MaxFloat32)
	within("jitter", c.Augment.Jitter, 0, 10)
	within("scaling", c.Augment.Scale, 0, 1)
	within("shift", c.Augment.Shift, 0, 1)
	count("patience", c.Patience, 0)
	if !slices.Contains(Schedules(), c.Schedule) {
		errs = append(errs, fmt.Errorf("train: schedule %q, want one of %s", c.Schedule, strings.Join(Schedules(), ", ")))
	}
	if c.ClassWeights != "" && c.ClassWeights != BalancedClasses {
		errs = append(errs, fmt.Errorf("train: class weights %q, want %s or nothing", c.ClassWeights, BalancedClasses))
	}
	return errors.Join(append(errs, checkModel(c.model()))...)
}

// checkModel reports every fault of a model that is to be trained. Dimensions of 0
// are left to the data.
func checkModel(m spec.Model) error {
	m.EmbedDim, m.WindowSize = max(m.EmbedDim, 1), max(m.WindowSize, 1)
	err := m.Validate()
	if m.Pooling == spec.AllTimesteps {
		err = errors.Join(err, errors.New("train: pooling all gives every time step an output, but a sequence has one label: want last or mean"))
	}
	return err
}
