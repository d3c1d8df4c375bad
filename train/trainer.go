package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/solver"
)

// Event is one step of a training run.
type Event struct {
	Step, Steps   int     // counted from 1, of how many
	Epoch, Epochs int     // counted from 1, of how many
	EpochEnd      bool    // this was the epoch's last step
	Batch         int     // sequences in the step
	Loss          float64 // of the step's batch, in training mode
	Accuracy      float64 // of the step's batch, a fraction
	LearnRate     float64
	// ExamplesPerSecond is the rate since the run began.
	ExamplesPerSecond float64
}

// Trainer is a classifier and the means to train it on one set of data.
type Trainer struct {
	Classifier
	cfg   Config
	data  *dataset.Set
	opt   *solver.AdamW
	learn map[shape]*program

	validation *dataset.Set // nil for none
	step       int
	history    []Epoch
	running    running
	best       best
	codes      Codes // at the end of the last epoch
}

// best is the weights of the epoch that did best on the validation part.
type best struct {
	epoch   int // 0 before the first
	metrics Metrics
	latents []checkpoint.Tensor
}

// Epoch is the mean of an epoch's steps, in training mode.
type Epoch struct {
	Epoch     int     `json:"epoch"`
	Step      int     `json:"step"` // its last
	Loss      float64 `json:"loss"`
	Accuracy  float64 `json:"accuracy"`
	LearnRate float64 `json:"learning_rate"` // of its last step
	// Validation is the measures on the validation part, where there is one.
	Validation *Metrics `json:"validation,omitempty"`
	// FlipRates is the share of codes that changed since the epoch before, of each
	// quantized weight in the order of LayerStats.
	FlipRates []float64 `json:"flip_rates,omitempty"`
}

// running is the sums of an epoch that is under way.
type running struct {
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
	Examples int     `json:"examples"`
}

// New builds a model with a head for the data's classes. A validation part, which
// may be nil, is evaluated after each epoch; the trained model is then that of the
// epoch that did best on it, and Config.Patience may end the training early.
//
// Errors: every fault of the configuration or of the data.
func New(cfg Config, data, validation *dataset.Set) (*Trainer, error) {
	if data == nil {
		return nil, errors.New("train: no data")
	}
	if err := errors.Join(cfg.Validate(), data.Validate()); err != nil {
		return nil, err
	}
	if cfg.Patience > 0 && validation == nil {
		return nil, fmt.Errorf("train: patience %d needs a validation part", cfg.Patience)
	}
	for _, d := range []struct {
		what string
		have *int
		want int
	}{{"embed size", &cfg.Model.EmbedDim, data.Channels}, {"window", &cfg.Model.WindowSize, data.Steps}} {
		if *d.have != 0 && *d.have != d.want {
			return nil, fmt.Errorf("train: %s %d, but the data has %d", d.what, *d.have, d.want)
		}
		*d.have = d.want
	}
	cfg.Model = cfg.model()
	cfg.BatchSize = min(cfg.BatchSize, data.Len())
	t := &Trainer{
		Classifier: Classifier{model: cfg.Model, classes: data.Classes, seed: cfg.Seed, evaluate: map[shape]*program{}},
		cfg:        cfg, data: data, validation: validation, learn: map[shape]*program{},
	}
	if validation != nil {
		if err := t.fits(validation); err != nil {
			return nil, err
		}
	}
	var err error
	if t.main, err = newProgram(cfg.Model, len(data.Classes), t.shape(cfg.BatchSize), cfg.Seed, true, nil); err != nil {
		return nil, err
	}
	t.learn[t.shape(cfg.BatchSize)] = t.main
	if t.codes, err = t.Codes(); err != nil {
		return nil, err
	}
	// The cosine is 0 one step after the last, so that the last one still learns.
	t.opt, err = solver.NewAdamW(
		solver.WithSchedule(solver.Cosine(cfg.LearnRate, int(cfg.Warmup*float64(t.steps())), t.steps()+1)),
		solver.WithWeightDecay(cfg.WeightDecay), solver.WithClipNorm(cfg.ClipNorm))
	return t, err
}

// shape is that of a training batch of n sequences.
func (t *Trainer) shape(n int) shape { return shape{n, t.data.Lengths != nil} }

// perEpoch is the number of steps of an epoch.
func (t *Trainer) perEpoch() int { return (t.data.Len() + t.cfg.BatchSize - 1) / t.cfg.BatchSize }

// steps is the number of steps of the whole run.
func (t *Trainer) steps() int { return t.cfg.Epochs * t.perEpoch() }

// Config returns the configuration with what the data decided filled in.
func (t *Trainer) Config() Config { return t.cfg }

// Step returns the number of steps that were made.
func (t *Trainer) Step() int { return t.step }

// Steps trains and yields an event a step, from where the trainer is to the end.
// Leaving the loop stops the training, and so does ctx, whose error is then the
// last to be yielded; another loop goes on with the next step.
func (t *Trainer) Steps(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		start, seen := time.Now(), 0
		var order []int
		for orderOf := 0; !t.finished(); {
			epoch, at := 1+t.step/t.perEpoch(), t.step%t.perEpoch()*t.cfg.BatchSize
			if epoch != orderOf {
				order, orderOf = dataset.Shuffle(t.data.Len(), t.cfg.Seed, epoch), epoch
			}
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			batch := order[at:min(at+t.cfg.BatchSize, len(order))]
			e, err := t.stepOn(batch)
			seen += len(batch)
			e.Epoch, e.Epochs, e.EpochEnd, e.Batch = epoch, t.cfg.Epochs, at+len(batch) == len(order), len(batch)
			if err == nil {
				err = t.record(e)
			}
			e.ExamplesPerSecond = float64(seen) / time.Since(start).Seconds()
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// History returns the epochs that have ended, a resumed run's earlier ones included.
func (t *Trainer) History() []Epoch { return slices.Clone(t.history) }

// record adds a step to its epoch, and ends the epoch.
func (t *Trainer) record(e Event) error {
	t.running.Loss += e.Loss * float64(e.Batch)
	t.running.Accuracy += e.Accuracy * float64(e.Batch)
	t.running.Examples += e.Batch
	if !e.EpochEnd {
		return nil
	}
	n := float64(t.running.Examples)
	epoch := Epoch{Epoch: e.Epoch, Step: e.Step, Loss: t.running.Loss / n, Accuracy: t.running.Accuracy / n, LearnRate: e.LearnRate}
	t.running = running{}
	codes, err := t.Codes()
	if err != nil {
		return err
	}
	if epoch.FlipRates, err = FlipRates(t.codes, codes); err != nil {
		return err
	}
	t.codes = codes
	if t.validation != nil {
		m, err := t.Evaluate(t.validation)
		if err != nil {
			return err
		}
		epoch.Validation = &m
		if t.best.epoch == 0 || m.better(t.best.metrics) {
			latents, err := t.tensors()
			if err != nil {
				return err
			}
			t.best = best{e.Epoch, m, latents}
		}
	}
	t.history = append(t.history, epoch)
	if t.finished() && t.best.epoch > 0 {
		return t.setParams(t.best.latents)
	}
	return nil
}

// finished says whether the last epoch is over, or patience is.
func (t *Trainer) finished() bool {
	n := len(t.history)
	return t.step >= t.steps() || t.cfg.Patience > 0 && t.best.epoch > 0 && n-t.best.epoch >= t.cfg.Patience
}

// BestEpoch returns the epoch whose weights did best on the validation part, which
// are the trained model's; 0 without one.
func (t *Trainer) BestEpoch() int { return t.best.epoch }

// diverged turns an error about a value that is not finite, which Gorgonia wraps in
// words about its machine, into one that says what to do.
func diverged(err error) error {
	text := err.Error()
	if !strings.Contains(text, quant.ErrNotFinite.Error()) && !errors.Is(err, solver.ErrNotFinite) {
		return err
	}
	if at := strings.LastIndex(text, "qat: "); at >= 0 {
		text = text[at+len("qat: "):]
	}
	return fmt.Errorf("the training diverged (%s): try a lower learning rate", text)
}

// stepOn makes one step on the sequences at indices.
func (t *Trainer) stepOn(indices []int) (Event, error) {
	p, err := t.program(t.learn, t.shape(len(indices)), true)
	if err != nil {
		return Event{}, err
	}
	p.load(t.data, indices)
	rng := rand.New(rand.NewPCG(t.cfg.Seed, uint64(t.step)))
	x, n := p.x.Float32s(), t.data.Steps*t.data.Channels
	for i, at := range indices {
		steps := lengthOf(t.data, at) // padding stays as it is
		t.cfg.Augment.apply(x[(i+1)*n-steps*t.data.Channels:(i+1)*n], steps, t.data.Channels, rng)
	}
	p.model.SetStep(uint64(t.step)) // programs of other batch sizes have steps of their own
	err = p.run()
	if err == nil {
		err = t.opt.Step(p.grads)
	}
	if err != nil {
		return Event{}, fmt.Errorf("train: step %d: %w", t.step+1, diverged(err))
	}
	t.step++
	labels := make([]int, len(indices))
	for i, at := range indices {
		labels[i] = t.data.Labels[at]
	}
	m := Measure(p.logit(), labels, len(t.data.Classes))
	return Event{Step: t.step, Steps: t.steps(), Loss: p.lossValue(), Accuracy: m.Accuracy, LearnRate: t.opt.LearnRate()}, nil
}
