package qat

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// Block adds one pre-norm transformer block.
//
//	h = x + drop(QuantLinear(attention(QuantLinear(norm(x)))))
//	y = h + drop(QuantLinear(drop(silu(QuantLinear(norm(h))))))
//
// Attention is causal.
//
// Shapes: x and the output [B, T, H].
// Options: WithName (default "block"), WithSeed, WithParamsFrom, WithNumHeads,
// WithQuantize, WithLayerMode, WithGranularity, WithDropout, WithNumerics,
// WithActivations, WithSTE, WithPositions (none or rotary), WithLengths,
// WithHiddenSize (only to say what x has). The layers that patterns are for begin
// with the block's name: block.attn.qkv. With lengths, the output of padded steps
// is 0.
// Errors: every fault of the arguments, before a node is added. Running the graph
// with NaN or an infinity in a parameter or in x is an error that names it.
// Source: Vaswani et al. 2017, arXiv:1706.03762; pre-norm as Xiong et al. 2020,
// arXiv:2002.04745.
func Block(x *gorgonia.Node, opts ...Option) (*Layer, error) {
	c := newConfig(opts)
	if c.name == "" {
		c.name = "block"
	}
	c.implyActivations(c.spec.BlockIsFloat(c.name))
	badNode := checkNode("x", x, 3)
	errs := append(c.faults("Block", blockOptions), badNode...)
	if len(badNode) == 0 {
		errs = append(errs, c.take("WithHiddenSize", "hidden size", &c.spec.HiddenSize, x.Shape()[2], "x", false))
		errs = append(errs, c.checkLengths(x.Graph(), x.Shape()[0])...)
		c.spec.WindowSize, c.spec.EmbedDim, c.spec.NumLayers = x.Shape()[1], x.Shape()[2], 1
		errs = append(errs, c.checkSizes(x.Shape()[0])...)
	}
	if c.spec.Positions == Learned {
		errs = append(errs, fmt.Errorf("WithPositions: learned positions belong to a model's input, not to a block"))
	}
	errs = append(errs, c.spec.ValidateBlock(c.name))
	p := &plan{seed: c.seed}
	if len(badNode) == 0 {
		p.g, p.params = x.Graph(), c.spec.BlockParams(c.name)
		errs = append(errs, p.faults(c)...)
	}
	if err := fail("Block", errs); err != nil {
		return nil, err
	}
	b, err := newBuilder(p, c, newControl(c.seed))
	if err != nil {
		return nil, err
	}
	h := b.block(b.entry("input", c.name+".input", x), c.name, x.Shape()[1])
	if c.lengths != nil && b.err == nil {
		h = b.entry("all_steps", c.name+".output", h)
	}
	return b.layer(h)
}

// block adds a block that computes the last keep steps of h [B, T, H]; the result
// is [B, keep, H].
func (b *builder) block(h *gorgonia.Node, path string, keep int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	steps, hidden := h.Shape()[1], h.Shape()[2]
	whole := func(*linear) {}
	// Keys and values are needed for every step, queries only for the kept ones.
	keysThenQueries := func(l *linear) {
		if keep == 1 && steps > 1 {
			l.parts = []part{{hidden, 3 * hidden, 1}, {0, hidden, steps}}
		}
	}
	s := b.spec
	n := b.norm(h, path+".attn_norm")
	a := b.linear(n, path+".attn.qkv", s, keysThenQueries)
	a = b.attention(a, path+".attn", keep)
	a = b.linear(a, path+".attn.out", s, whole)
	h = b.residual(h, n, a, path+".attn.residual", path+".attn.dropout", steps)
	n = b.norm(h, path+".ffn_norm")
	f := b.linear(n, path+".ffn.up", s, whole)
	f = b.silu(f, path+".ffn", path+".ffn.dropout", steps)
	f = b.linear(f, path+".ffn.down", s, whole)
	return b.residual(h, n, f, path+".ffn.residual", path+".ffn.out_dropout", steps)
}

// take sets a size to the one that a node has; an explicit option that says
// otherwise, or a spec that says it, is a fault.
func (c *config) take(option, what string, have *int, size int, node string, inSpec bool) error {
	explicit := c.has(option)
	if !explicit && inSpec && c.has("WithSpec") && *have != 0 {
		option, explicit = "WithSpec", true
	}
	if explicit && *have != size {
		return fmt.Errorf("%s: %s %d, but %s has %d", option, what, *have, node, size)
	}
	*have = size
	return nil
}

// checkLengths returns the faults of WithLengths' node.
func (c *config) checkLengths(g *gorgonia.ExprGraph, batch int) []error {
	if c.lengths == nil {
		return nil
	}
	errs := checkNode("WithLengths", c.lengths, 1)
	if len(errs) > 0 {
		return errs
	}
	if c.lengths.Graph() != g {
		errs = append(errs, fmt.Errorf("WithLengths: the node is in another graph"))
	}
	if n := c.lengths.Shape()[0]; n != batch {
		errs = append(errs, fmt.Errorf("WithLengths: %d lengths for a batch of %d", n, batch))
	}
	return errs
}
