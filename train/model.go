package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/spec"
)

// Model is a transformer with a head for classes or targets, and what it takes to
// run them.
type Model struct {
	spec     spec.Model
	task     Task
	seed     uint64
	main     *program // holds the parameters
	evaluate map[shape]*program
}

// Task is what a model's outputs are: logits of classes, or targets.
type Task struct {
	Classes []string `json:"classes,omitempty"`
	Outputs int      `json:"outputs,omitempty"` // targets; 0 with classes
	// Targets scales targets: the head's outputs are standardised.
	Targets *preprocess.Scaler `json:"targets,omitempty"`
}

// Regression says that there are targets and not classes.
func (t Task) Regression() bool { return t.Outputs > 0 }

// width is how many outputs the head has.
func (t Task) width() int {
	if t.Regression() {
		return t.Outputs
	}
	return len(t.Classes)
}

func (t Task) validate() error {
	if !t.Regression() {
		if len(t.Classes) == 0 {
			return errors.New("no classes")
		}
		return nil
	}
	if t.Targets == nil {
		return errors.New("targets without a scale")
	}
	return t.Targets.Validate(t.Outputs)
}

// NewModel makes a model with fresh parameters and a head for the data's classes or
// targets. An embed size and a window of 0 are the data's.
//
// Errors: every fault of m; dimensions that are not the data's; classes or targets
// that cannot be learnt.
func NewModel(m spec.Model, data dataset.Data, seed uint64) (*Model, error) {
	if data == nil {
		return nil, errors.New("train: no data")
	}
	f := data.Facts()
	for _, d := range []struct {
		what string
		have *int
		want int
	}{{"embed size", &m.EmbedDim, f.Channels}, {"window", &m.WindowSize, f.Steps}} {
		if *d.have != 0 && *d.have != d.want {
			return nil, fmt.Errorf("train: %s %d, but the data has %d", d.what, *d.have, d.want)
		}
		*d.have = d.want
	}
	c := &Model{spec: Config{Model: m}.model(), task: Task{Classes: f.Classes, Outputs: f.Outputs}, seed: seed}
	if err := checkModel(c.spec); err != nil {
		return nil, err
	}
	if f.Outputs > 0 {
		scale, err := targetScale(data)
		if err != nil {
			return nil, err
		}
		c.task.Targets = &scale
	}
	return c, c.build()
}

// targetScale standardises the targets of data.
func targetScale(data dataset.Data) (preprocess.Scaler, error) {
	fit := dataset.NewScalerFit(data.Facts().Outputs)
	for e, err := range data.Epoch(0, 0) {
		if err != nil {
			return preprocess.Scaler{}, err
		}
		fit.Add(e.Targets)
	}
	return fit.Scaler(), nil
}

// build makes the graph that holds the parameters.
func (c *Model) build() (err error) {
	if err := c.task.validate(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	one := shape{batch: 1}
	c.evaluate = map[shape]*program{}
	if c.main, err = c.newProgram(one, false); err == nil {
		c.evaluate[one] = c.main
	}
	return err
}

// Spec returns what the model is.
func (c *Model) Spec() spec.Model { return c.spec }

// Task returns what the model's outputs are.
func (c *Model) Task() Task { return c.task }

// Saved is what a run saves beside its latents.
type Saved struct {
	Config Config         `json:"config"`
	Data   dataset.Source `json:"data"`
	Task
	// Preprocess made the model's inputs of a file's series; nil for embedded data.
	Preprocess *preprocess.Pipeline `json:"preprocess,omitempty"`
}

// The metadata of a file of latents.
const (
	formatKey, format   = "format", "qat.latents"
	versionKey, version = "version", "1"
	runKey              = "run"
)

// Save writes the latents of model and head, with what Load needs to rebuild
// them, to a safetensors file, atomically.
func (c *Model) Save(path string, saved Saved) error {
	saved.Task, saved.Config.Model, saved.Config.Seed = c.task, c.spec, c.seed
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
func (c *Model) tensors() (all []checkpoint.Tensor, err error) {
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

// Load rebuilds a model from a file that Save wrote.
//
// Errors: a file that is none, or that lacks a tensor, has one too many, or one of
// another shape than its model's.
func Load(path string) (*Model, Saved, error) {
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

func fromFile(f checkpoint.File) (*Model, Saved, error) {
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
	c := &Model{spec: saved.Config.Model, task: saved.Task, seed: saved.Config.Seed}
	errs := []error{c.spec.Validate(), saved.Data.Validate(), c.task.validate()}
	if saved.Preprocess != nil {
		errs = append(errs, saved.Preprocess.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, saved, err
	}
	if err := c.checkTensors(f.Tensors); err != nil {
		return nil, saved, err
	}
	if err := c.build(); err != nil {
		return nil, saved, err
	}
	return c, saved, c.setParams(f.Tensors)
}

// checkTensors judges names and shapes before a graph of the model's size is built.
func (c *Model) checkTensors(tensors []checkpoint.Tensor) error {
	want := map[string][]int{}
	for _, p := range append(c.spec.Params(), spec.Linear(headName, c.spec.HiddenSize, c.task.width(), qat.Float)...) {
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

func (c *Model) setParams(tensors []checkpoint.Tensor) error {
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

// CopyFrom copies the latents of a model of the same dimensions: a quantized model
// can begin from a trained float one, or be that one quantized after training.
//
// Errors: parameters of other names or shapes; c is then left alone.
func (c *Model) CopyFrom(other *Model) error {
	tensors, err := other.tensors()
	if err != nil {
		return err
	}
	if err := c.checkTensors(tensors); err != nil {
		return fmt.Errorf("train: copy: %w", err)
	}
	return c.setParams(tensors)
}

// parameters is what a model and a layer have alike.
type parameters interface {
	Params() []qat.Param
	ParamValue(name string) ([]float32, error)
	SetParam(name string, values []float32) error
}

func (c *Model) layers() []parameters { return []parameters{c.main.model, c.main.head} }

// Size is what a model's parameters come to, the head included.
type Size struct {
	Parameters  int
	FloatBytes  int // as float32
	PackedBytes int // quantized weights as codes with their scales, the rest as float32
}

// Size counts the parameters.
func (c *Model) Size() Size {
	var s Size
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			shape := p.Node.Shape()
			n, out := shape.TotalSize(), shape[len(shape)-1]
			s.Parameters += n
			s.FloatBytes += 4 * n
			s.PackedBytes += p.Mode.PackedBytes(n, c.spec.Granularity.Scales(out))
		}
	}
	return s
}

// fits judges data that the model is to be run on.
func (c *Model) fits(d dataset.Data) error {
	if s, ok := d.(*dataset.Set); ok {
		if err := s.Validate(); err != nil {
			return err
		}
	}
	f := d.Facts()
	if f.Steps != c.spec.WindowSize || f.Channels != c.spec.EmbedDim || !slices.Equal(f.Classes, c.task.Classes) || f.Outputs != c.task.Outputs {
		return fmt.Errorf("train: data of %d steps, %d channels, %s for a model of %d, %d, %s",
			f.Steps, f.Channels, Task{Classes: f.Classes, Outputs: f.Outputs}, c.spec.WindowSize, c.spec.EmbedDim, c.task)
	}
	return nil
}

// String says what is learnt.
func (t Task) String() string {
	if t.Regression() {
		return fmt.Sprintf("%d targets", t.Outputs)
	}
	return fmt.Sprintf("classes %q", t.Classes)
}

// program returns the program for a shape, made when it is first needed.
func (c *Model) program(programs map[shape]*program, of shape, learn bool) (*program, error) {
	if p, ok := programs[of]; ok {
		return p, nil
	}
	p, err := c.newProgram(of, learn)
	if err == nil {
		programs[of] = p
	}
	return p, err
}
