// Package onnx writes a packed model as an ONNX model, which runs where Go does not.
//
//	err := onnx.Write("model.onnx", model, onnx.Int8)
//
// The graph has the arithmetic of package infer, operation by operation: integer products
// of int8 codes, and between them, on float32 numbers, elementary operations in infer's
// order. A runtime that computes them as IEEE 754 says has infer's outputs.
//
// Inputs: input [N, steps, channels], as it was recorded, and, where series may be of
// unequal length, lengths [N]: a series of so many steps is at the end of its row, and
// what stands before it is not read. Outputs: outputs [N, width], or [N, T, width] with
// AllTimesteps pooling, and with a head without targets the probabilities. A series that
// infer refuses has NaN for outputs. docs/interop.md says more.
//
// Letters in comments: N sequences, T steps of the model's window, n steps that it makes
// of the input, E values of each, H hidden size.
package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
)

// Write writes m to a file, which it replaces as a whole or not at all.
//
// Errors: those of Encode, and of writing.
func Write(path string, m *packed.Model, w Weights) error {
	data, err := encode(m, w)
	if err != nil {
		return err
	}
	return checkpoint.WriteFileAtomic(path, func(file io.Writer) error {
		_, err := file.Write(data)
		return err
	})
}

// Encode writes m as an ONNX model whose codes are stored as w says.
//
// Errors: every fault of m; weights of an unknown type, or that the codes of no layer
// fit; an input of too many steps; a model that is too large for one file.
func Encode(file io.Writer, m *packed.Model, w Weights) error {
	data, err := encode(m, w)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return err
}

// fileMost is all that protobuf takes.
const fileMost = math.MaxInt32

func encode(m *packed.Model, w Weights) ([]byte, error) {
	if m == nil {
		return nil, errors.New("onnx: the packed model is nil")
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	t, err := newTranslator(m, w)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	metadata, err := metadataOf(m)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	t.translate()
	opset, ir := w.version()
	model := modelProto{irVersion: ir, producerName: producer, graph: &t.graphProto, opset: opset, metadata: metadata}
	data := model.encode()
	if len(data) > fileMost {
		return nil, fmt.Errorf("onnx: a file of %d bytes, want at most %d", len(data), fileMost)
	}
	return data, nil
}

// producer names this module, without its version: a model has one file.
const producer = "github.com/qat-go/qat"

// metadataOf is what a packed model says of itself, as JSON.
func metadataOf(m *packed.Model) (all []property, err error) {
	add := func(key string, v any) {
		text, fault := json.Marshal(v)
		err = errors.Join(err, fault)
		all = append(all, property{key, string(text)})
	}
	add("spec", m.Spec)
	if m.Input != nil {
		add("channels", m.Input.Channels)
	}
	if m.Head != nil && m.Head.Classes != nil {
		add("classes", m.Head.Classes)
	}
	return all, err
}

// translator makes a graph of a valid packed model.
type translator struct {
	*graph
	model   *packed.Model
	spec    *spec.Model
	stores  Weights
	reading reading
	steps   int // n

	weights map[string]*packed.Weight
	tensors map[string][]float32
	shape   map[string][]int64 // of tensors

	batch value // [1]: N
	fault value // [N]: 0, or NaN where infer would return an error
	// Of series of unequal length; else empty.
	count value // [N, 1]: real steps, first of the input and then of the model
	real  value // [N, n]: whether a step is real
}

var batchDimension = dimension{name: "N"}

func newTranslator(m *packed.Model, w Weights) (*translator, error) {
	if int(w) >= len(weightsNames) {
		return nil, fmt.Errorf("unknown weights %d: want one of %s", w, strings.Join(weightsNames[:], ", "))
	}
	opset, _ := w.version()
	t := &translator{
		graph: newGraph(opset), model: m, spec: &m.Spec, stores: w,
		weights: map[string]*packed.Weight{}, tensors: map[string][]float32{}, shape: map[string][]int64{},
	}
	fits := w == Int8
	for i := range m.Weights {
		weight := &m.Weights[i]
		t.weights[weight.Name] = weight
		fits = fits || t.stored(weight) != typeInt8
	}
	if !fits {
		return nil, fmt.Errorf("weights as %v: the codes of no layer fit, of %s", w, m.Spec.Weights())
	}
	for _, one := range m.Tensors {
		t.tensors[one.Name] = one.Values
		for _, d := range one.Shape {
			t.shape[one.Name] = append(t.shape[one.Name], int64(d))
		}
	}
	var err error
	t.reading, err = readingOf(m)
	t.steps = t.reading.frames
	return t, err
}

// translate makes the whole graph.
func (t *translator) translate() {
	t.name = "qat"
	h := t.input()
	if t.spec.EmbedDim != t.spec.HiddenSize {
		h = t.dense("input_projection", h)
	}
	if t.spec.Positions == spec.Learned {
		h = t.op("Add", h, t.positions())
	}
	for i := range t.spec.NumLayers {
		h = t.block(i, h, t.spec.Pooling == spec.LastTimestep && i == t.spec.NumLayers-1)
	}
	t.output(h)
}

// positions is the learned ones of the steps that there are.
func (t *translator) positions() value {
	const name = "positions.weight"
	hidden := t.spec.HiddenSize
	return t.parameter(name, typeFloat, rawFloats(t.tensors[name][:t.steps*hidden]), int64(t.steps), int64(hidden))
}

// tensor adds a float parameter.
func (t *translator) tensor(name string) value {
	return t.parameter(name, typeFloat, rawFloats(t.tensors[name]), t.shape[name]...)
}
