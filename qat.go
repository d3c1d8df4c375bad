// Package qat builds quantization-aware sequence transformers as Gorgonia
// expression graphs.
//
// Linear layers are quantized while they train (binary, ternary, int4 or int8
// weights; int8 activations per token) and their full-precision latent weights
// learn through straight-through gradients. A model is an ordinary piece of a
// graph: combine its nodes with others, call gorgonia.Grad, run it on a
// TapeMachine or a LispMachine, and step any gorgonia.Solver.
//
//	x [B, T, E]
//	  | dense E -> H in float, only if E != H
//	  | L blocks: attention and feed-forward, pre-norm, linear layers quantized
//	  | final norm, then the last time step
//	y [B, H]
//
// Values are float32. A model holds the buffers of one run: machines on one graph
// run one after the other.
package qat

import (
	"errors"
	"fmt"

	"github.com/qat-go/qat/spec"
	"gorgonia.org/gorgonia"
)

// Model is a sequence transformer in a graph. Its Layer has what a layer has:
// Output, Learnables, Params, SetTraining, SetParam, ParamValue.
type Model struct {
	Layer
	input *gorgonia.Node
	spec  spec.Model
}

// Input returns the input node, [B, T, E].
func (m *Model) Input() *gorgonia.Node { return m.input }

// Spec returns what the model is.
func (m *Model) Spec() spec.Model { return m.spec }

// Build adds a sequence transformer to g.
//
// Shapes: the input [B, T, E]; the output [B, H], or [B, T, H] with
// WithPooling(AllTimesteps).
// Options: all; WithEmbedDim or WithInput is required.
// Errors: every fault of the options at once, before a node is added. Running the
// graph with NaN or an infinity in a parameter or in the input is an error that
// names it.
func Build(g *gorgonia.ExprGraph, opts ...Option) (*Model, error) {
	c := newConfig(opts)
	c.implyActivations(c.spec.IsFloat())
	errs := append(c.faults("Build", buildOptions), c.takeInput(g)...)
	if g == nil {
		errs = append(errs, errors.New("the graph is nil"))
	} else {
		errs = append(errs, c.checkLengths(g, c.batch)...)
	}
	errs = append(errs, c.spec.Validate())
	errs = append(errs, c.checkSizes(c.batch)...)
	prefix := ""
	if c.name != "" {
		prefix = c.name + "."
	}
	p := &plan{g: g, seed: c.seed}
	if g != nil && c.spec.HasSizes() && c.spec.NumParams() <= maxElements {
		p.params = c.spec.Params()
		for i := range p.params {
			p.params[i].Name = prefix + p.params[i].Name
		}
		errs = append(errs, p.faults(c)...)
	}
	if g != nil && c.input == nil && len(g.ByName(prefix+"input")) > 0 {
		errs = append(errs, fmt.Errorf("WithName: the graph has a node %q already", prefix+"input"))
	}
	if err := fail("Build", errs); err != nil {
		return nil, err
	}
	b, err := newBuilder(p, c, newControl(c.seed))
	if err != nil {
		return nil, err
	}
	if c.input == nil {
		c.input = leaf(g, prefix+"input", []int{c.batch, c.spec.WindowSize, c.spec.EmbedDim})
	}
	l, err := b.layer(b.model(c.input, prefix))
	if err != nil {
		return nil, err
	}
	return &Model{Layer: *l, input: c.input, spec: c.spec}, nil
}

// takeInput sets B, T and E from the caller's node and returns its faults.
func (c *config) takeInput(g *gorgonia.ExprGraph) []error {
	var errs []error
	if c.batch < 1 {
		errs = append(errs, fmt.Errorf("WithBatchSize: batch size %d is not positive", c.batch))
	}
	if c.input == nil {
		if c.spec.EmbedDim == 0 && !c.has("WithEmbedDim") {
			c.spec.EmbedDim = 1 // reported here or as the nil node, not again by Validate
			if !c.has("WithInput") {
				errs = append(errs, errors.New("WithEmbedDim or WithInput is missing: the number of values in a time step has no default"))
			}
		}
		return errs
	}
	if bad := checkNode("WithInput", c.input, 3); len(bad) > 0 {
		c.spec.EmbedDim = max(c.spec.EmbedDim, 1)
		return append(errs, bad...)
	}
	if c.input.Graph() != g {
		errs = append(errs, errors.New("WithInput: the node is in another graph"))
	}
	s := c.input.Shape()
	return append(errs,
		c.take("WithBatchSize", "batch size", &c.batch, s[0], "the input node", false),
		c.take("WithWindowSize", "window", &c.spec.WindowSize, s[1], "the input node", true),
		c.take("WithEmbedDim", "embed size", &c.spec.EmbedDim, s[2], "the input node", true))
}

// model adds everything between the input [B, T, E] and the pooled output.
func (b *builder) model(x *gorgonia.Node, prefix string) *gorgonia.Node {
	s := b.spec
	h := x
	if s.EmbedDim != s.HiddenSize {
		h = b.linear(x, prefix+"input_projection", floatSpec(), func(l *linear) {
			l.chain = true
			l.pad = b.newPadding(x.Shape()[0], x.Shape()[1])
		}) // [B, T, H]
	} else {
		h = b.entry("input", prefix+"input", x)
	}
	h = b.positions(h, prefix+"positions.weight")
	for i := range s.NumLayers {
		path := fmt.Sprintf("%sblocks.%d", prefix, i)
		keep := s.WindowSize
		if i == s.NumLayers-1 && s.Pooling == LastTimestep {
			keep = 1 // nothing else is read
		}
		if i > 0 {
			h = b.dropout(h, path+".dropout", s.WindowSize)
		}
		h = b.block(h, path, keep)
	}
	h = b.norm(h, prefix+"final_norm")
	return b.pool(h, prefix+"pool")
}
