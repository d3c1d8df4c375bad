// Package onnx writes packed models as ONNX models, for the runtimes that read those.
//
// The graph computes what package infer does, operation by operation in the same order
// and with the same roundings: an operator that would choose an order or fuse, as a
// matrix product of floats, stands only where nothing is promised (layers with float
// weights or float activations). docs/interop.md says what was measured.
//
// Letters in comments: N sequences, S steps as recorded, C channels, T steps that the
// model reads, E values of each, H hidden size.
package onnx

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
)

// Weights is the narrowest type that a file stores the codes of weights in. A layer
// whose codes it does not have takes the next wider one.
type Weights uint8

const (
	// Int8 stores every code in a byte: opset 17, which most runtimes take.
	Int8 Weights = iota
	// Int4 stores two codes of binary, ternary and int4 layers in a byte: opset 21.
	Int4
	// Int2 stores four codes of binary and ternary layers in a byte: opset 25.
	Int2
)

// weights are the names, and what a file of each needs of its readers.
var weights = [...]struct {
	name      string
	ir, opset int
}{{"int8", 8, 17}, {"int4", 10, 21}, {"int2", 12, 25}}

// String returns int8, int4 or int2.
func (w Weights) String() string {
	if int(w) >= len(weights) {
		return fmt.Sprintf("Weights(%d)", uint8(w))
	}
	return weights[w].name
}

// MarshalText returns the name.
func (w Weights) MarshalText() ([]byte, error) {
	if int(w) >= len(weights) {
		return nil, fmt.Errorf("onnx: %v: want int8, int4 or int2", w)
	}
	return []byte(w.String()), nil
}

// UnmarshalText reads a name.
func (w *Weights) UnmarshalText(text []byte) error {
	for i, known := range weights {
		if strings.EqualFold(known.name, string(text)) {
			*w = Weights(i)
			return nil
		}
	}
	return fmt.Errorf("onnx: unknown weights %q: want int8, int4 or int2", text)
}

// translation is a graph that is being made of a model.
type translation struct {
	*graph
	spec    spec.Model
	weights map[string]*packed.Weight
	tensors map[string][]float32
	stored  Weights
	lengths bool  // whether sequences have lengths of their own
	length  int   // S
	steps   int   // T
	real    value // [N], how many of T are real; empty where all are
	refused value // [N, 1], whether a sequence is not finite
}

// Write writes m as an ONNX model to the file at path, atomically.
//
// Errors: Encode's, and those of checkpoint.WriteFileAtomic; the old file is then as it
// was.
func Write(path string, m *packed.Model, w Weights) error {
	return checkpoint.WriteFileAtomic(path, func(file io.Writer) error { return Encode(file, m, w) })
}

// Encode writes m as an ONNX model.
//
//	input          [N, S, C] float   as infer reads it, recorded values with an input pipeline
//	lengths        [N] int64         how many of a sequence's steps, at the end, are real: 1 to S
//	outputs        [N, W] float      infer's: logits, targets in the units of the data, or features
//	probabilities  [N, W] float      the softmax of logits, with a head for classes
//
// S is the model's window, or with an input pipeline what the longest sequence in
// training had; lengths is there unless all had that length. Steps before a sequence's
// real ones are not read. With AllTimesteps pooling outputs are [N, T, W], and 0 at
// steps that are not real. Outputs of a sequence that is not finite are NaN. The metadata has the model's spec, and the names of channels
// and classes, as JSON.
//
// The bytes are a function of m and w alone.
// Errors: every fault of m, weights that there are not; file's.
func Encode(file io.Writer, m *packed.Model, w Weights) error {
	if _, err := w.MarshalText(); err != nil {
		return err
	}
	if err := m.Validate(); err != nil {
		return err
	}
	kind := weights[w]
	t := &translation{
		graph: newGraph(kind.opset), spec: m.Spec, stored: w,
		weights: map[string]*packed.Weight{}, tensors: map[string][]float32{},
	}
	for i := range m.Weights {
		t.weights[m.Weights[i].Name] = &m.Weights[i]
	}
	for _, tensor := range m.Tensors {
		t.tensors[tensor.Name] = tensor.Values
	}
	t.model(m)
	metadata, err := metadataOf(m)
	if err != nil {
		return err
	}
	_, err = file.Write(modelProto(t.proto("qat"), kind.ir, kind.opset, metadata))
	return err
}

func metadataOf(m *packed.Model) (map[string]string, error) {
	all := map[string]any{"spec": m.Spec}
	if m.Head != nil && m.Head.Classes != nil {
		all["classes"] = m.Head.Classes
	}
	if m.Input != nil {
		all["channels"] = m.Input.Channels
	}
	metadata := map[string]string{}
	for name, v := range all {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: %w", name, err)
		}
		metadata[name] = string(text)
	}
	return metadata, nil
}

// model adds everything.
func (t *translation) model(m *packed.Model) {
	channels := t.spec.EmbedDim
	if m.Input != nil {
		channels = len(m.Input.Channels)
	}
	t.lengths, t.length = takesLengths(m.Input, t.spec.WindowSize)
	t.input("input", typeFloat, t.length, channels)
	if t.lengths {
		t.input("lengths", typeInt64)
	}
	h := t.guard(t.read("input", m.Input, channels))
	hidden := t.spec.HiddenSize
	if w := t.tensors["input_projection.weight"]; w != nil {
		h = t.op("Add", t.matrix(h, w, 3, t.spec.EmbedDim, hidden), t.floats(t.tensors["input_projection.bias"], hidden))
	}
	if w := t.tensors["positions.weight"]; w != nil {
		h = t.op("Add", h, t.floats(w[:t.steps*hidden], t.steps, hidden))
	}
	last := t.spec.Pooling == spec.LastTimestep
	for i := range t.spec.NumLayers {
		h = t.block(fmt.Sprintf("blocks.%d", i), h, last && i == t.spec.NumLayers-1)
	}
	h = t.normOf("final_norm", h)
	t.finish(m, h)
}

// finish adds pooling, head and outputs to the final norm's result: [N, 1, H] with
// LastTimestep pooling, else [N, T, H].
func (t *translation) finish(m *packed.Model, h value) {
	shape, width := []int{t.spec.HiddenSize}, t.spec.HiddenSize
	rank := 2
	switch t.spec.Pooling {
	case spec.LastTimestep:
		h = t.reshape(h, 0, width)
	case spec.Mean:
		h = t.reshape(t.mean(h), 0, width)
	case spec.AllTimesteps:
		rank, shape = 3, []int{t.steps, width}
	}
	if m.Head != nil {
		h = t.op("Add", t.matrix(h, t.tensors["head.weight"], rank, width, m.Head.Width), t.floats(t.tensors["head.bias"], m.Head.Width))
		width = m.Head.Width
		shape[len(shape)-1] = width
	}
	if m.Head != nil && m.Head.Targets != nil {
		s := m.Head.Targets
		h = t.op("Mul", t.cast(h, typeDouble), t.doubles(s.Std, width))
		h = t.cast(t.op("Add", h, t.doubles(s.Mean, width)), typeFloat)
	}
	t.output("outputs", t.final(h, width), shape...)
	if m.Head != nil && m.Head.Targets == nil {
		t.output("probabilities", t.final(t.softmax(h, rank, width, 0), width), shape...)
	}
}

// mean is the mean over the real steps of x [N, T, n]: [N, 1, n].
func (t *translation) mean(x value) value {
	count := t.float(float32(t.steps))
	if t.real != "" {
		real := t.unsqueeze(t.op("Less", t.ints(counting(t.steps)...), t.unsqueeze(t.real, 1)), 2) // [N, T, 1]
		x = t.op("Where", real, x, t.float(0))
		count = t.unsqueeze(t.cast(t.real, typeFloat), 1, 2)
	}
	return t.op("Div", t.chain(t.each(x, 1, t.steps)), count)
}

// final makes an output of x [N, n] or [N, T, n]: NaN of a sequence that was refused, and
// of several steps the real ones at the end, where they are in the input, behind zeros.
func (t *translation) final(x value, n int) value {
	refused := t.refused
	if t.spec.Pooling == spec.AllTimesteps {
		refused = t.unsqueeze(refused, 2)
	}
	x = t.op("Where", refused, t.float(float32(math.NaN())), x)
	if t.spec.Pooling != spec.AllTimesteps || t.real == "" {
		return x
	}
	from := t.op("Sub", t.ints(counting(t.steps)...), t.op("Sub", t.int(t.steps), t.unsqueeze(t.real, 1))) // [N, T]
	x = t.along(x, t.op("Max", from, t.int(0)), n)
	return t.op("Where", t.unsqueeze(t.op("GreaterOrEqual", from, t.int(0)), 2), x, t.float(0))
}
