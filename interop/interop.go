// Package interop holds what models of other programs become: a description and latent
// weights, from which a packed model is made, or a training begins. Its subpackages read
// and write those programs' formats.
package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Model is an imported model.
type Model struct {
	Spec spec.Model
	// Classes names the outputs of the head; nil without a head.
	Classes []string
	// Params are the latent values of Spec.Params and then of head.weight and
	// head.bias, in that order.
	Params []checkpoint.Tensor
}

// params lists the parameters of a model with a head of so many outputs.
func params(m spec.Model, classes int) []spec.Param {
	all := m.Params()
	if classes > 0 {
		all = append(all, spec.Linear("head", m.HiddenSize, classes, quant.Float)...)
	}
	return all
}

// Source says where a parameter lies in another program's file: tensors that follow each
// other along their first axis, and whether they are [out, in].
type Source struct {
	Names    []string
	OutFirst bool
}

// Assemble makes a model of tensors, of which source says for each parameter, by name,
// which it is. m and classes say what the model is.
//
// Errors: every fault of m; each parameter that is missing, has another shape, or is not
// finite, and each tensor that is none, by the tensors' names.
func Assemble(tensors []checkpoint.Tensor, m spec.Model, classes []string, source func(param string) Source) (*Model, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	there := map[string]checkpoint.Tensor{}
	for _, t := range tensors {
		there[t.Name] = t
	}
	result := &Model{Spec: m, Classes: classes}
	var faults []error
	used := map[string]bool{}
	for _, p := range params(m, len(classes)) {
		from := source(p.Name)
		for _, name := range from.Names {
			used[name] = true
		}
		values, err := from.values(there, p.Shape)
		if err != nil {
			faults = append(faults, fmt.Errorf("%w, for %s", err, p.Name))
			continue
		}
		result.Params = append(result.Params, checkpoint.Tensor{Name: p.Name, Shape: slices.Clone(p.Shape), Values: values})
	}
	for _, t := range tensors {
		if !used[t.Name] {
			faults = append(faults, fmt.Errorf("tensor %s %v: the model has no such parameter", t.Name, t.Shape))
		}
	}
	return result, errors.Join(faults...)
}

// HiddenSize is the length that most norms' gains and biases have, so that one of another
// length is a fault of its own; 0 without any.
func HiddenSize(norms []int) (size int) {
	count := map[int]int{}
	for _, n := range norms {
		if count[n]++; count[n] > count[size] {
			size = n
		}
	}
	return size
}

// values are those of a parameter of a shape.
func (s Source) values(there map[string]checkpoint.Tensor, shape []int) ([]float32, error) {
	want := slices.Clone(shape)
	if s.OutFirst && len(want) == 2 {
		want[0], want[1] = want[1], want[0]
	}
	if want[0]%len(s.Names) != 0 {
		return nil, fmt.Errorf("tensors %s: shape %v is not in %d equal parts", strings.Join(s.Names, ", "), want, len(s.Names))
	}
	want[0] /= len(s.Names)
	var all []float32
	for _, name := range s.Names {
		t, ok := there[name]
		if !ok {
			return nil, fmt.Errorf("tensor %s is missing, want shape %v", name, want)
		}
		if !slices.Equal(t.Shape, want) {
			return nil, fmt.Errorf("tensor %s: shape %v, want %v", name, t.Shape, want)
		}
		if err := quant.CheckFinite(t.Values); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		all = append(all, t.Values...)
	}
	if !s.OutFirst || len(shape) != 2 {
		return all, nil
	}
	in, out := shape[0], shape[1]
	turned := make([]float32, len(all))
	for o := range out {
		for i := range in {
			turned[i*out+o] = all[o*in+i]
		}
	}
	return turned, nil
}

// Pack quantizes the model, as the training graph would go forward.
func (m *Model) Pack() (*packed.Model, error) {
	p := &packed.Model{Spec: m.Spec}
	if len(m.Classes) > 0 {
		p.Head = &packed.Head{Classes: m.Classes, Width: len(m.Classes)}
	}
	for i, as := range params(m.Spec, len(m.Classes)) {
		values := m.Params[i].Values
		if as.Mode == quant.Float {
			p.Tensors = append(p.Tensors, packed.Tensor{Name: as.Name, Shape: as.Shape, Values: values})
			continue
		}
		w, err := packed.Quantize(as, values, m.Spec)
		if err != nil {
			return nil, fmt.Errorf("interop: %s: %w", as.Name, err)
		}
		p.Weights = append(p.Weights, w)
	}
	return p, p.Validate()
}

// The metadata of a file of latents.
const (
	formatKey, format = "format", "qat.imported"
	modelKey          = "model"
)

// metadata is what a file says beside the parameters.
type metadata struct {
	Spec    spec.Model `json:"spec"`
	Classes []string   `json:"classes,omitempty"`
}

// Write writes the latents to a safetensors file, atomically.
func (m *Model) Write(path string) error {
	text, err := json.Marshal(metadata{m.Spec, m.Classes})
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return checkpoint.Write(path, checkpoint.File{
		Metadata: map[string]string{formatKey: format, modelKey: string(text)}, Tensors: m.Params,
	})
}

// Imported reports whether a file is one that Write wrote.
func Imported(f checkpoint.File) bool { return f.Metadata[formatKey] == format }

// FromFile returns the model of a file that Write wrote.
//
// Errors: a file that is none; as Assemble.
func FromFile(f checkpoint.File) (*Model, error) {
	if !Imported(f) {
		return nil, fmt.Errorf("interop: format is %q, want %q: not an imported model", f.Metadata[formatKey], format)
	}
	var d metadata
	if err := json.Unmarshal([]byte(f.Metadata[modelKey]), &d); err != nil {
		return nil, fmt.Errorf("interop: metadata %q: %w", modelKey, err)
	}
	m, err := Assemble(f.Tensors, d.Spec, d.Classes, func(param string) Source { return Source{Names: []string{param}} })
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	return m, nil
}
