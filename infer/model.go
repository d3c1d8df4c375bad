// Package infer runs a packed model, without Gorgonia: on integers where the model's
// activations are int8. Its outputs are, to the bit, those of the training graph in
// evaluation mode; docs/parity.md says exactly what is equal, and where.
//
//	m, err := infer.Open("model.qat")
//	out, err := m.Predict(nil, x) // x [steps, channels], as it was recorded
//	label, _, err := m.Label(out)
//
// A Model may be used by any number of goroutines at once. A call runs on the
// caller's, except PredictBatch, and allocates nothing once the model is warm.
//
// Letters in comments: E channels that the model reads of a step, T steps of its
// window, H hidden size, n steps of a sequence.
package infer

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/spec"
)

// Model is a model that is ready to run.
type Model struct {
	spec  spec.Model
	input *preprocess.Pipeline // nil where values go in as they are

	projection *dense    // nil where E is H
	positions  []float32 // [T, H]; nil without learned ones
	attention  kernel.Attention
	blocks     []block
	final      norm
	head       *dense // nil without
	classes    []string
	targets    *preprocess.Scaler

	mu    sync.Mutex
	idle  []*workspace // as many as there were calls at once
	turns *turns       // as many as steps were met, with rotary positions
}

// Open reads a model from a file.
//
// Errors: those of packed.Open.
func Open(path string) (*Model, error) {
	p, err := packed.Open(path)
	if err != nil {
		return nil, err
	}
	return load(p), nil
}

// Read reads a model, of an embedded file say: bytes.NewReader makes a reader of it.
//
// Errors: those of packed.Read.
func Read(r io.Reader) (*Model, error) {
	p, err := packed.Read(r)
	if err != nil {
		return nil, err
	}
	return load(p), nil
}

// New makes a packed model ready to run. The result shares p's float32 values: leave
// them alone.
//
// Errors: every fault of p.
func New(p *packed.Model) (*Model, error) {
	if p == nil {
		return nil, errors.New("infer: the packed model is nil")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return load(p), nil
}

// Spec returns what the model is.
func (m *Model) Spec() spec.Model { return m.spec }

// Channels is how many values a step of the input has: as recorded with an input
// pipeline, E without.
func (m *Model) Channels() int {
	if m.input != nil {
		return len(m.input.Channels)
	}
	return m.spec.EmbedDim
}

// Missing says whether NaN may stand for a value that is missing: it may where the
// model has an input pipeline and values were missing in training too.
func (m *Model) Missing() bool { return m.input != nil && m.input.Missing }

// ChannelNames returns the input's channels in order; nil where they have no names.
func (m *Model) ChannelNames() []string {
	if m.input == nil {
		return nil
	}
	return slices.Clone(m.input.Channels)
}

// Steps is how many steps, 1 to T, the model makes of so many steps of input. It
// is what Predict returns outputs of with AllTimesteps pooling.
func (m *Model) Steps(steps int) int {
	if m.input != nil {
		return m.input.Steps(steps)
	}
	return steps
}

// Width is how many outputs a sequence has, or each of its steps with AllTimesteps
// pooling: the head's, or H without a head.
func (m *Model) Width() int {
	if m.head != nil {
		return m.head.out
	}
	return m.spec.HiddenSize
}

// Classes returns the names of the outputs by index, where they are logits of named
// classes; nil otherwise.
func (m *Model) Classes() []string { return slices.Clone(m.classes) }

// Targets returns how outputs are brought to the units of the data, which Predict
// has done; nil where they are not.
func (m *Model) Targets() *preprocess.Scaler { return m.targets }
