package kernel

// AddRows writes h + a to y, where a and y hold the last `keep` of every `steps`
// rows of h; of a what d leaves. Shapes: h [batch, steps, cols]; a, y [batch, keep, cols].
func AddRows(y, h, a []float32, d *Dropout, batch, steps, keep, cols int) {
	need("residual", len(h), batch*steps*cols)
	need("branch", len(a), batch*keep*cols)
	need("residual sum", len(y), batch*keep*cols)
	n := keep * cols
	d.need(batch * n)
	Parallel(batch*keep, rowGrain(2*cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y, a := y[i*cols:(i+1)*cols], a[i*cols:(i+1)*cols]
			if d != nil {
				d.piece(y, a, i*cols)
				a = y
			}
			AddRow(y, h[((i/keep+1)*steps-keep+i%keep)*cols:][:cols], a)
		}
	})
}

// AddRow writes h + a to y, elementwise, on the caller's goroutine.
func AddRow(y, h, a []float32) {
	need("residual", len(h), len(a))
	need("residual sum", len(y), len(a))
	i := 0
	if n := whole(len(a)); n > 0 && chosen.vector.add != nil {
		chosen.vector.add(y[:n], h[:n], a[:n])
		i = n
	}
	for ; i < len(a); i++ {
		y[i] = h[i] + a[i]
	}
}

// ColumnSums adds the rows of x [rows, cols], each ld apart, in a fixed order and
// writes the sums to y [cols].
func ColumnSums(y, x []float32, rows, cols, ld int) {
	need("column sums", len(y), cols)
	clear(y[:cols])
	if rows == 0 {
		return
	}
	need("column sums' input", len(x), (rows-1)*ld+cols)
	buf := borrow(reduceChunks * cols)
	defer scratch.Put(buf)
	part := *buf
	clear(part)
	chunks(rows, rows > rowGrain(cols), func(c, lo, hi int) {
		p := part[c*cols : (c+1)*cols]
		for i := lo; i < hi; i++ {
			AddRow(p, p, x[i*ld:i*ld+cols])
		}
	})
	for c := range reduceChunks {
		AddRow(y, y, part[c*cols:(c+1)*cols])
	}
}
