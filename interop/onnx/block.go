package onnx

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
)

// block is one pre-norm transformer block of h [N, n, H].
func (t *translator) block(i int, h value) value {
	path := fmt.Sprintf("blocks.%d", i)
	a := t.norm(path+".attn_norm", h, 3)
	a = t.attend(path+".attn", t.linear(path+".attn.qkv", a))
	a = t.linear(path+".attn.out", a)
	h = t.op("Add", h, a)
	a = t.norm(path+".ffn_norm", h, 3)
	a = t.linear(path+".ffn.up", a)
	a = t.linear(path+".ffn.down", t.silu(a))
	return t.named(path, t.op("Add", h, a))
}

// attend is kernel.Attention of qkv [N, n, 3H].
func (t *translator) attend(path string, qkv value) value {
	n, heads := int64(t.steps), int64(t.spec.NumHeads)
	size := int64(t.spec.HiddenSize) / heads
	qkv = t.transpose(t.reshape(qkv, 0, n, 3, heads, size), 2, 0, 3, 1, 4) // [3, N, heads, n, size]
	q, k, v := t.gather(qkv, t.int(0), 0), t.gather(qkv, t.int(1), 0), t.gather(qkv, t.int(2), 0)
	if t.spec.Positions == spec.Rotary {
		q, k = t.turned(q), t.turned(k)
	}
	scores := t.chain(t.zeros(t.batch, heads, n, n), t.unsqueeze(q, 3), 4, t.unsqueeze(k, 2), 4, false)
	scores = t.op("Mul", scores, t.float(float32(1/math.Sqrt(float64(size)))))
	causal := t.op("GreaterOrEqual", t.upTo(t.steps, n, 1), t.upTo(t.steps, n))
	scores = t.op("Where", causal, scores, t.float(-infinity))
	epsilon := float32(0)
	if t.spec.Numerics == spec.Edifice {
		epsilon = spec.EdificeSoftmaxEpsilon
	}
	weights := t.softmax(scores, t.steps, 4, epsilon) // [N, heads, n, n]
	// ... x [N, heads, n, 1] of each step's weight and its value [N, heads, 1, size]
	out := t.chain(t.zeros(t.batch, heads, n, size), t.unsqueeze(weights, 3), 4, t.unsqueeze(v, 2), 3, false)
	return t.named(path, t.reshape(t.transpose(out, 0, 2, 1, 3), 0, n, int64(t.spec.HiddenSize)))
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
