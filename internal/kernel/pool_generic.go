package kernel

// MeanPool writes the mean of the real rows of each sequence: one ascending
// chain per output, divided by the count. Shapes: x [batch, steps, cols];
// y [batch, cols]. first[b] is the first real step of sequence b (nil: 0).
func MeanPool(y, x []float32, first []int, batch, steps, cols int) {
	need("pool input", len(x), batch*steps*cols)
	need("pool output", len(y), batch*cols)
	for b := range batch {
		yr := y[b*cols : (b+1)*cols]
		clear(yr)
		start := startOf(first, b)
		for t := start; t < steps; t++ {
			AddRow(yr, yr, x[(b*steps+t)*cols:(b*steps+t+1)*cols])
		}
		divide(yr, float32(steps-start))
	}
}

// MeanPoolBackward writes the gradient of MeanPool's x; padded rows get 0.
func MeanPoolBackward(dx, dy []float32, first []int, batch, steps, cols int) {
	need("pool gradient", len(dx), batch*steps*cols)
	need("pool upstream gradient", len(dy), batch*cols)
	clear(dx[:batch*steps*cols])
	for b := range batch {
		start := startOf(first, b)
		var last []float32
		for t := start; t < steps; t++ {
			row := dx[(b*steps+t)*cols : (b*steps+t+1)*cols]
			if copy(row, last); t == start {
				copy(row, dy[b*cols:(b+1)*cols])
				divide(row, float32(steps-start))
			}
			last = row
		}
	}
}

// CopyReal copies the real rows of each sequence from x to y and writes +0 to
// the padded ones. Shapes: x, y [batch, steps, cols].
func CopyReal(y, x []float32, first []int, batch, steps, cols int) {
	need("rows", len(x), batch*steps*cols)
	need("copied rows", len(y), batch*steps*cols)
	for b := range batch {
		lo, mid, hi := b*steps*cols, (b*steps+startOf(first, b))*cols, (b+1)*steps*cols
		clear(y[lo:mid])
		copy(y[mid:hi], x[mid:hi])
	}
}
