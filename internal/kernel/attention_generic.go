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
		buf := borrow(a.Steps*a.HeadSize + (a.HeadSize+chosen.chain.high)*roundUp(a.Steps))
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
	o := out[b*a.Keep*h+head*d:]
	w := weights[(b*a.Heads+head)*a.Keep*a.Steps:][:a.Keep*a.Steps]
	skip := max(0, start-(a.Steps-a.Keep)) // kept steps that are padding
	for i := range skip {
		clear(o[i*h : i*h+d])
		clear(w[i*a.Steps : (i+1)*a.Steps])
	}
	if skip == a.Keep {
		return
	}
	n, row := a.Steps-start, 3*h
	steps := qkv[(b*a.Steps+start)*row+head*d:]
	from := n - (a.Keep - skip)
	keys, transposed, buf := buf[:n*d], buf[n*d:n*d+d*roundUp(n)], buf[n*d+d*roundUp(n):]
	x := attendance{
		d: d, scale: a.Scale(), epsilon: a.Epsilon,
		query: steps[from*row:], queryStride: row,
		keys: transposed, keyStride: roundUp(n),
		values: steps[2*h:], valueStride: row,
		out: o[skip*h:], outStride: h,
		weights: w[skip*a.Steps+start:], weightStride: a.Steps,
	}
	for i := skip; i < a.Keep; i++ {
		clear(w[i*a.Steps : i*a.Steps+start])
	}
	if a.Rotary == nil {
		chosen.chain.pack.columns(transposed, x.keyStride, steps[h:], row, n, d)
	} else {
		a.turnRows(keys, steps[h:], row, n, 0)
		chosen.chain.pack.columns(transposed, x.keyStride, keys, d, n, d)
		a.turnRows(keys, x.query, row, n-from, from)
		x.query, x.queryStride = keys, d
	}
	for t := from + 1; t < n && !x.careful; t++ {
		x.careful = FirstNotFinite(x.values[t*row:t*row+d]) >= 0
	}
	x.run(from, n-from, buf)
}

// turnRows writes n rows of one head, from a position on, turned, to y.
func (a Attention) turnRows(y, x []float32, xRow, n, from int) {
	d := a.HeadSize
	for i := range n {
		a.Rotary.turn(y[i*d:(i+1)*d], x[i*xRow:i*xRow+d], from+i)
	}
}

// roundUp is n, up to whole groups of lanes.
func roundUp(n int) int { return ceilDiv(n, lanes) * lanes }

// attendance is one head's attention of consecutive steps of a sequence.
type attendance struct {
	d              int
	scale, epsilon float32
	query          []float32 // [n, d], rows queryStride apart; turned, as the keys
	queryStride    int
	keys           []float32 // [d, steps], rows keyStride apart
	keyStride      int
	values         []float32 // [steps, d]
	valueStride    int
	out            []float32 // [n, d]
	outStride      int
	weights        []float32 // [n, from+n]; nil where they are not kept
	weightStride   int
	// careful says that a value of a step after the first is not finite, and must not
	// meet the weight 0 of a step before it.
	careful bool
}

// run computes n steps from step from on. buf holds a weight for each of a tile's rows
// and each step, padded.
func (x *attendance) run(from, n int, buf []float32) {
	k := &chosen.chain
	high := k.high
	if x.careful {
		high = 1
	}
	for lo := 0; lo < n; lo += high {
		rows := min(high, n-lo)
		end := from + lo + rows
		width := roundUp(end)
		w := buf[:rows*width]
		k.rows(rows, end, x.d, x.query[lo*x.queryStride:], x.queryStride, x.keys, x.keyStride, w, width)
		for i := range rows {
			mask(w[i*width:(i+1)*width], from+lo+i+1)
		}
		softmaxRows(w, rows, x.scale, x.epsilon)
		for i := 0; i < rows && x.weights != nil; i++ {
			kept, row := x.weights[(lo+i)*x.weightStride:][:from+n], w[i*width:(i+1)*width]
			clear(kept[copy(kept, row[:from+lo+i+1]):])
		}
		k.rows(rows, x.d, end, w, width, x.values, x.valueStride, x.out[lo*x.outStride:], x.outStride)
	}
}

// mask gives the scores from t on the weight +0, which changes no sum.
func mask(row []float32, t int) {
	for j := t; j < len(row); j++ {
		row[j] = minusInf
	}
}

var minusInf = float32(math.Inf(-1))

// Turn writes x [hidden], a query or key of a step, to y as Rows wants it: every
// head turned by the step's position, if there are rotary positions.
func (a Attention) Turn(y, x []float32, position int) {
	h, d := a.Hidden(), a.HeadSize
	need("query or key", len(x), h)
	need("turned query or key", len(y), h)
	for i := 0; i < h; i += d {
		a.Rotary.turn(y[i:i+d], x[i:i+d], position)
	}
}

// Keys writes keys, turned, [n, hidden] to columns from on of transposed, whose hidden
// rows are stride apart, as Rows wants them.
func (a Attention) Keys(transposed []float32, stride, from int, keys Matrix) {
	keys.need("attention keys")
	need("transposed keys", len(transposed), (a.Hidden()-1)*stride+from+keys.Rows)
	chosen.chain.pack.columns(transposed[from:], stride, keys.Data, keys.Stride, keys.Rows, a.Hidden())
}

// Rows computes out [n, hidden] of the steps from on of one sequence, on the caller's
// goroutine, as Forward does: from their queries [n, hidden], the transposed keys of all
// steps, stride apart, and the values [from+n, hidden]. Queries and keys are turned.
func (a Attention) Rows(out []float32, queries Matrix, transposed []float32, stride int, values Matrix, from int) {
	h, d, n := a.Hidden(), a.HeadSize, queries.Rows
	queries.need("attention queries")
	need("attention output", len(out), n*h)
	need("transposed keys", len(transposed), (h-1)*stride+from+n)
	values.Rows, values.Cols = from+n, h
	values.need("attention values")
	rows := chosen.chain.high
	if n == 1 {
		rows = a.Heads
	}
	buf := borrow(rows * roundUp(from+n))
	defer scratch.Put(buf)
	x := attendance{
		d: d, scale: a.Scale(), epsilon: a.Epsilon,
		queryStride: queries.Stride, keyStride: stride, valueStride: values.Stride, outStride: h,
	}
	for t := from + 1; t < from+n && !x.careful; t++ {
		x.careful = FirstNotFinite(values.Data[t*values.Stride:t*values.Stride+h]) >= 0
	}
	if n == 1 {
		x.one(*buf, from+1, h, queries.Data, transposed, values.Data, out)
		return
	}
	for i := 0; i < h; i += d {
		x.query, x.keys, x.values, x.out = queries.Data[i:], transposed[i*stride:], values.Data[i:], out[i:]
		x.run(from, n, *buf)
	}
}

// one computes one step of all heads, which has t to read: all heads' scores, their weights,
// and then the sums, none of which wait for another head's.
func (x *attendance) one(buf []float32, t, hidden int, query, keys, values, out []float32) {
	k, width := &chosen.chain, roundUp(t)
	for i := 0; i < hidden; i += x.d {
		w := buf[i/x.d*width:][:width]
		k.rows(1, t, x.d, query[i:], 0, keys[i*x.keyStride:], x.keyStride, w, width)
		mask(w, t)
	}
	heads := hidden / x.d
	softmaxRows(buf[:heads*width], heads, x.scale, x.epsilon)
	for i := 0; i < hidden; i += x.d {
		k.rows(1, x.d, t, buf[i/x.d*width:], width, values[i:], x.valueStride, out[i:], 0)
	}
}

func startOf(first []int, b int) int {
	if first == nil {
		return 0
	}
	return first[b]
}
