package kernel

// Backward writes the gradient of Forward's qkv. Rows and thirds that Forward
// did not read get 0.
//
//	dv = w^T dout
//	ds = w * (dout v^T - rows' sums of w * dout v^T) * scale
//	dq = ds k,  dk = ds^T q
func (a Attention) Backward(dqkv, dout, weights, qkv []float32, first []int) {
	h := a.Hidden()
	need("attention gradient", len(dqkv), a.Batch*a.Steps*3*h)
	need("attention upstream gradient", len(dout), a.Batch*a.Keep*h)
	need("attention weights", len(weights), a.Weights())
	need("attention qkv", len(qkv), a.Batch*a.Steps*3*h)
	Parallel(a.Batch*a.Heads, rowGrain(a.Keep*a.Steps*a.HeadSize), func(lo, hi int) {
		buf := borrow((a.Keep+a.HeadSize)*roundUp(a.Steps) + 2*a.Steps*a.HeadSize)
		defer scratch.Put(buf)
		for i := lo; i < hi; i++ {
			a.headBackward(dqkv, dout, weights, qkv, first, i/a.Heads, i%a.Heads, *buf)
		}
	})
}

func (a Attention) headBackward(dqkv, dout, weights, qkv []float32, first []int, b, head int, buf []float32) {
	h, d, row := a.Hidden(), a.HeadSize, 3*a.Hidden()
	start := startOf(first, b)
	n := a.Steps - start // real steps, from is the first whose output was kept
	from := max(0, n-a.Keep)
	all := dqkv[b*a.Steps*row+head*d:]
	for j := range a.Steps {
		if j < start+from {
			clear(all[j*row : j*row+d])
		}
		if j < start {
			clear(all[j*row+h : j*row+h+d])
			clear(all[j*row+2*h : j*row+2*h+d])
		}
	}
	if n == 0 {
		return
	}
	skip, width := a.Keep-(n-from), roundUp(n)
	take := func(size int) (part []float32) {
		part, buf = buf[:size], buf[size:]
		return part
	}
	steps, grads := qkv[(b*a.Steps+start)*row+head*d:], all[start*row:]
	x := attendanceBackward{
		d: d, from: from, n: n,
		dout: dout[(b*a.Keep+skip)*h+head*d:], doutStride: h,
		weights: weights[((b*a.Heads+head)*a.Keep+skip)*a.Steps+start:], weightStride: a.Steps,
		query: steps[from*row:], keys: steps[h:], stride: row,
		dquery: grads[from*row:], dkeys: grads[h:], dstride: row,
		dvalues: grads[2*h:], valueStride: row,
		ds: take((n - from) * width), dsStride: width,
	}
	valuesT := take(d * width)
	chosen.gemm.pack.columns(valuesT, width, steps[2*h:], row, n, d)
	if a.Rotary == nil {
		x.run(valuesT, a.Scale())
		return
	}
	x.query, x.keys, x.stride = take((n-from)*d), take(n*d), d
	a.turnRows(x.query, steps[from*row:], row, n-from, from)
	a.turnRows(x.keys, steps[h:], row, n, 0)
	x.run(valuesT, a.Scale())
	for t := range n {
		k := grads[t*row+h:][:d]
		a.Rotary.turnBack(k, k, t)
		if t >= from {
			q := grads[t*row:][:d]
			a.Rotary.turnBack(q, q, t)
		}
	}
}

// attendanceBackward is the gradient of an attendance of n-from steps.
type attendanceBackward struct {
	d, from, n   int
	dout         []float32 // [n-from, d], rows doutStride apart; so below
	doutStride   int
	weights      []float32 // [n-from, n]
	weightStride int
	query, keys  []float32 // [n-from, d], [n, d], turned
	stride       int
	dquery       []float32
	dkeys        []float32
	dstride      int
	dvalues      []float32 // [n, d]
	valueStride  int
	ds           []float32 // [n-from, n], scratch
	dsStride     int
}

// run computes every gradient. Products leave out, by whole tiles, what lies behind the
// causal mask; within a tile ds is 0 there, as weights are.
func (x *attendanceBackward) run(valuesT []float32, scale float32) {
	k, rows := &chosen.gemm, x.n-x.from
	for lo := 0; lo < rows; lo += k.high {
		high := min(k.high, rows-lo)
		end := x.from + lo + high
		ds := x.ds[lo*x.dsStride:]
		x.product(k, high, end, x.d, x.dout[lo*x.doutStride:], x.doutStride, 1, valuesT, x.dsStride, ds, x.dsStride)
		for i := range high {
			t := x.from + lo + i + 1
			row := ds[i*x.dsStride : i*x.dsStride+x.n]
			softmaxBackward(row[:t], x.weights[(lo+i)*x.weightStride:][:t], scale)
			clear(row[t:])
		}
		x.product(k, high, x.d, end, ds, x.dsStride, 1, x.keys, x.stride, x.dquery[lo*x.dstride:], x.dstride)
	}
	for j := 0; j < x.n; j += k.high {
		high, first := min(k.high, x.n-j), max(0, j-x.from) // the first step that looks at step j
		x.product(k, high, x.d, rows-first, x.ds[first*x.dsStride+j:], 1, x.dsStride, x.query[first*x.stride:], x.stride, x.dkeys[j*x.dstride:], x.dstride)
		x.product(k, high, x.d, rows-first, x.weights[first*x.weightStride+j:], 1, x.weightStride, x.dout[first*x.doutStride:], x.doutStride, x.dvalues[j*x.valueStride:], x.valueStride)
	}
}

// product is a row of tiles, of any number of columns.
func (x *attendanceBackward) product(k *gemmKernel, rows, cols, depth int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int) {
	for j := 0; j < cols; j += k.wide {
		k.tile(rows, min(k.wide, cols-j), depth, a, aRow, aStep, b[j:], bStep, c[j:], cRow, false)
	}
}

// softmaxBackward replaces the gradient of weights w by that of what the softmax was of,
// times scale. The sum is canonical.
func softmaxBackward(ds, w []float32, scale float32) {
	var s [lanes]float32
	n, i := whole(len(w)), 0
	if n > 0 && chosen.train.dotLanes != nil {
		s, i = chosen.train.dotLanes(ds[:n], w[:n]), n
	}
	for j := i; j < len(w); j++ {
		s[j%lanes] += float32(ds[j] * w[j])
	}
	dot := tree(&s)
	if i > 0 && chosen.train.softmaxBackward != nil {
		chosen.train.softmaxBackward(ds[:n], w[:n], dot, scale)
	} else {
		i = 0
	}
	for j := i; j < len(w); j++ {
		ds[j] = w[j] * (ds[j] - dot) * scale
	}
}
