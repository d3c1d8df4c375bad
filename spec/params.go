package spec

import (
	"github.com/qat-go/qat/quant"
)

// Init says what a parameter starts as.
type Init uint8

// The starting values.
const (
	// GlorotUniform draws from +-sqrt(6/(in+out)). Source: Glorot and Bengio 2010.
	GlorotUniform Init = iota
	// Zeros is for biases.
	Zeros
	// Ones is for the gains of norms.
	Ones
	// SmallNormal has mean 0 and deviation 0.02, for learned positions.
	// Source: Radford et al. 2018 (GPT), section 4.1.
	SmallNormal
)

// Param describes one parameter of a model or a layer.
type Param struct {
	Name  string
	Shape []int      // weights are [in, out]
	Mode  quant.Mode // of a quantized weight; Float for all else
	Init  Init
}

// Len is the number of values.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params lists a model's parameters in the order in which the model uses them.
func (m Model) Params() []Param {
	var ps []Param
	if m.EmbedDim != m.HiddenSize {
		ps = append(ps, Linear("input_projection", m.EmbedDim, m.HiddenSize, quant.Float)...)
	}
	if m.Positions == Learned {
		ps = append(ps, Param{"positions.weight", []int{m.WindowSize, m.HiddenSize}, quant.Float, SmallNormal})
	}
	for i := range m.NumLayers {
		ps = append(ps, m.BlockParams(blockPath(i))...)
	}
	return append(ps, Norm("final_norm", m.HiddenSize)...)
}

// NumParams is the number of values in a model's parameters, as a float64 because a
// mistyped size need not fit an int.
func (m Model) NumParams() float64 {
	e, h := float64(m.EmbedDim), float64(m.HiddenSize)
	n := float64(m.NumLayers)*(12*h*h+13*h) + 2*h
	if m.EmbedDim != m.HiddenSize {
		n += e*h + h
	}
	if m.Positions == Learned {
		n += float64(m.WindowSize) * h
	}
	return n
}

// BlockParams lists the parameters of one block whose names begin with path.
func (m Model) BlockParams(path string) []Param {
	h := m.HiddenSize
	var ps []Param
	quantized := func(path string, in, out int) { ps = append(ps, Linear(path, in, out, m.ModeOf(path))...) }
	ps = append(ps, Norm(path+".attn_norm", h)...)
	quantized(path+".attn.qkv", h, 3*h)
	quantized(path+".attn.out", h, h)
	ps = append(ps, Norm(path+".ffn_norm", h)...)
	quantized(path+".ffn.up", h, 4*h)
	quantized(path+".ffn.down", 4*h, h)
	return ps
}

// Linear lists the weight and bias of a linear layer.
func Linear(path string, in, out int, mode quant.Mode) []Param {
	return []Param{
		{path + ".weight", []int{in, out}, mode, GlorotUniform},
		{path + ".bias", []int{out}, quant.Float, Zeros},
	}
}

// Norm lists the gain and bias of a layer norm.
func Norm(path string, size int) []Param {
	return []Param{
		{path + ".weight", []int{size}, quant.Float, Ones},
		{path + ".bias", []int{size}, quant.Float, Zeros},
	}
}
