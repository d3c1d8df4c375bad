package kernel

// Code is the code of one weight: w/scale, held within limit and rounded half to even.
// Clamping first gives the same code, and keeps the rounding in its range.
func Code(w, scale, limit float32) float32 {
	return RoundHalfEven(min(max(w/scale, -limit), limit))
}

// Sign is the code of one binary weight: 1 where w >= 0 (0 and -0 too), else -1.
func Sign(w float32) float32 {
	if w >= 0 {
		return 1
	}
	return -1
}

// weightGrain is the number of weights whose work pays for a goroutine.
const weightGrain = 1 << 14

// columnRows calls f for parts [lo, hi) of n elements: of any where there is one scale,
// else of whole rows, as long as there are scales.
func columnRows(n int, scales []float32, f func(lo, hi int)) {
	cols := len(scales)
	if cols == 1 || n == 0 {
		Parallel(n, weightGrain, f)
		return
	}
	Parallel(n/cols, 1+weightGrain/cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i*cols, (i+1)*cols)
		}
	})
}

// Codes writes the [Code] of each finite weight to y. Shapes: y, w [rows, columns];
// scales, none 0, [1] for all or [columns].
func Codes(y, w, scales []float32, limit float32) {
	needScales(len(y), len(w), len(scales))
	columnRows(len(w), scales, func(lo, hi int) {
		y, w, i := y[lo:hi], w[lo:hi], 0
		if n := whole(len(w)); n > 0 && chosen.train.codes != nil {
			if i = n; len(scales) == 1 {
				chosen.train.codes(y[:n], w[:n], scales[0], limit)
			} else {
				chosen.train.codesEach(y[:n], w[:n], scales[:n], limit)
			}
		}
		for ; i < len(w); i++ {
			y[i] = Code(w[i], factor(scales, i), limit)
		}
	})
}

// Signs writes the [Sign] of each weight to y.
func Signs(y, w []float32) {
	need("signs", len(y), len(w))
	Parallel(len(w), weightGrain, func(lo, hi int) {
		y, w, i := y[lo:hi], w[lo:hi], 0
		if n := whole(len(w)); n > 0 && chosen.train.signs != nil {
			chosen.train.signs(y[:n], w[:n])
			i = n
		}
		for ; i < len(w); i++ {
			y[i] = Sign(w[i])
		}
	})
}

// Scale writes x times its factor to y; they may be one. Shapes: as [Codes].
func Scale(y, x, factors []float32) {
	needScales(len(y), len(x), len(factors))
	columnRows(len(x), factors, func(lo, hi int) { scaleRow(y[lo:hi], x[lo:hi], factors) })
}

// scaleRow is Scale of elements that have one factor, or each its own.
func scaleRow(y, x, factors []float32) {
	i := 0
	if n := whole(len(x)); n > 0 && chosen.train.scale != nil {
		if i = n; len(factors) == 1 {
			chosen.train.scale(y[:n], x[:n], factors[0])
		} else {
			chosen.train.scaleEach(y[:n], x[:n], factors[:n])
		}
	}
	for ; i < len(x); i++ {
		y[i] = x[i] * factor(factors, i)
	}
}

// factor is that of column j, or of all.
func factor(factors []float32, j int) float32 {
	if len(factors) == 1 {
		return factors[0]
	}
	return factors[j]
}

func needScales(y, x, scales int) {
	need("scaled elements", y, x)
	if scales != 1 && x > 0 {
		need("scales", scales, 1)
		need("whole rows", x, ceilDiv(x, scales)*scales)
	}
}
