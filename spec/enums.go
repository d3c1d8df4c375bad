package spec

import (
	"fmt"
	"strings"

	"github.com/qat-go/qat/quant"
)

// Numerics is the set of rules that a model computes by.
type Numerics uint8

const (
	// BitNet scales codes by the mean or maximum magnitude and rounds half to
	// even: the default. Source: arXiv:2310.11453, arXiv:2402.17764.
	BitNet Numerics = iota
	// Edifice reproduces the forward pass of Edifice.Meta.QAT 0.2.0, whose binary
	// and ternary codes carry no scale; its activations stay float.
	Edifice
)

// Activations says how the inputs of quantized layers are represented. Those of
// layers with Float weights are float.
type Activations uint8

const (
	// Int8Activations rounds each token to int8 codes with a scale of its own: the
	// default. Source: arXiv:2402.17764.
	Int8Activations Activations = iota
	// FloatActivations leaves them as they are.
	FloatActivations
)

// STE is the straight-through estimator: what of a quantized weight's gradient
// reaches the latent weight.
type STE uint8

const (
	// Identity passes all of it: the default. Source: Bengio et al. 2013, arXiv:1308.3432.
	Identity STE = iota
	// Clipped passes it where |w/scale| <= 1 and stops it elsewhere, for binary and
	// ternary weights. About half of a Glorot-uniform weight is frozen at the start.
	// Source: Courbariaux et al. 2016, arXiv:1602.02830, section 1.3.
	Clipped
)

// Pooling says what of the time steps a model returns.
type Pooling uint8

const (
	// LastTimestep returns the last step, [B, H]: the default.
	LastTimestep Pooling = iota
	// Mean returns the mean over the real steps, [B, H].
	Mean
	// AllTimesteps returns every step, [B, T, H].
	AllTimesteps
)

// Positions says how a model learns where a step stands.
type Positions uint8

const (
	// NoPositions leaves order to the causal mask alone: the default.
	NoPositions Positions = iota
	// Rotary turns queries and keys by their position. Source: arXiv:2104.09864.
	Rotary
	// Learned adds a trained vector a position to the input of the first block.
	// Source: arXiv:1706.03762, section 3.5.
	Learned
)

// enum is the text form of one of the types above.
type enum struct {
	option, kind string // option sets a field of the type
	names        []string
}

var (
	numericsText    = enum{"WithNumerics", "numerics", []string{"bitnet", "edifice"}}
	activationsText = enum{"WithActivations", "activations", []string{"int8", "float"}}
	steText         = enum{"WithSTE", "ste", []string{"identity", "clipped"}}
	poolingText     = enum{"WithPooling", "pooling", []string{"last", "mean", "all"}}
	positionsText   = enum{"WithPositions", "positions", []string{"none", "rotary", "learned"}}
	granularityText = enum{"WithGranularity", "granularity", []string{quant.PerTensor.String(), quant.PerChannel.String()}}
)

func (e enum) text(v uint8) string {
	if int(v) >= len(e.names) {
		return fmt.Sprintf("%s(%d)", e.kind, v)
	}
	return e.names[v]
}

func (e enum) marshal(v uint8) ([]byte, error) {
	if err := e.check("spec", v); err != nil {
		return nil, err
	}
	return []byte(e.names[v]), nil
}

func (e enum) parse(text string) (uint8, error) {
	for i, n := range e.names {
		if strings.EqualFold(text, n) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("spec: unknown %s %q: want one of %s", e.kind, text, strings.Join(e.names, ", "))
}

// validate is check for [Model.Validate], whose faults begin with the option.
func (e enum) validate(v uint8) error { return e.check(e.option, v) }

func (e enum) check(prefix string, v uint8) error {
	if int(v) >= len(e.names) {
		return fmt.Errorf("%s: unknown %s %d: want one of %s", prefix, e.kind, v, strings.Join(e.names, ", "))
	}
	return nil
}

// String returns bitnet or edifice.
func (n Numerics) String() string { return numericsText.text(uint8(n)) }

// MarshalText returns the name.
func (n Numerics) MarshalText() ([]byte, error) { return numericsText.marshal(uint8(n)) }

// UnmarshalText reads a name.
func (n *Numerics) UnmarshalText(text []byte) error {
	v, err := numericsText.parse(string(text))
	*n = Numerics(v)
	return err
}

// String returns int8 or float.
func (a Activations) String() string { return activationsText.text(uint8(a)) }

// MarshalText returns the name.
func (a Activations) MarshalText() ([]byte, error) { return activationsText.marshal(uint8(a)) }

// UnmarshalText reads a name.
func (a *Activations) UnmarshalText(text []byte) error {
	v, err := activationsText.parse(string(text))
	*a = Activations(v)
	return err
}

// String returns identity or clipped.
func (s STE) String() string { return steText.text(uint8(s)) }

// MarshalText returns the name.
func (s STE) MarshalText() ([]byte, error) { return steText.marshal(uint8(s)) }

// UnmarshalText reads a name.
func (s *STE) UnmarshalText(text []byte) error {
	v, err := steText.parse(string(text))
	*s = STE(v)
	return err
}

// String returns last, mean or all.
func (p Pooling) String() string { return poolingText.text(uint8(p)) }

// MarshalText returns the name.
func (p Pooling) MarshalText() ([]byte, error) { return poolingText.marshal(uint8(p)) }

// UnmarshalText reads a name.
func (p *Pooling) UnmarshalText(text []byte) error {
	v, err := poolingText.parse(string(text))
	*p = Pooling(v)
	return err
}

// String returns none, rotary or learned.
func (p Positions) String() string { return positionsText.text(uint8(p)) }

// MarshalText returns the name.
func (p Positions) MarshalText() ([]byte, error) { return positionsText.marshal(uint8(p)) }

// UnmarshalText reads a name.
func (p *Positions) UnmarshalText(text []byte) error {
	v, err := positionsText.parse(string(text))
	*p = Positions(v)
	return err
}
