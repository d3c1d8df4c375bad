package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// attentionTolerance: scores of 26 products of at most 4, then Exp within 2
	// ulp; outputs are means of values of at most 2.
	attentionTolerance = 5e-6
	// attentionGradTolerance: two softmax reductions more, gradients of up to 10.
	attentionGradTolerance = 2e-5
	// attentionStep is the distance of the finite differences, in float64: their
	// error is near 1e-9.
	attentionStep = 1e-5
)

// attentionOracle is the definition in float64.
func attentionOracle(a Attention, qkv []float64, first []int) []float64 {
	h, d := a.Hidden(), a.HeadSize
	out := make([]float64, a.Batch*a.Keep*h)
	for b := range a.Batch {
		start := startOf(first, b)
		for head := range a.Heads {
			third := func(step, which int) []float64 {
				return qkv[(b*a.Steps+step)*3*h+which*h+head*d:][:d]
			}
			queries, keys := make([][]float64, a.Steps), make([][]float64, a.Steps)
			for step := start; step < a.Steps; step++ {
				queries[step], keys[step] = third(step, 0), third(step, 1)
				if a.Rotary != nil {
					queries[step], keys[step] = rotate(queries[step], float64(step-start)), rotate(keys[step], float64(step-start))
				}
			}
			for step := max(start, a.Steps-a.Keep); step < a.Steps; step++ {
				o := out[(b*a.Keep+step-a.Steps+a.Keep)*h+head*d:]
				for j, w := range attend(queries[step], keys[start:step+1], float64(a.Epsilon)) {
					for c, v := range third(start+j, 2) {
						o[c] += w * v
					}
				}
			}
		}
	}
	return out
}

// attend is the softmax of a query's scores over the keys.
func attend(query []float64, keys [][]float64, epsilon float64) []float64 {
	s := make([]float64, len(keys))
	for j, key := range keys {
		for c, k := range key {
			s[j] += query[c] * k
		}
		s[j] /= math.Sqrt(float64(len(query)))
	}
	largest, total := slices.Max(s), epsilon
	for j := range s {
		s[j] = math.Exp(s[j] - largest)
		total += s[j]
	}
	for j := range s {
		s[j] /= total
	}
	return s
}

// attentionLiteral is the definition to the bit: one ascending chain per score and
// per output, the canonical sum, every operation rounded on its own.
func attentionLiteral(a Attention, qkv []float32, first []int) (out, weights []float32) {
	h, d := a.Hidden(), a.HeadSize
	out, weights = make([]float32, a.Batch*a.Keep*h), make([]float32, a.Weights())
	for n := range a.Batch * a.Heads * a.Keep {
		b, head, i := n/(a.Heads*a.Keep), n/a.Keep%a.Heads, n%a.Keep
		start, step := startOf(first, b), a.Steps-a.Keep+i
		if step < start {
			continue
		}
		turned := func(j, which int) []float32 {
			y := make([]float32, d)
			a.Rotary.turn(y, qkv[(b*a.Steps+j)*3*h+which*h+head*d:][:d], j-start)
			return y
		}
		query := turned(step, 0)
		var s []float32
		for j := start; j <= step; j++ {
			var dot float32
			for c, k := range turned(j, 1) {
				dot = add32(dot, mul32(query[c], k))
			}
			s = append(s, mul32(dot, float32(1/math.Sqrt(float64(d)))))
		}
		largest := slices.Max(s)
		for j := range s {
			s[j] = Exp(sub32(s[j], largest))
		}
		total := add32(sumLiteral(s), a.Epsilon)
		for j := range s {
			w := div32(s[j], total)
			weights[n*a.Steps+start+j] = w
			for c := range d {
				o := &out[(b*a.Keep+i)*h+head*d+c]
				*o = add32(*o, mul32(w, qkv[(b*a.Steps+start+j)*3*h+2*h+head*d+c]))
			}
		}
	}
	return out, weights
}

type attentionCase struct {
	a     Attention
	first []int
}

func (c attentionCase) String() string {
	return fmt.Sprintf("%dx%dx%dx%d/keep=%d/rotary=%v/eps=%v/first=%v", c.a.Batch, c.a.Steps, c.a.Heads, c.a.HeadSize, c.a.Keep, c.a.Rotary != nil, c.a.Epsilon, c.first)
}

// attentionCases: with and without padding, positions, epsilon and the last step only.
func attentionCases() (cases []attentionCase) {
	rng := newRand(11)
	for _, s := range [][4]int{{1, 1, 1, 2}, {2, 11, 2, 13}, {3, 13, 2, 22}, {2, 13, 1, 26}, {3, 17, 3, 2}, {11, 17, 3, 2}, {2, 37, 2, 11}} {
		for _, keep := range slices.Compact([]int{s[1], (s[1] + 1) / 2, 1}) {
			a := Attention{Batch: s[0], Steps: s[1], Heads: s[2], HeadSize: s[3], Keep: keep}
			cases = append(cases, attentionCase{a, nil}, attentionCase{a, randomFirst(rng, s[0], s[1])})
			a.Epsilon = 1e-8
			if s[3]%2 == 0 {
				a.Rotary = NewRotary(s[1], s[3])
			}
			cases = append(cases, attentionCase{a, nil}, attentionCase{a, randomFirst(rng, s[0], s[1])})
		}
	}
	return cases
}

func (c attentionCase) qkv(seed uint64) []float32 {
	return noise(seed, c.a.Batch*c.a.Steps*3*c.a.Hidden(), 2)
}

func (c attentionCase) forward(t *testing.T, qkv []float32) (out, weights []float32) {
	out, weights = guarded(t, c.a.Batch*c.a.Keep*c.a.Hidden()), guarded(t, c.a.Weights())
	c.a.Forward(out, weights, qkv, c.first)
	return out, weights
}

func TestAttentionForward(t *testing.T) { eachVariant(t, testAttentionForward) }

func testAttentionForward(t *testing.T) {
	for _, c := range attentionCases() {
		t.Run(c.String(), func(t *testing.T) {
			qkv := c.qkv(1)
			before := slices.Clone(qkv)
			want, wantWeights := attentionLiteral(c.a, qkv, c.first)
			within(t, attentionOracle(c.a, wide(qkv), c.first), want, attentionTolerance, "float64")
			withProcs(func(procs int) {
				out, weights := c.forward(t, qkv)
				sameBits(t, want, out, "outputs, procs %d", procs)
				sameBits(t, wantWeights, weights, "weights, procs %d", procs)
			})
			sameBits(t, before, qkv, "the input")
		})
	}
}

// rowsThatDiffer lists the steps of sequence 0 whose outputs are not the same.
func rowsThatDiffer(a Attention, x, y []float32) (steps []int) {
	h := a.Hidden()
	for i := range a.Keep {
		if !slices.Equal(x[i*h:(i+1)*h], y[i*h:(i+1)*h]) {
			steps = append(steps, a.Steps-a.Keep+i)
		}
	}
	return steps
}

// TestAttentionCausal: a change of step t changes the outputs of t and of all that
// follow, and of none before.
func TestAttentionCausal(t *testing.T) {
	const steps, heads, size = 13, 2, 11
	c := attentionCase{a: Attention{Batch: 1, Steps: steps, Heads: heads, HeadSize: size, Keep: steps}}
	h := c.a.Hidden()
	qkv := c.qkv(1)
	want, _ := c.forward(t, qkv)
	for step := range steps {
		var from []int
		for s := step; s < steps; s++ {
			from = append(from, s)
		}
		for third, name := range []string{"query", "key", "value"} {
			changed := slices.Clone(qkv)
			for j := range h {
				changed[(step*3+third)*h+j] += 1
			}
			got, _ := c.forward(t, changed)
			affected := from
			switch {
			case third == 0:
				affected = from[:1]
			case third == 1 && step == 0:
				affected = from[1:] // a single key has weight 1 whatever it is
			}
			if third == 0 && step == 0 {
				affected = nil // and whatever the query is
			}
			assert.Equal(t, affected, rowsThatDiffer(c.a, want, got), "changing the %s of step %d", name, step)
		}
	}
}

// TestAttentionMaskedWeights: weights of later steps are +0 to the bit, and those
// that count add to 1.
func TestAttentionMaskedWeights(t *testing.T) {
	c := attentionCase{a: Attention{Batch: 2, Steps: 13, Heads: 3, HeadSize: 11, Keep: 13}, first: []int{0, 5}}
	_, weights := c.forward(t, c.qkv(2))
	for n := range c.a.Batch * c.a.Heads * c.a.Keep {
		b, step := n/(c.a.Heads*c.a.Keep), n%c.a.Keep
		var total float64
		for j, w := range weights[n*c.a.Steps:][:c.a.Steps] {
			if real := j >= c.first[b] && j <= step; real {
				require.Positive(t, w, "sequence %d, query %d, key %d", b, step, j)
			} else {
				require.Zero(t, math.Float32bits(w), "sequence %d, query %d, key %d", b, step, j)
			}
			total += float64(w)
		}
		if step >= c.first[b] {
			assert.InDelta(t, 1, total, attentionTolerance, "sequence %d, query %d", b, step)
		}
	}
}

// TestAttentionPadding: NaN before the first real step changes nothing, and the
// outputs are those of the sequence without it, to the bit.
func TestAttentionPadding(t *testing.T) {
	for _, rotary := range []bool{false, true} {
		for start := range 11 {
			a := Attention{Batch: 1, Steps: 11, Heads: 2, HeadSize: 22, Keep: 11}
			if rotary {
				a.Rotary = NewRotary(11, 22)
			}
			c := attentionCase{a, []int{start}}
			h := a.Hidden()
			qkv := padded(c.qkv(3), c.first, 1, a.Steps, 3*h)
			got, _ := c.forward(t, qkv)

			short := a
			short.Steps, short.Keep = 11-start, 11-start
			want, _ := attentionCase{a: short}.forward(t, qkv[start*3*h:])
			sameBits(t, make([]float32, start*h), got[:start*h], "padded outputs, start %d, rotary %v", start, rotary)
			sameBits(t, want, got[start*h:], "start %d, rotary %v", start, rotary)

			dout := noise(4, len(got), 1)
			for i := range start * h {
				dout[i] = nan()
			}
			dqkv := c.backward(t, dout, qkv)
			sameBits(t, make([]float32, start*3*h), dqkv[:start*3*h], "padded gradients, start %d, rotary %v", start, rotary)
			sameBits(t, attentionCase{a: short}.backward(t, dout[start*h:], qkv[start*3*h:]), dqkv[start*3*h:], "gradients, start %d, rotary %v", start, rotary)
		}
	}
}

// TestAttentionKeep: leaving steps out changes no bit of those that stay.
func TestAttentionKeep(t *testing.T) {
	for _, first := range [][]int{nil, {0, 7, 12}} {
		a := Attention{Batch: 3, Steps: 13, Heads: 2, HeadSize: 22, Keep: 13, Rotary: NewRotary(13, 22)}
		full := attentionCase{a, first}
		qkv := full.qkv(5)
		all, _ := full.forward(t, qkv)
		h := a.Hidden()
		for keep := 1; keep <= a.Steps; keep++ {
			a.Keep = keep
			var want []float32
			for b := range a.Batch {
				want = append(want, all[((b+1)*a.Steps-keep)*h:(b+1)*a.Steps*h]...)
			}
			got, _ := attentionCase{a, first}.forward(t, qkv)
			sameBits(t, want, got, "keep %d, first %v", keep, first)
		}
	}
}

// TestAttentionBatch: a sequence's outputs do not depend on its neighbours.
func TestAttentionBatch(t *testing.T) {
	c := attentionCase{a: Attention{Batch: 3, Steps: 17, Heads: 2, HeadSize: 11, Keep: 17}}
	qkv := c.qkv(6)
	all, _ := c.forward(t, qkv)
	n, m := len(all)/3, len(qkv)/3
	alone := c
	alone.a.Batch = 1
	for b := range 3 {
		got, _ := alone.forward(t, qkv[b*m:(b+1)*m])
		sameBits(t, all[b*n:(b+1)*n], got, "sequence %d", b)
	}
}

// TestAttentionLarge: the row maximum is subtracted, so that scores beyond the
// range of e^x are fine, and the largest takes all.
func TestAttentionLarge(t *testing.T) {
	a := Attention{Batch: 1, Steps: 3, Heads: 1, HeadSize: 1, Keep: 1}
	out, weights := guarded(t, 1), guarded(t, 3)
	a.Forward(out, weights, []float32{0, 1e4, 5, 0, -1e4, 7, 1e4, 0, 11}, nil)
	sameBits(t, []float32{1, 0, 0}, weights, "weights")
	sameBits(t, []float32{5}, out, "output")
	a.Forward(out, weights, []float32{0, -1e4, 5, 0, -1e4, 7, 1e4, -1e4, 12}, nil)
	sameBits(t, []float32{8}, out, "equal scores give the mean")
}

// TestAttentionEpsilon: it is added to the denominator.
func TestAttentionEpsilon(t *testing.T) {
	a := Attention{Batch: 1, Steps: 1, Heads: 1, HeadSize: 1, Keep: 1, Epsilon: 0.25}
	out, weights := guarded(t, 1), guarded(t, 1)
	a.Forward(out, weights, []float32{3, 5, 10}, nil)
	sameBits(t, []float32{0.8}, weights, "1/(1 + 0.25)")
	sameBits(t, []float32{8}, out, "output")
}

func (c attentionCase) backward(t *testing.T, dout, qkv []float32) []float32 {
	_, weights := c.forward(t, qkv)
	dqkv := guarded(t, len(qkv))
	c.a.Backward(dqkv, dout, weights, qkv, c.first)
	return dqkv
}

func TestAttentionBackward(t *testing.T) {
	for _, c := range attentionCases() {
		row := c.a.Steps * 3 * c.a.Hidden()
		if row > 1100 || c.a.Batch > 3 {
			continue // finite differences take two forward passes for each element
		}
		t.Run(c.String(), func(t *testing.T) {
			qkv := c.qkv(7)
			dout := noise(8, c.a.Batch*c.a.Keep*c.a.Hidden(), 1)
			var want []float64
			for b := range c.a.Batch { // sequences have nothing to do with each other
				one, n := c.a, len(dout)/c.a.Batch
				one.Batch = 1
				want = append(want, differences(wide(qkv[b*row:(b+1)*row]), attentionStep, func(x []float64) float64 {
					return weighted(attentionOracle(one, x, []int{startOf(c.first, b)}), dout[b*n:(b+1)*n])
				})...)
			}
			within(t, want, c.backward(t, dout, qkv), attentionGradTolerance, "dqkv")
		})
	}
}

func TestAttentionBackwardThreads(t *testing.T) {
	c := attentionCase{a: Attention{Batch: 3, Steps: 61, Heads: 4, HeadSize: 22, Keep: 61, Rotary: NewRotary(61, 22)}, first: []int{0, 11, 60}}
	qkv, dout := c.qkv(9), noise(10, c.a.Batch*c.a.Keep*c.a.Hidden(), 1)
	var want []float32
	withProcs(func(procs int) {
		got := c.backward(t, dout, qkv)
		if want == nil {
			want = got
		}
		sameBits(t, want, got, "procs %d", procs)
	})
}

func TestAttentionShort(t *testing.T) {
	a := Attention{Batch: 2, Steps: 11, Heads: 1, HeadSize: 13, Keep: 11}
	h := a.Hidden()
	out, weights, qkv := make([]float32, 2*11*h), make([]float32, a.Weights()), make([]float32, 2*11*3*h)
	shortened := func(x []float32) []float32 { return x[: len(x)-1 : len(x)-1] }
	panicsWith(t, "out", len(out)-1, len(out), func() { a.Forward(shortened(out), weights, qkv, nil) })
	panicsWith(t, "weights", len(weights)-1, len(weights), func() { a.Forward(out, shortened(weights), qkv, nil) })
	panicsWith(t, "qkv", len(qkv)-1, len(qkv), func() { a.Forward(out, weights, shortened(qkv), nil) })
	panicsWith(t, "dqkv", len(qkv)-1, len(qkv), func() { a.Backward(shortened(qkv), out, weights, qkv, nil) })
	panicsWith(t, "dout", len(out)-1, len(out), func() { a.Backward(qkv, shortened(out), weights, qkv, nil) })
	panicsWith(t, "weights", len(weights)-1, len(weights), func() { a.Backward(qkv, out, shortened(weights), qkv, nil) })
	panicsWith(t, "qkv", len(qkv)-1, len(qkv), func() { a.Backward(qkv, out, weights, shortened(qkv), nil) })
}
