// Package edifice reads the parameters of Edifice.Meta.QAT, a model of the Elixir library
// Edifice, by the names that Axon gives them.
package edifice

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/interop"
	"github.com/qat-go/qat/spec"
)

// Import makes a model of an Edifice model's tensors. Their names are layer and parameter
// with a "/" or a "." between them, as
// qat_block_1_attn_qkv/qat_block_1_attn_qkv_weight. The result has the Edifice numerics.
//
// Of m only NumHeads, WindowSize and Quantize count, which no tensor says; the rest is
// inferred or what an Edifice model is.
// Errors: no norm, which says the hidden size; as interop.Assemble.
// Source: Edifice.Meta.QAT 0.2.0.
func Import(tensors []checkpoint.Tensor, m spec.Model) (*interop.Model, error) {
	var norms []int
	names := map[string]string{} // with a "/", as in the file
	s := spec.Model{NumHeads: m.NumHeads, WindowSize: m.WindowSize, Quantize: m.Quantize, Numerics: spec.Edifice, Activations: spec.FloatActivations}
	for _, t := range tensors {
		name := strings.Replace(t.Name, ".", "/", 1)
		if other, twice := names[name]; twice {
			return nil, fmt.Errorf("edifice: tensors %s and %s are one parameter", other, t.Name)
		}
		names[name] = t.Name
		switch {
		case (strings.HasSuffix(name, "/gamma") || strings.HasSuffix(name, "/beta")) && len(t.Shape) == 1:
			norms = append(norms, t.Shape[0])
		case name == "input_projection/kernel" && len(t.Shape) == 2:
			s.EmbedDim = t.Shape[0]
		}
		if b := block.FindStringSubmatch(name); b != nil {
			n, err := strconv.Atoi(b[1])
			if err != nil {
				return nil, fmt.Errorf("edifice: tensor %s: %w", t.Name, err)
			}
			s.NumLayers = max(s.NumLayers, n)
		}
	}
	if s.HiddenSize = interop.HiddenSize(norms); s.HiddenSize == 0 {
		return nil, fmt.Errorf("edifice: no norm, as final_norm/gamma [hidden size], among %d tensors: is this an Edifice.Meta.QAT model?", len(tensors))
	}
	if s.NumLayers > len(tensors) { // which would be asked for one by one
		return nil, fmt.Errorf("edifice: block %d among %d tensors", s.NumLayers, len(tensors))
	}
	if s.EmbedDim == 0 {
		s.EmbedDim = s.HiddenSize
	}
	result, err := interop.Assemble(tensors, s, nil, func(param string) interop.Source {
		name := nameOf(param)
		if there, ok := names[name]; ok {
			name = there
		}
		return interop.Source{Names: []string{name}}
	})
	if err != nil {
		return nil, fmt.Errorf("edifice: %w", err)
	}
	return result, nil
}

// block is the name of a block's parameter.
var block = regexp.MustCompile(`^qat_block_(\d+)_`)

// nameOf is the name of one of our parameters there.
func nameOf(param string) string {
	layer, kind := param[:strings.LastIndex(param, ".")], param[strings.LastIndex(param, ".")+1:]
	switch {
	case strings.HasSuffix(layer, "norm"):
		kind = map[string]string{"weight": "gamma", "bias": "beta"}[kind]
	case layer == "input_projection":
		kind = map[string]string{"weight": "kernel", "bias": "bias"}[kind]
	}
	if parts := strings.Split(layer, "."); parts[0] == "blocks" {
		n, _ := strconv.Atoi(parts[1]) // of our own making
		layer = fmt.Sprintf("qat_block_%d_%s", n+1, strings.Join(parts[2:], "_"))
		if !strings.HasSuffix(layer, "norm") {
			kind = layer + "_" + kind
		}
	}
	return layer + "/" + kind
}
