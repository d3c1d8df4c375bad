package kernel

import "math"

// Attention is causal multi-head attention on a packed q|k|v, in thirds of the
// last axis, heads contiguous in each.
//
//	s[t,j] = (q[t] . k[j]) * scale         j from the first real step to t
//	w      = exp(s - max s) / (sum exp(s - max s) + Epsilon)
//	out[t] = sum over j of w[t,j] v[j]
//
// Both products are one ascending chain per output; the sum is canonical.
// Source: Vaswani et al. 2017, arXiv:1706.03762.
type Attention struct {
	Batch, Steps, Heads, HeadSize int
	// Keep is the number of last steps whose outputs are computed: Steps, or 1.
	Keep int
	// Epsilon is added to the softmax denominator (Edifice numerics; else 0).
	Epsilon float32
	// Rotary turns queries and keys by their position; nil for none.
	Rotary *Rotary
}

// Hidden is Heads*HeadSize.
func (a Attention) Hidden() int { return a.Heads * a.HeadSize }

// Scale is 1/sqrt(HeadSize).
func (a Attention) Scale() float32 { return float32(1 / math.Sqrt(float64(a.HeadSize))) }

// Weights is the length of the buffer of attention weights: [batch, heads, keep, steps].
func (a Attention) Weights() int { return a.Batch * a.Heads * a.Keep * a.Steps }

// Forward computes out [batch, keep, hidden] from qkv [batch, steps, 3*hidden]
// and keeps the attention weights for Backward. first[b] is the first real step
// of sequence b (nil: 0); outputs of steps before it are +0 and nothing of them
// is read.
func (a Attention) Forward(out, weights, qkv []float32, first []int) {
	h := a.Hidden()
	need("attention output", len(out), a.Batch*a.Keep*h)
	need("attention weights", len(weights), a.Weights())
	need("attention qkv", len(qkv), a.Batch*a.Steps*3*h)
	Parallel(a.Batch*a.Heads, rowGrain(2*a.Keep*a.Steps*a.HeadSize), func(lo, hi int) {
		buf := borrow(a.Steps*a.HeadSize + a.HeadSize)
		defer scratch.Put(buf)
		for i := lo; i < hi; i++ {
			a.head(out, weights, qkv, first, i/a.Heads, i%a.Heads, *buf)
		}
	})
}

// head computes one head of one sequence.
func (a Attention) head(out, weights, qkv []float32, first []int, b, head int, buf []float32) {
	h, d := a.Hidden(), a.HeadSize
	start := startOf(first, b)
	keys, query := buf[:a.Steps*d], buf[a.Steps*d:]
	for j := start; j < a.Steps; j++ {
		row := qkv[(b*a.Steps+j)*3*h+h+head*d:]
		a.Rotary.turn(keys[j*d:(j+1)*d], row[:d], j-start)
	}
	for i := range a.Keep {
		t := a.Steps - a.Keep + i
		o := out[(b*a.Keep+i)*h+head*d:][:d]
		w := weights[((b*a.Heads+head)*a.Keep+i)*a.Steps:][:a.Steps]
		clear(w)
		if t < start {
			clear(o)
			continue
		}
		a.Rotary.turn(query, qkv[(b*a.Steps+t)*3*h+head*d:][:d], t-start)
		a.attend(o, w[start:t+1], query, keys[start*d:], d, qkv[(b*a.Steps+start)*3*h+2*h+head*d:], 3*h)
	}
}

// attend computes o [d] from a turned query [d] and from len(weights) turned keys
// and values, whose rows lie keyStride and valueStride apart.
func (a Attention) attend(o, weights, query, keys []float32, keyStride int, values []float32, valueStride int) {
	clear(o)
	scores(weights, query, keys, keyStride, a.Scale())
	softmax(weights, a.Epsilon)
	for j, w := range weights {
		addScaled(o, values[j*valueStride:][:len(o)], w)
	}
}

// Turn writes x [hidden], a query or key of a step, to y as Step wants it: every
// head turned by the step's position, if there are rotary positions.
func (a Attention) Turn(y, x []float32, position int) {
	h, d := a.Hidden(), a.HeadSize
	need("query or key", len(x), h)
	need("turned query or key", len(y), h)
	for i := 0; i < h; i += d {
		a.Rotary.turn(y[i:i+d], x[i:i+d], position)
	}
}

// Step computes out [hidden] of one step of one sequence, on the caller's
// goroutine, as Forward does: from its query, and from the keys and values
// [len(weights), hidden] of the steps up to its own. Query and keys are turned.
// weights is overwritten.
func (a Attention) Step(out, weights, query, keys, values []float32) {
	h, d := a.Hidden(), a.HeadSize
	need("attention output", len(out), h)
	need("attention query", len(query), h)
	need("attention keys", len(keys), len(weights)*h)
	need("attention values", len(values), len(weights)*h)
	for i := 0; i < h; i += d {
		a.attend(out[i:i+d], weights, query[i:i+d], keys[i:], h, values[i:], h)
	}
}

func startOf(first []int, b int) int {
	if first == nil {
		return 0
	}
	return first[b]
}

// scores writes (query . key)*scale for each key, stride apart, one ascending chain
// each; four chains run side by side for speed.
func scores(s, query, keys []float32, stride int, scale float32) {
	d := len(query)
	j := 0
	for ; j+4 <= len(s); j += 4 {
		k0, k1 := keys[j*stride:][:d], keys[(j+1)*stride:][:d]
		k2, k3 := keys[(j+2)*stride:][:d], keys[(j+3)*stride:][:d]
		var a0, a1, a2, a3 float32
		for i, q := range query {
			a0 += float32(q * k0[i])
			a1 += float32(q * k1[i])
			a2 += float32(q * k2[i])
			a3 += float32(q * k3[i])
		}
		s[j], s[j+1] = float32(a0*scale), float32(a1*scale)
		s[j+2], s[j+3] = float32(a2*scale), float32(a3*scale)
	}
	for ; j < len(s); j++ {
		var acc float32
		for i, k := range keys[j*stride:][:d] {
			acc += float32(query[i] * k)
		}
		s[j] = float32(acc * scale)
	}
}

// softmax replaces s by its softmax.
func softmax(s []float32, epsilon float32) {
	total := expSum(s, s, largest(s)) + epsilon
	divide(s, total)
}

// Backward writes the gradient of Forward's qkv. Rows and thirds that Forward
// did not read get 0.
func (a Attention) Backward(dqkv, dout, weights, qkv []float32, first []int) {
	h := a.Hidden()
	need("attention gradient", len(dqkv), a.Batch*a.Steps*3*h)
	need("attention upstream gradient", len(dout), a.Batch*a.Keep*h)
	need("attention weights", len(weights), a.Weights())
	need("attention qkv", len(qkv), a.Batch*a.Steps*3*h)
	Parallel(a.Batch*a.Heads, rowGrain(4*a.Keep*a.Steps*a.HeadSize), func(lo, hi int) {
		buf := borrow(2*a.Steps*a.HeadSize + 2*a.HeadSize + a.Steps)
		defer scratch.Put(buf)
		for i := lo; i < hi; i++ {
			a.headBackward(dqkv, dout, weights, qkv, first, i/a.Heads, i%a.Heads, *buf)
		}
	})
}

func (a Attention) headBackward(dqkv, dout, weights, qkv []float32, first []int, b, head int, buf []float32) {
	h, d, steps := a.Hidden(), a.HeadSize, a.Steps
	start := startOf(first, b)
	keys, dkeys, buf := buf[:steps*d], buf[steps*d:2*steps*d], buf[2*steps*d:]
	query, dquery, ds := buf[:d], buf[d:2*d], buf[2*d:2*d+steps]
	clear(dkeys)
	at := func(x []float32, t, third int) []float32 {
		return x[(b*steps+t)*3*h+third*h+head*d:][:d]
	}
	for j := range steps {
		clear(at(dqkv, j, 0))
		clear(at(dqkv, j, 2))
		if j >= start {
			a.Rotary.turn(keys[j*d:(j+1)*d], at(qkv, j, 1), j-start)
		}
	}
	for i := range a.Keep {
		t := steps - a.Keep + i
		if t < start {
			continue
		}
		do := dout[(b*a.Keep+i)*h+head*d:][:d]
		w := weights[((b*a.Heads+head)*a.Keep+i)*steps:][:steps]
		a.Rotary.turn(query, at(qkv, t, 0), t-start)
		clear(dquery)
		var dot float32
		for j := start; j <= t; j++ {
			addScaled(at(dqkv, j, 2), do, w[j])
			ds[j] = inner(do, at(qkv, j, 2))
			dot += ds[j] * w[j]
		}
		for j := start; j <= t; j++ {
			g := w[j] * (ds[j] - dot) * a.Scale()
			addScaled(dquery, keys[j*d:(j+1)*d], g)
			addScaled(dkeys[j*d:(j+1)*d], query, g)
		}
		a.Rotary.turnBack(at(dqkv, t, 0), dquery, t-start)
	}
	for j := range steps {
		a.Rotary.turnBack(at(dqkv, j, 1), dkeys[j*d:(j+1)*d], max(j-start, 0))
	}
}

// inner is a dot product in four partial sums; for gradients only.
func inner(x, y []float32) float32 {
	y = y[:len(x)]
	var a, b, c, d float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += x[i] * y[i]
		b += x[i+1] * y[i+1]
		c += x[i+2] * y[i+2]
		d += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return (a + b) + (c + d)
}
