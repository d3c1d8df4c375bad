package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/spec"
)

// Classifier is a model with a head, and what it takes to run them.
type Classifier struct {
	model    spec.Model
	classes  []string
	seed     uint64
	main     *program // holds the parameters
	evaluate map[shape]*program
}

// Saved is what a run saves beside its latents.
type Saved struct {
	Config  Config         `json:"config"`
	Data    dataset.Source `json:"data"`
	Classes []string       `json:"classes"`
	// Preprocess made the model's inputs of a file's series; nil for embedded data.
	Preprocess *dataset.Preprocess `json:"preprocess,omitempty"`
}

// The metadata of a file of latents.
const (
	formatKey, format   = "format", "qat.latents"
	versionKey, version = "version", "1"
	runKey              = "run"
)

// Save writes the latents of model and head, with what Load needs to rebuild
// them, to a safetensors file, atomically.
func (c *Classifier) Save(path string, saved Saved) error {
	saved.Classes = c.classes
	run, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	f := checkpoint.File{Metadata: map[string]string{formatKey: format, versionKey: version, runKey: string(run)}}
	if f.Tensors, err = c.tensors(); err != nil {
		return err
	}
	return checkpoint.Write(path, f)
}

// tensors returns the latents of model and head.
func (c *Classifier) tensors() (all []checkpoint.Tensor, err error) {
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			v, err := l.ParamValue(p.Name)
			if err != nil {
				return nil, err
			}
			all = append(all, checkpoint.Tensor{Name: p.Name, Shape: p.Node.Shape().Clone(), Values: v})
		}
	}
	return all, nil
}

// Load rebuilds a classifier from a file that Save wrote.
//
// Errors: a file that is none, or that lacks a tensor, has one too many, or one of
// another shape than its model's.
func Load(path string) (*Classifier, Saved, error) {
	f, err := checkpoint.Read(path)
	if err != nil {
		return nil, Saved{}, err
	}
	c, saved, err := fromFile(f)
	if err != nil {
		return nil, Saved{}, fmt.Errorf("train: %s: %w", path, err)
	}
	return c, saved, nil
}

func fromFile(f checkpoint.File) (*Classifier, Saved, error) {
	var saved Saved
	if got := f.Metadata[formatKey]; got != format {
		return nil, saved, fmt.Errorf("format is %q, want %q: not the latents of a run", got, format)
	}
	if got := f.Metadata[versionKey]; got != version {
		return nil, saved, fmt.Errorf("version is %q, want %q", got, version)
	}
	if err := json.Unmarshal([]byte(f.Metadata[runKey]), &saved); err != nil {
		return nil, saved, fmt.Errorf("metadata %q: %w", runKey, err)
	}
	c := &Classifier{model: saved.Config.Model, classes: saved.Classes, seed: saved.Config.Seed, evaluate: map[shape]*program{}}
	if err := errors.Join(c.model.Validate(), saved.Data.Validate()); err != nil {
		return nil, saved, err
	}
	if len(c.classes) == 0 {
		return nil, saved, errors.New("no classes")
	}
	if err := c.checkTensors(f.Tensors); err != nil {
		return nil, saved, err
	}
	var err error
	if c.main, err = newProgram(c.model, len(c.classes), shape{batch: 1}, c.seed, false, nil); err != nil {
		return nil, saved, err
	}
	c.evaluate[shape{batch: 1}] = c.main
	return c, saved, c.setParams(f.Tensors)
}

// checkTensors judges names and shapes before a graph of the model's size is built.
func (c *Classifier) checkTensors(tensors []checkpoint.Tensor) error {
	want := map[string][]int{}
	for _, p := range append(c.model.Params(), spec.Linear(headName, c.model.HiddenSize, len(c.classes), qat.Float)...) {
		want[p.Name] = p.Shape
	}
	for _, t := range tensors {
		shape, ok := want[t.Name]
		if !ok {
			return fmt.Errorf("tensor %s: the model has none of that name", t.Name)
		}
		if fmt.Sprint(shape) != fmt.Sprint(t.Shape) {
			return fmt.Errorf("tensor %s: shape %v, want %v", t.Name, t.Shape, shape)
		}
		delete(want, t.Name)
	}
	for name := range want {
		return fmt.Errorf("tensor %s is missing", name)
	}
	return nil
}

func (c *Classifier) setParams(tensors []checkpoint.Tensor) error {
	values := map[string][]float32{}
	for _, t := range tensors {
		values[t.Name] = t.Values
	}
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			if err := l.SetParam(p.Name, values[p.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// parameters is what a model and a layer have alike.
type parameters interface {
	Params() []qat.Param
	ParamValue(name string) ([]float32, error)
	SetParam(name string, values []float32) error
}

func (c *Classifier) layers() []parameters { return []parameters{c.main.model, c.main.head} }

// Size is what a classifier's parameters come to, the head included.
type Size struct {
	Parameters  int
	FloatBytes  int // as float32
	PackedBytes int // quantized weights as codes with a scale each, the rest as float32
}

// Size counts the parameters.
func (c *Classifier) Size() Size {
	var s Size
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			n := p.Node.Shape().TotalSize()
			s.Parameters += n
			s.FloatBytes += 4 * n
			s.PackedBytes += p.Mode.PackedBytes(n)
		}
	}
	return s
}

// Metrics is how well a classifier does on a set.
type Metrics struct {
	Accuracy float64 `json:"accuracy"` // fraction of sequences whose label has the largest logit, the first of equals
	Loss     float64 `json:"loss"`     // mean cross entropy, in nats
}

// better ranks by accuracy, and by loss among equals.
func (m Metrics) better(than Metrics) bool {
	return m.Accuracy > than.Accuracy || m.Accuracy == than.Accuracy && m.Loss < than.Loss
}

// evalBatch bounds the batches of Evaluate, and so its memory.
const evalBatch = 128

// Evaluate runs the classifier on a set, without dropout or augmentation.
//
// Errors: a set of other dimensions or classes than the model's.
func (c *Classifier) Evaluate(s *dataset.Set) (Metrics, error) {
	logits, err := c.Logits(s)
	if err != nil {
		return Metrics{}, err
	}
	return Measure(logits, s.Labels, len(s.Classes)), nil
}

// fits judges a set that is to be classified.
func (c *Classifier) fits(s *dataset.Set) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.Steps != c.model.WindowSize || s.Channels != c.model.EmbedDim || !slices.Equal(s.Classes, c.classes) {
		return fmt.Errorf("train: a set of %d steps, %d channels, classes %q for a model of %d, %d, %q",
			s.Steps, s.Channels, s.Classes, c.model.WindowSize, c.model.EmbedDim, c.classes)
	}
	return nil
}

// program returns the program for a shape, made when it is first needed.
func (c *Classifier) program(programs map[shape]*program, of shape, learn bool) (*program, error) {
	if p, ok := programs[of]; ok {
		return p, nil
	}
	p, err := newProgram(c.model, len(c.classes), of, c.seed, learn, c.main)
	if err == nil {
		programs[of] = p
	}
	return p, err
}

// Measure compares logits with labels. Shapes: logits [n, classes], labels [n].
func Measure(logits []float32, labels []int, classes int) Metrics {
	var m Metrics
	for i, label := range labels {
		row := logits[i*classes : (i+1)*classes]
		best := 0
		for j, v := range row {
			if v > row[best] {
				best = j
			}
		}
		if best == label {
			m.Accuracy++
		}
		var sum float64
		for _, v := range row {
			sum += math.Exp(float64(v) - float64(row[best]))
		}
		m.Loss += math.Log(sum) - (float64(row[label]) - float64(row[best]))
	}
	n := float64(max(len(labels), 1))
	return Metrics{m.Accuracy / n, m.Loss / n}
}
