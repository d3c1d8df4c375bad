// Package torch reads float models of this architecture that were trained in PyTorch and
// saved as safetensors, with weights [out, in].
package torch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/interop"
	"github.com/qat-go/qat/spec"
)

// Mapping says under which names another model has our parameters. {} stands for the
// number of a block, from 0. Several names are tensors whose outputs follow each other,
// as of queries, keys and values.
type Mapping map[string][]string

// Default returns the names that are taken where a mapping file says nothing.
func Default() Mapping {
	m := Mapping{"positions.weight": {"pos"}}
	for ours, theirs := range map[string]string{
		"input_projection":    "inp",
		"blocks.{}.attn_norm": "blocks.{}.ln1",
		"blocks.{}.attn.qkv":  "blocks.{}.qkv",
		"blocks.{}.attn.out":  "blocks.{}.proj",
		"blocks.{}.ffn_norm":  "blocks.{}.ln2",
		"blocks.{}.ffn.up":    "blocks.{}.up",
		"blocks.{}.ffn.down":  "blocks.{}.down",
		"final_norm":          "lnf",
		"head":                "head",
	} {
		m[ours+".weight"], m[ours+".bias"] = []string{theirs + ".weight"}, []string{theirs + ".bias"}
	}
	return m
}

// ParseMapping reads a mapping file: a JSON object whose keys are our names and whose
// values are theirs, a text or a list of texts. What it does not name stays as in Default.
//
// Errors: text that is no such object; keys that are not our names, all of them; a block's
// parameter without {}.
func ParseMapping(text []byte) (Mapping, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("torch: mapping: %w", err)
	}
	m := Default()
	var faults []error
	for _, ours := range slices.Sorted(maps.Keys(file)) {
		var one string
		var list []string
		if json.Unmarshal(file[ours], &one) == nil {
			list = []string{one}
		} else if err := json.Unmarshal(file[ours], &list); err != nil || len(list) == 0 {
			faults = append(faults, fmt.Errorf("torch: mapping: %q: want a name or a list of names", ours))
			continue
		}
		if _, ok := m[ours]; !ok {
			faults = append(faults, fmt.Errorf("torch: mapping: %q is no parameter: want one of %s", ours, strings.Join(slices.Sorted(maps.Keys(m)), ", ")))
			continue
		}
		for _, theirs := range list {
			if strings.Contains(ours, "{}") != strings.Contains(theirs, "{}") {
				faults = append(faults, fmt.Errorf("torch: mapping: %q: %q: want {} for a block's number in both or in none", ours, theirs))
			}
		}
		m[ours] = list
	}
	return m, errors.Join(faults...)
}

// Import makes a model of a PyTorch model's tensors.
//
// Of m all counts but what the tensors say: EmbedDim, HiddenSize, NumLayers, and with
// positions among them Positions and WindowSize. Classes names the outputs of the head;
// nil gives them numbers for names.
// Errors: no norm, which says the hidden size; rotary positions beside learned ones;
// names for more or fewer outputs; as interop.Assemble.
func Import(tensors []checkpoint.Tensor, m spec.Model, mapping Mapping, classes []string) (*interop.Model, error) {
	shapes := map[string][]int{}
	for _, t := range tensors {
		shapes[t.Name] = t.Shape
	}
	first := func(param string) []int { return shapes[mapping.names(param)[0]] }
	var norms []int
	add := func(layer string) bool {
		found := false
		for _, kind := range []string{".weight", ".bias"} {
			if shape := first(layer + kind); len(shape) == 1 {
				norms, found = append(norms, shape[0]), true
			}
		}
		return found
	}
	add("final_norm")
	m.NumLayers = 0
	for {
		block := fmt.Sprintf("blocks.%d.", m.NumLayers)
		attn, ffn := add(block+"attn_norm"), add(block+"ffn_norm")
		if !attn && !ffn {
			break
		}
		m.NumLayers++
	}
	m.HiddenSize = interop.HiddenSize(norms)
	if m.EmbedDim = m.HiddenSize; m.HiddenSize == 0 {
		return nil, fmt.Errorf("torch: no norm, as %s [hidden size], among %d tensors: a mapping file names it", mapping.names("final_norm.weight")[0], len(tensors))
	}
	if in := first("input_projection.weight"); len(in) == 2 {
		m.EmbedDim = in[1]
	}
	if positions := first("positions.weight"); len(positions) == 2 {
		if m.Positions == spec.Rotary {
			return nil, fmt.Errorf("torch: rotary positions asked for, but the model has learned positions, tensor %s", mapping.names("positions.weight")[0])
		}
		m.Positions, m.WindowSize = spec.Learned, positions[0]
	}
	outputs := 0
	if head := first("head.weight"); len(head) == 2 {
		outputs = head[0]
	}
	switch {
	case classes == nil:
		for i := range outputs {
			classes = append(classes, strconv.Itoa(i))
		}
	case len(classes) != outputs:
		return nil, fmt.Errorf("torch: %d classes for a head of %d outputs", len(classes), outputs)
	}
	result, err := interop.Assemble(tensors, m, classes, func(param string) interop.Source {
		return interop.Source{Names: mapping.names(param), OutFirst: param != "positions.weight"}
	})
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	return result, nil
}

// names are a parameter's there.
func (m Mapping) names(param string) []string {
	parts := strings.Split(param, ".")
	number := ""
	if parts[0] == "blocks" {
		number, parts[1] = parts[1], "{}"
	}
	names := slices.Clone(m[strings.Join(parts, ".")])
	for i, name := range names {
		names[i] = strings.Replace(name, "{}", number, 1)
	}
	return names
}
