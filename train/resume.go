package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/solver"
)

// progress is what a checkpoint holds beside tensors. The order of the data, the
// augmentation and dropout's masks follow from the seed and the step, so there is
// no random state to save.
type progress struct {
	Saved
	Step    int     `json:"step"`
	Parts   []part  `json:"parts"`
	History []Epoch `json:"history"`
	Running tally   `json:"running"` // the epoch that is under way
	// BestEpoch and BestMetrics belong to the tensors that begin with best.
	BestEpoch   int     `json:"best_epoch,omitempty"`
	BestMetrics Metrics `json:"best_metrics"`
}

// part is what a part of the data was.
type part struct {
	Name      string `json:"name"`
	Sequences int    `json:"sequences"`
	Sum       string `json:"sha256"` // of all that a trainer reads of it
}

// ErrData is the refusal to go on with other data than a run was begun with, or with
// none. No checkpoint of the run can be used then.
var ErrData = errors.New("the data is not what the run was begun with")

// The metadata and tensor names of a checkpoint, beside the latents.
const (
	checkpointFormat = "qat.checkpoint"
	progressKey      = "progress"
	firstMoment      = "adamw.m."
	secondMoment     = "adamw.v."
	bestPrefix       = "best."
)

// Checkpoint returns everything that the rest of the run depends on: a trainer
// that Resume makes of it ends with the bytes of an uninterrupted run.
func (t *Trainer) Checkpoint(source dataset.Source) (checkpoint.File, error) {
	if err := t.fingerprint(); err != nil {
		return checkpoint.File{}, err
	}
	p := progress{
		Saved: Saved{Config: t.cfg, Data: source, Task: t.task},
		Step:  t.step, Parts: t.parts, History: t.history, Running: t.running,
		BestEpoch: t.best.epoch, BestMetrics: t.best.metrics,
	}
	text, err := json.Marshal(p)
	if err != nil {
		return checkpoint.File{}, fmt.Errorf("train: %w", err)
	}
	f := checkpoint.File{Metadata: map[string]string{formatKey: checkpointFormat, versionKey: version, progressKey: string(text)}}
	if f.Tensors, err = t.tensors(); err != nil {
		return checkpoint.File{}, err
	}
	for _, m := range t.opt.State().Moments {
		f.Tensors = append(f.Tensors,
			checkpoint.Tensor{Name: firstMoment + m.Name, Shape: m.Shape, Values: m.M},
			checkpoint.Tensor{Name: secondMoment + m.Name, Shape: m.Shape, Values: m.V})
	}
	for _, x := range t.best.latents {
		x.Name = bestPrefix + x.Name
		f.Tensors = append(f.Tensors, x)
	}
	f.Tensors = append(f.Tensors, t.codes.Tensors()...)
	return f, nil
}

// Resume makes a trainer that goes on where the one that made the checkpoint
// stopped. It loads the data anew.
//
// Errors: ErrData; whatever is wrong with the checkpoint.
func Resume(f checkpoint.File) (*Trainer, dataset.Source, error) {
	return resume(f, dataset.Source.Load)
}

func resume(f checkpoint.File, load func(dataset.Source) (dataset.Parts, error)) (*Trainer, dataset.Source, error) {
	p, err := readProgress(f)
	if err != nil {
		return nil, dataset.Source{}, fmt.Errorf("train: resume: %w", err)
	}
	parts, err := load(p.Data)
	if err != nil {
		return nil, p.Data, fmt.Errorf("train: resume: %w: %w", ErrData, err)
	}
	now, err := partsOf(parts.Train, parts.Validation)
	if err == nil {
		err = sameParts(p.Parts, now)
	}
	if err != nil {
		return nil, p.Data, fmt.Errorf("train: resume: %w: %s: %w", ErrData, p.Data.Title(), err)
	}
	t, err := New(p.Config, parts.Train, parts.Validation)
	if err != nil {
		return nil, p.Data, err
	}
	t.parts = now
	if p.Step < 0 || p.Step > t.steps() || len(p.History) != p.Step/t.perEpoch() {
		return nil, p.Data, fmt.Errorf("train: resume: step %d of %d, with %d epochs of %d steps", p.Step, t.steps(), len(p.History), t.perEpoch())
	}
	if err := t.restore(f.Tensors, p); err != nil {
		return nil, p.Data, fmt.Errorf("train: resume: %w", err)
	}
	return t, p.Data, nil
}

func readProgress(f checkpoint.File) (p progress, err error) {
	if got := f.Metadata[formatKey]; got != checkpointFormat {
		return p, fmt.Errorf("format is %q, want %q: not a checkpoint of a run", got, checkpointFormat)
	}
	if got := f.Metadata[versionKey]; got != version {
		return p, fmt.Errorf("version is %q, want %q", got, version)
	}
	if err := json.Unmarshal([]byte(f.Metadata[progressKey]), &p); err != nil {
		return p, fmt.Errorf("metadata %q: %w", progressKey, err)
	}
	return p, errors.Join(p.Config.Validate(), p.Data.Validate())
}

// restore sets everything that a checkpoint holds.
func (t *Trainer) restore(tensors []checkpoint.Tensor, p progress) error {
	var latents, bestLatents []checkpoint.Tensor
	codes, tensors := splitCodes(tensors)
	if err := t.codes.SetTensors(codes); err != nil {
		return err
	}
	moments := map[string]*solver.Moment{}
	moment := func(name string, shape []int) *solver.Moment {
		if moments[name] == nil {
			moments[name] = &solver.Moment{Name: name, Shape: shape}
		}
		return moments[name]
	}
	for _, x := range tensors {
		if name, ok := strings.CutPrefix(x.Name, firstMoment); ok {
			moment(name, x.Shape).M = x.Values
		} else if name, ok := strings.CutPrefix(x.Name, secondMoment); ok {
			moment(name, x.Shape).V = x.Values
		} else if name, ok := strings.CutPrefix(x.Name, bestPrefix); ok {
			x.Name = name
			bestLatents = append(bestLatents, x)
		} else {
			latents = append(latents, x)
		}
	}
	if (p.BestEpoch > 0) != (len(bestLatents) > 0) || p.BestEpoch < 0 || p.BestEpoch > len(p.History) {
		return fmt.Errorf("best epoch %d of %d with %d tensors", p.BestEpoch, len(p.History), len(bestLatents))
	}
	if p.BestEpoch > 0 {
		if err := t.checkTensors(bestLatents); err != nil {
			return fmt.Errorf("%s%w", bestPrefix, err)
		}
	}
	if err := t.checkTensors(latents); err != nil {
		return err
	}
	state := solver.State{Step: p.Step}
	for _, l := range latents {
		m, ok := moments[l.Name]
		if p.Step > 0 && !ok {
			return fmt.Errorf("tensors %s%s and %s%s are missing", firstMoment, l.Name, secondMoment, l.Name)
		}
		if ok {
			state.Moments = append(state.Moments, *m)
			delete(moments, l.Name)
		}
	}
	for name := range moments {
		return fmt.Errorf("tensor %s%s: the model has no %s", firstMoment, name, name)
	}
	if err := t.opt.Restore(state); err != nil {
		return err
	}
	t.step, t.history, t.running = p.Step, p.History, p.Running
	t.best = best{p.BestEpoch, p.BestMetrics, bestLatents}
	return t.setParams(latents)
}

// fingerprint finds what the parts of the data are, once.
func (t *Trainer) fingerprint() (err error) {
	if t.parts == nil {
		t.parts, err = partsOf(t.data, t.validation)
	}
	return err
}

// partsOf reads all of the data.
func partsOf(training, validation dataset.Data) (all []part, err error) {
	for i, d := range []dataset.Data{training, validation} {
		if d == nil {
			continue
		}
		p := part{Name: []string{"training", "validation"}[i], Sequences: d.Len()}
		if p.Sum, err = d.Sum(); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// sameParts says what is not as it was.
func sameParts(was, is []part) error {
	if len(was) != len(is) {
		return fmt.Errorf("it makes %d parts, and made %d", len(is), len(was))
	}
	for i, p := range is {
		switch w := was[i]; {
		case p.Sequences != w.Sequences:
			return fmt.Errorf("the %s part has %d sequences, and had %d", p.Name, p.Sequences, w.Sequences)
		case p.Sum != w.Sum:
			return fmt.Errorf("the %s part has as many sequences as it had, %d, of other values, lengths or classes", p.Name, p.Sequences)
		}
	}
	return nil
}
