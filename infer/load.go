package infer

import (
	"fmt"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

const (
	// normEpsilon and edificeSoftmaxEpsilon are the training graph's.
	normEpsilon           = 1e-5
	edificeSoftmaxEpsilon = 1e-8
)

// loader finds the parts of a valid packed model by name.
type loader struct {
	spec    spec.Model
	weights map[string]*packed.Weight
	tensors map[string][]float32
}

func load(p *packed.Model) (*Model, error) {
	l := loader{p.Spec, map[string]*packed.Weight{}, map[string][]float32{}}
	for i := range p.Weights {
		l.weights[p.Weights[i].Name] = &p.Weights[i]
	}
	for _, t := range p.Tensors {
		l.tensors[t.Name] = t.Values
	}
	s := p.Spec
	m := &Model{spec: s, input: p.Input, positions: l.tensors["positions.weight"]}
	m.attention = kernel.Attention{Batch: 1, Heads: s.NumHeads, HeadSize: s.HiddenSize / s.NumHeads}
	if s.Numerics == spec.Edifice {
		m.attention.Epsilon = edificeSoftmaxEpsilon
	}
	if s.Positions == spec.Rotary {
		m.attention.Rotary = kernel.NewRotary(s.WindowSize, m.attention.HeadSize)
	}
	if s.EmbedDim != s.HiddenSize {
		m.projection = l.dense("input_projection")
	}
	if p.Head != nil {
		m.head = l.dense("head")
		m.classes, m.targets = p.Head.Classes, p.Head.Targets
	}
	for i := range s.NumLayers {
		b, err := l.block(fmt.Sprintf("blocks.%d", i))
		if err != nil {
			return nil, err
		}
		m.blocks = append(m.blocks, b)
	}
	m.final = l.norm("final_norm")
	return m, nil
}

func (l *loader) block(path string) (b block, err error) {
	b.attnNorm, b.ffnNorm = l.norm(path+".attn_norm"), l.norm(path+".ffn_norm")
	h := l.spec.HiddenSize
	for _, part := range []struct {
		to      *linear
		name    string
		in, out int
	}{
		{&b.qkv, ".attn.qkv", h, 3 * h}, {&b.out, ".attn.out", h, h},
		{&b.up, ".ffn.up", h, 4 * h}, {&b.down, ".ffn.down", 4 * h, h},
	} {
		if *part.to, err = l.linear(path+part.name, part.in, part.out); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (l *loader) norm(path string) norm {
	return norm{
		kernel.Norm{Eps: normEpsilon, Floor: l.spec.Numerics == spec.Edifice},
		l.tensors[path+".weight"], l.tensors[path+".bias"],
	}
}

func (l *loader) dense(path string) *dense {
	d := &dense{w: l.tensors[path+".weight"], bias: l.tensors[path+".bias"]}
	d.out = len(d.bias)
	d.in = len(d.w) / d.out
	return d
}

func (l *loader) linear(path string, in, out int) (linear, error) {
	y := linear{
		path: path, in: in, out: out, bias: l.tensors[path+".bias"],
		scales: []float32{1}, edifice: l.spec.Numerics == spec.Edifice,
	}
	p := l.weights[path+".weight"]
	if p == nil {
		y.values = l.tensors[path+".weight"]
		return y, nil
	}
	codes, err := p.Unpack()
	if err != nil {
		return y, fmt.Errorf("infer: %w", err)
	}
	if l.spec.Activations == spec.Int8Activations {
		y.codes, y.scales = codes, p.Scales
		return y, nil
	}
	y.values = make([]float32, len(codes)) // [in, out]
	if !y.edifice {
		y.scales = p.Scales
	}
	for o := range out {
		for k, code := range codes[o*in : (o+1)*in] {
			v := float32(code)
			if y.edifice {
				v = quant.EdificeValue(v, p.Scales[0], p.Mode)
			}
			y.values[k*out+o] = v
		}
	}
	return y, nil
}
