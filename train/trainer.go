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
	"github.com/qat-go/qat/preprocess"
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
	Metrics       Metrics // of the step's batch, in training mode
	LearnRate     float64
	// ExamplesPerSecond is the rate since the loop began.
	ExamplesPerSecond float64
}

// Trainer trains a model on data, step by step.
type Trainer struct {
	*Model
	cfg   Config
	data  dataset.Data
	facts dataset.Facts
	opt   *solver.AdamW
	learn map[shape]*program

	validation   dataset.Data // nil for none
	classWeights []float32    // nil: 1 each
	step         int
	history      []Epoch
	running      tally // of the epoch that is under way
	best         best
	codes        Codes     // at the end of the last epoch
	parts        []part    // of the data; found when they are first asked for
	recorded     []float32 // a series that is augmented
}

// best is the weights of the epoch that did best on the validation part.
type best struct {
	epoch   int // 0 before the first
	metrics Metrics
	latents []checkpoint.Tensor
}

// Epoch is what came of an epoch.
type Epoch struct {
	Epoch     int     `json:"epoch"`
	Step      int     `json:"step"`          // its last
	LearnRate float64 `json:"learning_rate"` // of its last step
	// Training is the mean of the epoch's steps, in training mode.
	Training Metrics `json:"training"`
	// Validation is the measures on the validation part, where there is one.
	Validation *Metrics `json:"validation,omitempty"`
	// FlipRates is the share of codes that changed since the epoch before, of each
	// quantized weight in the order of LayerStats.
	FlipRates []float64 `json:"flip_rates,omitempty"`
}

// New builds a model by cfg.Model for the data, and a Trainer of it. A validation
// part, which may be nil, is evaluated after each epoch; the trained model is then
// that of the epoch that did best on it, and Config.Patience may end the training
// early.
//
// Errors: every fault of the configuration or of the data.
func New(cfg Config, data, validation dataset.Data) (*Trainer, error) {
	if err := judge(cfg, data, validation); err != nil {
		return nil, err
	}
	m, err := NewModel(cfg.Model, data, cfg.Seed)
	if err != nil {
		return nil, err
	}
	return newTrainer(m, cfg, data, validation)
}

// judge reports every fault at once, except what only a model can tell.
func judge(cfg Config, data, validation dataset.Data) error {
	if data == nil {
		return errors.New("train: no data")
	}
	errs := []error{cfg.Validate()}
	for _, d := range []dataset.Data{data, validation} {
		if s, ok := d.(*dataset.Set); ok {
			errs = append(errs, s.Validate())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if cfg.Patience > 0 && validation == nil {
		return fmt.Errorf("train: patience %d needs a validation part", cfg.Patience)
	}
	return nil
}

// newTrainer is New with a model that is there already.
func newTrainer(m *Model, cfg Config, data, validation dataset.Data) (*Trainer, error) {
	f := data.Facts()
	cfg.Model = m.spec
	cfg.BatchSize = min(cfg.BatchSize, f.N)
	t := &Trainer{Model: m, cfg: cfg, data: data, facts: f, validation: validation, learn: map[shape]*program{}}
	for _, d := range []dataset.Data{data, validation} {
		if d == nil {
			continue
		}
		if err := m.fits(d); err != nil {
			return nil, err
		}
	}
	var err error
	if cfg.ClassWeights == BalancedClasses {
		if t.classWeights, err = balance(data); err != nil {
			return nil, err
		}
	}
	if t.codes, err = t.Codes(); err != nil {
		return nil, err
	}
	t.opt, err = solver.NewAdamW(
		solver.WithSchedule(cfg.schedule(t.steps())),
		solver.WithWeightDecay(cfg.WeightDecay), solver.WithClipNorm(cfg.ClipNorm))
	return t, err
}

// balance weighs classes by N / (C * their number), so that each counts the same;
// one that does not occur weighs nothing.
// Source: scikit-learn's class_weight="balanced".
func balance(data dataset.Data) ([]float32, error) {
	f := data.Facts()
	if f.Outputs > 0 {
		return nil, errors.New("train: balanced class weights need classes, and the data has targets")
	}
	counts := make([]int, len(f.Classes))
	for e, err := range data.Epoch(0, 0) {
		if err != nil {
			return nil, err
		}
		counts[e.Label]++
	}
	weights := make([]float32, len(counts))
	for i, n := range counts {
		if n > 0 {
			weights[i] = float32(float64(f.N) / float64(len(counts)*n))
		}
	}
	return weights, nil
}

// perEpoch is the number of steps of an epoch.
func (t *Trainer) perEpoch() int { return (t.facts.N + t.cfg.BatchSize - 1) / t.cfg.BatchSize }

// steps is the number of steps of the whole run.
func (t *Trainer) steps() int { return t.cfg.Epochs * t.perEpoch() }

// StartFrom begins with the latents of a trained model, for instance one with float
// weights, in place of fresh ones.
//
// Errors: a training that has begun; other parameters or classes than the model's.
func (t *Trainer) StartFrom(m *Model) error {
	if !slices.Equal(t.task.Classes, m.task.Classes) {
		return fmt.Errorf("train: start from a model: its classes are %q, the data's %q", m.task.Classes, t.task.Classes)
	}
	params, err := m.tensors()
	if err != nil {
		return err
	}
	return t.StartFromParams(params)
}

// StartFromParams begins with latents that lie elsewhere. Those of the head may be left
// out, and are then fresh.
//
// Errors: a training that has begun; other parameters than the model's.
func (t *Trainer) StartFromParams(params []checkpoint.Tensor) error {
	if t.step > 0 {
		return fmt.Errorf("train: start from a model: %d steps were made already", t.step)
	}
	params = slices.Clone(params)
	if !slices.ContainsFunc(params, func(p checkpoint.Tensor) bool { return strings.HasPrefix(p.Name, headName+".") }) {
		own, err := t.tensors()
		if err != nil {
			return err
		}
		params = append(params, own[len(own)-2:]...)
	}
	err := t.checkTensors(params)
	if err != nil {
		return fmt.Errorf("train: start from a model: %w", err)
	}
	if err = t.setParams(params); err == nil {
		t.codes, err = t.Codes()
	}
	return err
}

// Config returns the configuration with what the data decided filled in.
func (t *Trainer) Config() Config { return t.cfg }

// Step returns the number of steps that were made.
func (t *Trainer) Step() int { return t.step }

// Steps trains and yields an event a step, from where the trainer is to the end.
// Leaving the loop stops the training, and so does ctx, whose error is then the
// last to be yielded; another loop goes on with the next step.
func (t *Trainer) Steps(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := rate{start: time.Now()}
		for !t.finished() {
			if !t.epoch(ctx, &r, yield) {
				return
			}
		}
	}
}

// rate counts what a loop got through.
type rate struct {
	start time.Time
	seen  int
}

// epoch makes the steps that are left of an epoch; false if the loop is over.
func (t *Trainer) epoch(ctx context.Context, r *rate, yield func(Event, error) bool) bool {
	number, skip := 1+t.step/t.perEpoch(), t.step%t.perEpoch()*t.cfg.BatchSize
	left := t.facts.N - skip
	var b *batch
	for e, err := range t.data.Epoch(t.cfg.Seed, number) {
		if skip > 0 && err == nil {
			skip--
			continue
		}
		if b == nil && err == nil {
			if err = ctx.Err(); err == nil {
				b, err = t.newBatch(min(t.cfg.BatchSize, left))
			}
		}
		if err != nil {
			yield(Event{}, err)
			return false
		}
		if err := b.add(e); err != nil {
			yield(Event{}, err)
			return false
		}
		if b.full() {
			left -= len(b.examples)
			event, err := t.update(b)
			r.seen += len(b.examples)
			event.Epoch, event.Epochs, event.EpochEnd = number, t.cfg.Epochs, left == 0
			event.ExamplesPerSecond = float64(r.seen) / time.Since(r.start).Seconds()
			if err == nil && event.EpochEnd {
				err = t.endEpoch(event)
			}
			if b = nil; !yield(event, err) || err != nil {
				return false
			}
		}
	}
	if left != 0 {
		yield(Event{}, fmt.Errorf("train: epoch %d of %s ended with %d of its %d sequences", number, t.facts.Name, t.facts.N-left, t.facts.N))
		return false
	}
	return true
}

// batch is sequences on their way into a program.
type batch struct {
	t        *Trainer
	p        *program
	rng      *rand.Rand
	examples []dataset.Example // without values
}

func (t *Trainer) newBatch(n int) (*batch, error) {
	p, err := t.program(t.learn, shape{n, t.facts.Uneven}, true)
	return &batch{t: t, p: p, rng: rand.New(rand.NewPCG(t.cfg.Seed, uint64(t.step)))}, err
}

func (b *batch) full() bool { return len(b.examples) == b.p.batch }

// add copies a sequence in, and changes the copy by the augmentation.
func (b *batch) add(e dataset.Example) error {
	weight := float32(1)
	if b.t.classWeights != nil {
		weight = b.t.classWeights[e.Label]
	}
	err := b.augment(b.p.set(len(b.examples), e, weight), e)
	e.Values, e.Recorded = nil, nil
	e.Targets = slices.Clone(e.Targets)
	b.examples = append(b.examples, e)
	return err
}

// augment writes what becomes of e to its place x in the batch.
func (b *batch) augment(x []float32, e dataset.Example) error {
	a, p := b.t.cfg.Augment, b.t.facts.Pipeline
	if a == (Augment{}) {
		return nil
	}
	if p == nil || e.Recorded == nil {
		channels := b.t.facts.Channels
		// Padding stays as it is.
		a.apply(x[len(x)-e.Length*channels:], e.Length, preprocess.Identity(channels), b.rng)
		return nil
	}
	b.t.recorded = append(b.t.recorded[:0], e.Recorded...)
	steps := len(e.Recorded) / len(p.Channels)
	a.apply(b.t.recorded, steps, p.Scale, b.rng)
	if _, err := p.ApplyPadded(x, b.t.recorded, steps); err != nil {
		return fmt.Errorf("train: augmentation: %w", err)
	}
	return nil
}

// quantization is how far the step to come is quantized.
func (t *Trainer) quantization() float64 {
	steps := t.cfg.QuantizeWarmup * float64(t.steps())
	if steps == 0 {
		return 1
	}
	return float64(t.step) / steps
}

// update makes a step on a batch.
func (t *Trainer) update(b *batch) (Event, error) {
	p := b.p
	p.model.SetQuantization(t.quantization())
	p.model.SetStep(uint64(t.step)) // programs of other batch sizes have steps of their own
	err := p.run()
	if err == nil {
		err = t.opt.Step(p.grads)
	}
	if err != nil {
		return Event{}, fmt.Errorf("train: step %d: %w", t.step+1, diverged(err))
	}
	t.step++
	var own tally
	width := t.task.width()
	for i, e := range b.examples {
		row := p.outputs()[i*width : (i+1)*width]
		own.add(t.task, row, e)
		t.running.add(t.task, row, e)
	}
	own.Loss = p.lossValue() * float64(own.N)
	t.running.Loss += own.Loss
	return Event{
		Step: t.step, Steps: t.steps(), Batch: own.N,
		Loss: p.lossValue(), Metrics: own.metrics(t.task), LearnRate: t.opt.LearnRate(),
	}, nil
}

// History returns the epochs that have ended, a resumed run's earlier ones included.
func (t *Trainer) History() []Epoch { return slices.Clone(t.history) }

// endEpoch records an epoch, validates, and at the end takes the best weights.
func (t *Trainer) endEpoch(e Event) error {
	epoch := Epoch{Epoch: e.Epoch, Step: e.Step, LearnRate: e.LearnRate, Training: t.running.metrics(t.task)}
	t.running = tally{}
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
