package infer

import (
	"fmt"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// loader finds the parts of a valid packed model by name.
type loader struct {
	spec    spec.Model
	weights map[string]*packed.Weight
	tensors map[string][]float32
}

// load makes a valid packed model ready to run.
func load(p *packed.Model) *Model {
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
		m.attention.Epsilon = spec.EdificeSoftmaxEpsilon
	}
	if s.EmbedDim != s.HiddenSize {
		m.projection = l.dense("input_projection")
	}
	if p.Head != nil {
		m.head = l.dense("head")
		m.classes, m.targets = p.Head.Classes, p.Head.Targets
	}
	m.blocks = make([]block, s.NumLayers)
	kernel.Parallel(s.NumLayers, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			m.blocks[i] = l.block(fmt.Sprintf("blocks.%d", i))
		}
	})
	m.final = l.norm("final_norm")
	return m
}

func (l *loader) block(path string) block {
	h := l.spec.HiddenSize
	return block{
		attnNorm: l.norm(path + ".attn_norm"),
		qkv:      l.linear(path+".attn.qkv", h, h, 2*h), // queries; keys and values
		out:      l.linear(path+".attn.out", h, h),
		ffnNorm:  l.norm(path + ".ffn_norm"),
		up:       l.linear(path+".ffn.up", h, 4*h),
		down:     l.linear(path+".ffn.down", 4*h, h),
	}
}

func (l *loader) norm(path string) norm {
	return norm{
		kernel.Norm{Eps: spec.NormEpsilon, Floor: l.spec.Numerics == spec.Edifice},
		l.tensors[path+".weight"], l.tensors[path+".bias"],
	}
}

func (l *loader) dense(path string) *dense {
	d := &dense{w: l.tensors[path+".weight"], bias: l.tensors[path+".bias"]}
	d.out = len(d.bias)
	d.in = len(d.w) / d.out
	return d
}

// linear is a layer of in inputs, whose outputs may be wanted in parts of these sizes.
func (l *loader) linear(path string, in int, parts ...int) linear {
	out := 0
	for _, n := range parts {
		out += n
	}
	y := linear{
		path: path, in: in, out: out, bias: l.tensors[path+".bias"],
		scales: []float32{1}, edifice: l.spec.Numerics == spec.Edifice,
	}
	p := l.weights[path+".weight"]
	if p == nil {
		y.values = l.tensors[path+".weight"]
		return y
	}
	codes := make([]int8, in*out) // [out, in]
	p.Unpack(codes)
	if l.spec.Activations == spec.Int8Activations {
		lo := 0
		for _, n := range parts {
			y.ints = append(y.ints, newInts(p, codes[lo*in:], in, lo, lo+n, y.bias))
			lo += n
		}
		return y
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
	return y
}

// newInts makes outputs [lo, hi) of a weight ready, of which codes are the first.
func newInts(p *packed.Weight, codes []int8, in, lo, hi int, bias []float32) ints {
	scales := p.Scales
	if len(scales) > 1 {
		scales = scales[lo:hi]
	}
	layer := kernel.PackIntLayer(codes[:(hi-lo)*in], in, hi-lo, p.Mode.Bits())
	layer.SetScales(scales, bias[lo:hi])
	return ints{*layer, lo, hi}
}
