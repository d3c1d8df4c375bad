package kernel

import (
	"testing"
)

// poisonScratch makes the buffers that wait to be lent hold NaN.
func poisonScratch(sizes ...int) {
	for _, n := range sizes {
		buf := borrow(n)
		whole := (*buf)[:cap(*buf)]
		for i := range whole {
			whole[i] = nan()
		}
		scratch.Put(buf)
	}
}

func TestAttentionBackward_variants(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		TestAttentionBackward(t)
		TestAttentionBackwardThreads(t)
	})
}

// TestAttentionBackward_scratch: nothing is read that this call did not write, and what
// has no gradient gets 0, whatever number of steps is kept and padded.
func TestAttentionBackward_scratch(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, keep := range []int{1, 5, 13, 37} {
			for _, first := range []int{0, 3, 24, 36} {
				for _, rotary := range []*Rotary{nil, NewRotary(37, 22)} {
					c := attentionCase{a: Attention{Batch: 1, Steps: 37, Heads: 2, HeadSize: 22, Keep: keep, Rotary: rotary}, first: []int{first}}
					qkv := c.qkv(9)
					want := attentionGradient(c, noise(10, keep*c.a.Hidden(), 1), qkv)
					for size := 64; size <= 1<<14; size *= 2 {
						poisonScratch(size)
					}
					got := c.backward(t, noise(10, keep*c.a.Hidden(), 1), qkv)
					within(t, want, got, attentionGradTolerance, "keep %d, first %d", keep, first)
				}
			}
		}
	})
}

// attentionGradient is Backward for one sequence in float64, from the formulas.
func attentionGradient(c attentionCase, dout, qkv []float32) []float64 {
	a, h, d, start := c.a, c.a.Hidden(), c.a.HeadSize, c.first[0]
	out := make([]float64, len(qkv))
	turn := func(x []float32, position int, sign float64) []float64 {
		y := wide(x)
		if a.Rotary == nil {
			return y
		}
		for i := range d / 2 {
			cos, sin := float64(a.Rotary.cos[position*d/2+i]), sign*float64(a.Rotary.sin[position*d/2+i])
			y[i], y[i+d/2] = y[i]*cos-y[i+d/2]*sin, y[i+d/2]*cos+y[i]*sin
		}
		return y
	}
	weights := make([]float32, a.Weights())
	a.Forward(make([]float32, len(dout)), weights, qkv, c.first)
	for head := range a.Heads {
		at := func(t, third int) []float32 { return qkv[t*3*h+third*h+head*d:][:d] }
		for i := range a.Keep {
			t := a.Steps - a.Keep + i
			if t < start {
				continue
			}
			w, do := weights[(head*a.Keep+i)*a.Steps:], dout[i*h+head*d:]
			ds, dot := make([]float64, a.Steps), 0.0
			for j := start; j <= t; j++ {
				for k, v := range at(j, 2) {
					ds[j] += float64(do[k]) * float64(v)
					out[j*3*h+2*h+head*d+k] += float64(w[j]) * float64(do[k])
				}
				dot += ds[j] * float64(w[j])
			}
			for j := start; j <= t; j++ {
				g := float64(w[j]) * (ds[j] - dot) * float64(a.Scale())
				q, k := turn(at(t, 0), t-start, 1), turn(at(j, 1), j-start, 1)
				dq, dk := make([]float32, d), make([]float32, d)
				for e := range d {
					dq[e], dk[e] = float32(g*k[e]), float32(g*q[e])
				}
				for e, v := range turn(dq, t-start, -1) {
					out[t*3*h+head*d+e] += v
				}
				for e, v := range turn(dk, j-start, -1) {
					out[j*3*h+h+head*d+e] += v
				}
			}
		}
	}
	return out
}
