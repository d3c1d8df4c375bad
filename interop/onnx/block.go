package onnx

import (
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
)

// block is a transformer block of h [N, T, H]. With last it computes, and returns,
// the last step alone.
func (t *translation) block(path string, h value, last bool) value {
	a := t.attention(path, t.normOf(path+".attn_norm", h), last)
	if last {
		h = t.lastOf(h)
	}
	h = t.op("Add", h, t.linear(path+".attn.out", a))
	up := t.linear(path+".ffn.up", t.normOf(path+".ffn_norm", h))
	return t.op("Add", h, t.linear(path+".ffn.down", t.silu(up)))
}

func (t *translation) normOf(path string, x value) value {
	k := kernel.Norm{Eps: spec.NormEpsilon, Floor: t.spec.Numerics == spec.Edifice}
	return t.norm(x, k, t.tensors[path+".weight"], t.tensors[path+".bias"])
}

// lastOf is the last real step of x [N, T, n]: [N, 1, n].
func (t *translation) lastOf(x value) value {
	if t.real == "" {
		return t.slice(x, 1, t.steps-1, t.steps)
	}
	at := t.unsqueeze(t.op("Sub", t.real, t.int(1)), 1) // [N, 1]
	return t.unsqueeze(t.ops(1, "GatherND", []value{x, at}, number("batch_dims", 1))[0], 1)
}

// attention is what kernel.Attention computes of the queries, keys and values of x
// [N, T, H]: of every step, or of the last real one. Steps that are not real come
// after all others here, so that causality hides them.
func (t *translation) attention(path string, x value, last bool) value {
	heads, n := t.spec.NumHeads, t.steps
	size := t.spec.HiddenSize / heads
	thirds := t.split(t.linear(path+".attn.qkv", x), 2, heads*size, heads*size, heads*size)
	for i, third := range thirds {
		third = t.transpose(t.reshape(third, 0, n, heads, size), 0, 2, 1, 3) // [N, heads, T, size]
		if i < 2 && t.spec.Positions == spec.Rotary {
			third = t.turn(third, size)
		}
		thirds[i] = third
	}
	q, k, v := thirds[0], t.transpose(thirds[1], 0, 1, 3, 2), thirds[2]
	rows := n
	if last {
		rows = 1
		q = t.transpose(t.lastOf(t.reshape(t.transpose(q, 0, 2, 1, 3), 0, n, heads*size)), 0, 1, 2)
		q = t.transpose(t.reshape(q, 0, 1, heads, size), 0, 2, 1, 3) // [N, heads, 1, size]
	}
	scores := t.products(t.each(q, 3, size), t.each(k, 2, size)) // [N, heads, rows, T]
	scores = t.op("Mul", scores, t.float(kernel.Attention{HeadSize: size}.Scale()))
	scores = t.op("Where", t.visible(last), scores, t.float(float32(math.Inf(-1))))
	epsilon := float32(0)
	if t.spec.Numerics == spec.Edifice {
		epsilon = spec.EdificeSoftmaxEpsilon
	}
	weights := t.softmax(scores, 4, n, epsilon)
	out := t.products(t.each(weights, 3, n), t.each(v, 2, n)) // [N, heads, rows, size]
	return t.reshape(t.transpose(out, 0, 2, 1, 3), 0, rows, heads*size)
}

// visible says which steps a query meets: those not after its own. It is [T, T], or
// [N, 1, 1, T] for the last real one's where that differs.
func (t *translation) visible(last bool) value {
	n := t.steps
	if last && t.real != "" {
		return t.op("Less", t.ints(counting(n)...), t.unsqueeze(t.real, 1, 2, 3))
	}
	mask := make([]byte, 0, n*n)
	for i := range n {
		for j := range n {
			if last {
				i = n - 1
			}
			seen := byte(0)
			if j <= i {
				seen = 1
			}
			mask = append(mask, seen)
		}
		if last {
			return t.tensor(typeBool, []int{1, n}, mask)
		}
	}
	return t.tensor(typeBool, []int{n, n}, mask)
}

// counting is 0, 1, ..., n-1.
func counting(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

// turn is what kernel.Rotary does to x [N, heads, T, size].
func (t *translation) turn(x value, size int) value {
	cos, sin := kernel.NewRotary(t.steps, size).Tables()
	c, s := t.floats(cos, t.steps, size/2), t.floats(sin, t.steps, size/2)
	half := t.split(x, 3, size/2, size/2)
	first := t.op("Sub", t.op("Mul", half[0], c), t.op("Mul", half[1], s))
	second := t.op("Add", t.op("Mul", half[1], c), t.op("Mul", half[0], s))
	return t.concat(3, first, second)
}
