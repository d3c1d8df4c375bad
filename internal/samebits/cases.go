package samebits

import (
	"fmt"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Case is a model, whose values go by their names, and the frames that it reads.
type Case struct {
	Name     string
	Spec     spec.Model
	Width    int // of the head; 0 for none
	Frames   int // of each recording
	SameSign bool
}

// mixed are the modes by layer of a case without one mode.
var mixed = []spec.LayerMode{
	{Pattern: "blocks.0.ffn.*", Mode: quant.Int8}, {Pattern: "*.attn.out", Mode: quant.Binary}, {Pattern: "*.attn.qkv", Mode: quant.Int4},
}

// Cases returns all cases: each mode and mixed ones, with each granularity, pooling
// and kind of positions, in prime sizes; 64 and 256 wide; and int8 layers of so many
// inputs that a float32 sum of their codes is not exact. All have int8 activations, as
// what is promised across CPUs.
func Cases() (all []Case) {
	for i, mode := range []quant.Mode{quant.Binary, quant.Ternary, quant.Int4, quant.Int8, quant.Ternary} {
		var layers []spec.LayerMode
		if i == 4 {
			layers = mixed
		}
		for _, g := range []quant.Granularity{quant.PerTensor, quant.PerChannel} {
			for _, pooling := range []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps} {
				for _, positions := range []spec.Positions{spec.NoPositions, spec.Rotary, spec.Learned} {
					c := small(mode, layers, g)
					c.Name += fmt.Sprintf(" %v %v", pooling, positions)
					c.Spec.Pooling, c.Spec.Positions = pooling, positions
					if pooling == spec.AllTimesteps {
						c.Frames = 33
					}
					if len(all)%2 == 0 {
						c.Width = 5
					}
					if len(all)%5 == 0 { // no projection
						c.Spec.EmbedDim = c.Spec.HiddenSize
					}
					all = append(all, c)
				}
			}
			c := small(mode, layers, g)
			c.Name += " 64"
			c.Spec.HiddenSize, c.Spec.NumHeads, c.Spec.Positions, c.Spec.Pooling = 64, 4, spec.Rotary, spec.AllTimesteps
			all = append(all, c)
			c = small(mode, layers, g)
			c.Name += " 256"
			c.Spec.HiddenSize, c.Spec.NumHeads, c.Spec.Positions, c.Spec.WindowSize = 256, 4, spec.Learned, 3
			c.Spec.NumLayers, c.Frames, c.Width = 1, 4, 5
			all = append(all, c)
		}
	}
	for _, hidden := range []int{260, 512, 1024} {
		c := small(quant.Int8, nil, quant.PerTensor)
		c.Name = fmt.Sprint("int8 same sign ", 4*hidden)
		c.Spec.HiddenSize, c.Spec.NumHeads, c.Spec.NumLayers, c.Spec.WindowSize = hidden, 4, 1, 2
		c.Frames, c.SameSign = 2, true
		all = append(all, c)
	}
	return all
}

// small is a model of prime sizes; with no pooling and positions named, the last step
// and none.
func small(mode quant.Mode, layers []spec.LayerMode, g quant.Granularity) Case {
	name := mode.String()
	if layers != nil {
		name = "mixed"
	}
	return Case{
		Name: fmt.Sprintf("%s %v", name, g), Frames: 19,
		Spec: spec.Model{
			EmbedDim: 11, HiddenSize: 26, NumHeads: 13, NumLayers: 2, WindowSize: 17,
			Quantize: mode, LayerModes: layers, Granularity: g,
		},
	}
}
