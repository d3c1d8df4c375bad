package onnx

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
)

// block is one pre-norm transformer block of h [N, n, H]. With last it returns, and
// computes where that is enough, the last real step: [N, 1, H].
func (t *translator) block(i int, h value, last bool) value {
	path := fmt.Sprintf("blocks.%d", i)
	a := t.norm(path+".attn_norm", h, 3)
	a = t.attend(path+".attn", t.linear(path+".attn.qkv", a), last)
	a = t.linear(path+".attn.out", a)
	if last {
		h = t.lastStep(h)
	}
	h = t.op("Add", h, a)
	a = t.norm(path+".ffn_norm", h, 3)
	a = t.linear(path+".ffn.up", a)
	a = t.linear(path+".ffn.down", t.silu(a))
	return t.named(path, t.op("Add", h, a))
}

// lastStep is the last real one of x [N, n, ...]: [N, 1, ...].
func (t *translator) lastStep(x value) value {
	if t.count == "" {
		return t.gather(x, t.ints(int64(t.steps-1)), 1)
	}
	return t.gatherSteps(x, t.unsqueeze(t.op("Sub", t.count, t.int(1)), 2))
}

// attend is kernel.Attention of qkv [N, n, 3H], for all steps or for the last real one.
func (t *translator) attend(path string, qkv value, last bool) value {
	n, heads, rows := int64(t.steps), int64(t.spec.NumHeads), int64(t.steps)
	size := int64(t.spec.HiddenSize) / heads
	qkv = t.transpose(t.reshape(qkv, 0, n, 3, heads, size), 2, 0, 3, 1, 4) // [3, N, heads, n, size]
	q, k, v := t.gather(qkv, t.int(0), 0), t.gather(qkv, t.int(1), 0), t.gather(qkv, t.int(2), 0)
	if t.spec.Positions == spec.Rotary {
		q, k = t.turned(q), t.turned(k)
	}
	visible := t.op("GreaterOrEqual", t.upTo(t.steps, n, 1), t.upTo(t.steps, n)) // [n, n]
	if last {
		rows = 1
		q = t.transpose(t.lastStep(t.transpose(q, 0, 2, 1, 3)), 0, 2, 1, 3) // [N, heads, 1, size]
		if visible = t.real; visible != "" {
			visible = t.unsqueeze(visible, 1, 2) // [N, 1, 1, n]
		}
	}
	k = t.transpose(k, 0, 1, 3, 2)
	scores := t.products(t.each(q, 3, size), t.each(k, 2, size), false) // [N, heads, rows, n]
	scores = t.op("Mul", scores, t.float(float32(1/math.Sqrt(float64(size)))))
	if visible != "" {
		scores = t.op("Where", visible, scores, t.float(-infinity))
	}
	epsilon := float32(0)
	if t.spec.Numerics == spec.Edifice {
		epsilon = spec.EdificeSoftmaxEpsilon
	}
	weights := t.softmax(scores, t.steps, 4, epsilon)
	out := t.products(t.each(weights, 3, n), t.each(v, 2, n), false) // [N, heads, rows, size]
	return t.named(path, t.reshape(t.transpose(out, 0, 2, 1, 3), 0, rows, int64(t.spec.HiddenSize)))
}

// turned is x [N, heads, n, size], each step turned by its position.
func (t *translator) turned(x value) value {
	size := t.spec.HiddenSize / t.spec.NumHeads
	half := int64(size / 2)
	cosines, sines := kernel.NewRotary(t.steps, size).Tables()
	c := t.constant(typeFloat, rawFloats(cosines), int64(t.steps), half)
	s := t.constant(typeFloat, rawFloats(sines), int64(t.steps), half)
	parts := t.split(x, half, half)
	a, b := parts[0], parts[1]
	return t.with("Concat", []attribute{intAttribute("axis", -1)},
		t.op("Sub", t.op("Mul", a, c), t.op("Mul", b, s)),
		t.op("Add", t.op("Mul", b, c), t.op("Mul", a, s)))
}
