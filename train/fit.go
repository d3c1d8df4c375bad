package train

import (
	"context"
	"errors"
	"iter"

	"github.com/qat-go/qat/dataset"
)

// Option sets one thing of a training. What is not set is Recipe's for the data.
type Option func(*fitting)

// fitting is what options set.
type fitting struct {
	Config
	validation dataset.Data
}

// WithConfig sets everything at once, as a saved run has it, except the model and
// the seed, which are the model's own.
func WithConfig(c Config) Option { return func(f *fitting) { f.Config = c } }

// WithValidation evaluates data after each epoch, and keeps the weights of the best.
func WithValidation(data dataset.Data) Option { return func(f *fitting) { f.validation = data } }

// WithPatience ends the training after so many epochs without a better validation;
// 0 is never.
func WithPatience(epochs int) Option { return func(f *fitting) { f.Patience = epochs } }

// WithEpochs sets the passes over the data.
func WithEpochs(n int) Option { return func(f *fitting) { f.Epochs = n } }

// WithBatchSize sets the sequences of a step.
func WithBatchSize(n int) Option { return func(f *fitting) { f.BatchSize = n } }

// WithLearnRate sets the highest learning rate of the schedule.
func WithLearnRate(rate float64) Option { return func(f *fitting) { f.LearnRate = rate } }

// WithSchedule sets how the learning rate goes on after it has risen over a part of
// all steps: CosineSchedule, LinearSchedule or ConstantSchedule.
func WithSchedule(name string, warmup float64) Option {
	return func(f *fitting) { f.Schedule, f.Warmup = name, warmup }
}

// WithQuantizeWarmup blends quantization in over a part of all steps, from float.
func WithQuantizeWarmup(part float64) Option {
	return func(f *fitting) { f.QuantizeWarmup = part }
}

// WithWeightDecay sets the decoupled weight decay.
func WithWeightDecay(decay float64) Option { return func(f *fitting) { f.WeightDecay = decay } }

// WithClipNorm bounds the norm of all gradients together; 0 is off.
func WithClipNorm(norm float64) Option { return func(f *fitting) { f.ClipNorm = norm } }

// WithAugment sets how training sequences are changed at random.
func WithAugment(a Augment) Option { return func(f *fitting) { f.Augment = a } }

// WithClassWeights weighs the loss by class: BalancedClasses, or "" for none.
func WithClassWeights(how string) Option { return func(f *fitting) { f.ClassWeights = how } }

// NewTrainer returns a trainer of m, from the parameters that it has.
//
// Errors: every fault of the options or of the data; data of other dimensions,
// classes or targets than the model's.
func NewTrainer(m *Model, data dataset.Data, opts ...Option) (*Trainer, error) {
	if m == nil || data == nil {
		return nil, errors.New("train: a trainer needs a model and data")
	}
	f := &fitting{Config: Recipe(data.Facts())}
	for _, o := range opts {
		o(f)
	}
	f.Model, f.Seed = m.spec, m.seed
	if err := judge(f.Config, data, f.validation); err != nil {
		return nil, err
	}
	return newTrainer(m, f.Config, data, f.validation)
}

// Fit trains m on data and yields an event a step. Cancelling ctx stops it before
// the next step, with ctx's error as the last that is yielded; leaving the loop stops
// it too. The parameters of m are then those of the last step, or once it has come to
// its end those of the best epoch where there is a validation part.
//
//	m, err := train.NewModel(spec, data, seed)
//	for e, err := range train.Fit(ctx, m, data, train.WithEpochs(30)) { ... }
//	metrics, err := m.Evaluate(test)
//
// Errors: NewTrainer's, as the only event; a training that diverges; what reading
// the data gives.
func Fit(ctx context.Context, m *Model, data dataset.Data, opts ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t, err := NewTrainer(m, data, opts...)
		if err != nil {
			yield(Event{}, err)
			return
		}
		for e, err := range t.Steps(ctx) {
			if !yield(e, err) {
				return
			}
		}
	}
}
