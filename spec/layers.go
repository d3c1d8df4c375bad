package spec

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/qat-go/qat/quant"
)

// LayerMode gives the layers that a pattern matches a mode of their own.
type LayerMode struct {
	// Pattern is one of path.Match on a layer's name, as blocks.0.attn.qkv, in which
	// * stands for dots too.
	Pattern string     `json:"pattern"`
	Mode    quant.Mode `json:"mode"`
}

// String returns pattern=mode.
func (l LayerMode) String() string { return fmt.Sprintf("%s=%v", l.Pattern, l.Mode) }

// matches is false for a pattern that is none; Validate reports that one.
func (l LayerMode) matches(layer string) bool {
	ok, err := path.Match(l.Pattern, layer)
	return ok && err == nil
}

// ModeOf returns the mode of a quantized layer, as blocks.0.attn.qkv: that of the
// last of LayerModes to match its name, else Quantize.
func (m Model) ModeOf(layer string) quant.Mode {
	for _, l := range slices.Backward(m.LayerModes) {
		if l.matches(layer) {
			return l.Mode
		}
	}
	return m.Quantize
}

// WeightModes returns the mode, and each of LayerModes behind a comma:
// ternary,blocks.0.ffn.*=int8.
func (m Model) WeightModes() string {
	var s strings.Builder
	s.WriteString(m.Quantize.String())
	for _, l := range m.LayerModes {
		s.WriteString("," + l.String())
	}
	return s.String()
}

// Weights says how the weights are quantized: ternary weights per channel.
func (m Model) Weights() string {
	text := m.WeightModes() + " weights"
	if m.Granularity != quant.PerTensor {
		text += fmt.Sprintf(" per %v", m.Granularity)
	}
	return text
}

// Layers names the linear layers that have a mode, in the order in which the model
// uses them; none for a number of layers out of bounds.
func (m Model) Layers() []string {
	if size("", "", m.NumLayers) != nil {
		return nil
	}
	var names []string
	for i := range m.NumLayers {
		names = append(names, blockLayers(blockPath(i))...)
	}
	return names
}

// blockLayers is Layers for one block whose names begin with path.
func blockLayers(path string) []string {
	return []string{path + ".attn.qkv", path + ".attn.out", path + ".ffn.up", path + ".ffn.down"}
}

func blockPath(i int) string { return fmt.Sprintf("blocks.%d", i) }

// IsFloat reports whether every quantized layer's mode is Float.
func (m Model) IsFloat() bool { return m.isFloat(m.Layers()) }

// BlockIsFloat is IsFloat for a single block whose names begin with path.
func (m Model) BlockIsFloat(path string) bool { return m.isFloat(blockLayers(path)) }

func (m Model) isFloat(layers []string) bool {
	for mode := range m.modes(layers) {
		if mode != quant.Float {
			return false
		}
	}
	return true
}

// modes returns the modes of the layers, each with the first layer of it; without
// layers, or with nothing that tells them apart, Quantize of "".
func (m Model) modes(layers []string) map[quant.Mode]string {
	if len(m.LayerModes) == 0 || len(layers) == 0 {
		return map[quant.Mode]string{m.Quantize: ""}
	}
	modes := map[quant.Mode]string{}
	for _, l := range layers {
		if mode := m.ModeOf(l); modes[mode] == "" {
			modes[mode] = l
		}
	}
	return modes
}

// validateLayers judges the layers' modes, and what goes with some modes alone.
func (m Model) validateLayers(layers []string) error {
	var errs []error
	for _, l := range m.LayerModes {
		errs = append(errs, l.validate(layers))
	}
	float := m.isFloat(layers)
	if float && m.Activations == Int8Activations {
		errs = append(errs, errors.New("WithActivations: int8 activations are for quantized weights: want float with float weights"))
	}
	if m.STE == Clipped {
		errs = append(errs, m.validateClipped(layers, float))
	}
	return errors.Join(errs...)
}

// validateClipped is for the clipped estimator, which leaves float layers among
// others alone.
func (m Model) validateClipped(layers []string, float bool) error {
	modes := m.modes(layers)
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		if mode == quant.Binary || mode == quant.Ternary || mode == quant.Float && !float {
			continue
		}
		of := ""
		if layer := modes[mode]; layer != "" {
			of = " as " + layer + " has"
		}
		return fmt.Errorf("WithSTE: the clipped estimator is for binary and ternary weights, not %v%s", mode, of)
	}
	return nil
}

func (l LayerMode) validate(layers []string) error {
	fault := func(err error) error { return fmt.Errorf("WithLayerMode: pattern %q: %w", l.Pattern, err) }
	var errs []error
	if _, err := path.Match(l.Pattern, ""); err != nil {
		errs = append(errs, fault(err))
	} else if len(layers) > 0 && !slices.ContainsFunc(layers, l.matches) {
		errs = append(errs, fault(fmt.Errorf("no layer has such a name: want one of %s to %s", layers[0], layers[len(layers)-1])))
	}
	if !l.Mode.Valid() {
		errs = append(errs, fault(unknownMode(l.Mode)))
	}
	return errors.Join(errs...)
}

func unknownMode(m quant.Mode) error {
	return fmt.Errorf("unknown mode %d: want one of %v", uint8(m), quant.Modes())
}
