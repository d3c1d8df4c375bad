// Package packed holds a trained model with its weights as small integers, and reads
// and writes it as a safetensors file (docs/format.md).
package packed

import (
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Model is a trained model, with everything that running it takes.
type Model struct {
	Spec    spec.Model
	Weights []Weight // the weights of quantized layers, in the order of Spec.Params
	Tensors []Tensor // everything else, the head's last, in the order of Spec.Params
	// Head says what the head makes of the model's output; nil without a head.
	Head *Head
	// Input makes the model's input of raw values; nil where they go in as they are.
	Input *preprocess.Pipeline
}

// Weight is a quantized weight. It is nearly scale*code.
type Weight struct {
	Name    string // of the parameter, as blocks.0.attn.qkv.weight
	Mode    quant.Mode
	In, Out int
	Codes   []byte    // packed flat over row-major [Out][In]
	Scales  []float32 // one, or one an output with quant.PerChannel
}

// Tensor is a float32 parameter: of norms, biases, projection, positions, head, and
// the weight of a layer whose mode is float.
type Tensor struct {
	Name   string
	Shape  []int // a weight is [in, out]
	Values []float32
}

// Head is a float linear layer on the model's output, head.weight [hidden, width] and
// head.bias [width] in Tensors, and what its outputs are.
type Head struct {
	Classes []string `json:"classes,omitempty"` // of logits, by index; nil without
	// Targets gives outputs in the units of the data; nil where they are logits or
	// in those units already.
	Targets *preprocess.Scaler `json:"targets,omitempty"`
	Width   int                `json:"width"` // outputs
}
