// Package spec says what a model is: its dimensions, how it computes, and the
// tensors that it consists of. It holds no values and builds nothing.
package spec

import (
	"errors"
	"fmt"

	"github.com/qat-go/qat/quant"
)

// Model describes one sequence transformer. Its JSON form is saved with every
// model.
type Model struct {
	EmbedDim    int         `json:"embed_dim"`   // E, the channels of a step
	HiddenSize  int         `json:"hidden_size"` // H
	NumHeads    int         `json:"num_heads"`
	NumLayers   int         `json:"num_layers"`
	WindowSize  int         `json:"window_size"` // T, the steps of a sequence
	Quantize    quant.Mode  `json:"quantize"`
	Dropout     float64     `json:"dropout"` // probability of dropping, in [0, 1)
	Numerics    Numerics    `json:"numerics"`
	Activations Activations `json:"activations"`
	STE         STE         `json:"ste"`
	Pooling     Pooling     `json:"pooling"`
	Positions   Positions   `json:"positions"`
	// Granularity says how much of a weight shares a scale.
	Granularity quant.Granularity `json:"granularity"`
	// LayerModes are layers whose mode is not Quantize; see ModeOf.
	LayerModes []LayerMode `json:"layer_modes,omitempty"`
}

// maxSize bounds every dimension, so that no product of two overflows an int32.
const maxSize = 1 << 15

// Validate reports every fault of m at once, joined; each names the option that
// sets the field, what it is and what it has to be.
func (m Model) Validate() error {
	return errors.Join(
		size("WithEmbedDim", "embed size", m.EmbedDim),
		size("WithWindowSize", "window", m.WindowSize),
		size("WithNumLayers", "number of layers", m.NumLayers),
		m.validateBlock(),
		m.validateLayers(m.Layers()),
	)
}

// HasSizes reports whether every size is within bounds, so that Params can list the
// parameters, whatever other faults m has.
func (m Model) HasSizes() bool {
	return errors.Join(
		size("", "", m.EmbedDim), size("", "", m.WindowSize), size("", "", m.NumLayers), size("", "", m.HiddenSize),
	) == nil
}

// ValidateBlock is Validate for what a single block needs whose names begin with path.
func (m Model) ValidateBlock(path string) error {
	return errors.Join(m.validateBlock(), m.validateLayers(blockLayers(path)))
}

func (m Model) validateBlock() error {
	errs := []error{
		size("WithHiddenSize", "hidden size", m.HiddenSize),
		size("WithNumHeads", "number of heads", m.NumHeads),
	}
	if m.HiddenSize > 0 && m.NumHeads > 0 {
		switch head := m.HiddenSize / m.NumHeads; {
		case m.HiddenSize%m.NumHeads != 0:
			errs = append(errs, fmt.Errorf("WithNumHeads: hidden size %d is not a multiple of %d heads", m.HiddenSize, m.NumHeads))
		case m.Positions == Rotary && head%2 != 0:
			errs = append(errs, fmt.Errorf("WithPositions: rotary positions need an even head size, got %d/%d = %d", m.HiddenSize, m.NumHeads, head))
		}
	}
	if !(m.Dropout >= 0 && m.Dropout < 1) {
		errs = append(errs, fmt.Errorf("WithDropout: dropout %v is outside [0, 1)", m.Dropout))
	}
	errs = append(errs, poolingText.validate(uint8(m.Pooling)), positionsText.validate(uint8(m.Positions)), m.validateNumerics())
	return errors.Join(errs...)
}

// ValidateLinear is Validate for what a single quantized layer needs, whose mode is
// Quantize.
func (m Model) ValidateLinear() error {
	m.LayerModes = nil
	return errors.Join(m.validateNumerics(), m.validateLayers(nil))
}

// validateNumerics judges what holds for every layer, whatever its mode.
func (m Model) validateNumerics() error {
	var errs []error
	if !m.Quantize.Valid() {
		errs = append(errs, fmt.Errorf("WithQuantize: %w", unknownMode(m.Quantize)))
	}
	errs = append(errs, numericsText.validate(uint8(m.Numerics)), activationsText.validate(uint8(m.Activations)),
		steText.validate(uint8(m.STE)), granularityText.validate(uint8(m.Granularity)))
	if m.Numerics == Edifice && m.Activations == Int8Activations {
		errs = append(errs, errors.New("WithActivations: int8 activations do not exist in the Edifice numerics: want float"))
	}
	if m.Numerics == Edifice && m.Granularity == quant.PerChannel {
		errs = append(errs, errors.New("WithGranularity: the Edifice numerics have one scale a weight: want tensor"))
	}
	return errors.Join(errs...)
}

func size(option, what string, n int) error {
	if n < 1 || n > maxSize {
		return fmt.Errorf("%s: %s %d is outside 1..%d", option, what, n, maxSize)
	}
	return nil
}

// String is a line with every field that a reader would ask for.
func (m Model) String() string {
	return fmt.Sprintf("%d -> hidden %d, heads %d, layers %d, window %d, %s, %v activations, dropout %v, positions %v, pooling %v, %v numerics, %v straight-through",
		m.EmbedDim, m.HiddenSize, m.NumHeads, m.NumLayers, m.WindowSize, m.Weights(), m.Activations, m.Dropout, m.Positions, m.Pooling, m.Numerics, m.STE)
}
