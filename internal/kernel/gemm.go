package kernel

import "fmt"

//go:generate go -C gen run . -set neon -out ../gen_gemm_arm64.s -stubs ../gen_gemm_arm64.go

// Matrix is a row-major matrix whose rows lie Stride apart.
type Matrix struct {
	Data       []float32
	Rows, Cols int
	Stride     int
}

// Dense returns data as a matrix whose rows touch.
func Dense(data []float32, rows, cols int) Matrix {
	return Matrix{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Columns returns columns [lo, hi) of m.
func (m Matrix) Columns(lo, hi int) Matrix {
	return Matrix{Data: m.Data[lo:], Rows: m.Rows, Cols: hi - lo, Stride: m.Stride}
}

// EveryLast returns the last of every n rows of m.
func (m Matrix) EveryLast(n int) Matrix {
	if m.Rows == 0 {
		return m
	}
	return Matrix{Data: m.Data[(n-1)*m.Stride:], Rows: m.Rows / n, Cols: m.Cols, Stride: n * m.Stride}
}

// need panics unless the data reach the last element.
func (m Matrix) need(what string) { need(what, len(m.Data), (m.Rows-1)*m.Stride+m.Cols) }

// Gemm writes a*b to c, or adds it where accumulate is set. transA and transB
// say that a [k, m] or b [n, k] enters transposed.
//
// Every output is one ascending chain over k, from +0 or from what is there: its
// bits depend on its row of a and its column of b alone, whatever is computed
// beside it and by however many threads. Where the CPU has fused multiply-add the
// links of the chain are fused, elsewhere rounded twice, so that last bits may
// differ between the two. The product is exact while every partial sum is an
// integer of at most 2^24 in magnitude.
func Gemm(c, a, b Matrix, transA, transB, accumulate bool) {
	if g, any := newGemm(chosen.gemm, c, a, b, transA, transB, accumulate); any {
		g.run()
	}
}

// GemmRows is Gemm of operands that lie as they enter, on the caller's goroutine.
func GemmRows(c, a, b Matrix) {
	if g, any := newGemm(chosen.gemm, c, a, b, false, false, false); any {
		g.part(0, g.count())
	}
}

// newGemm judges a product; it does what is to be done where there is none to
// compute, and any is then false.
func newGemm(k gemmKernel, c, a, b Matrix, transA, transB, accumulate bool) (g gemm, any bool) {
	rows, depth, inner, cols := a.Rows, a.Cols, b.Rows, b.Cols
	if transA {
		rows, depth = depth, rows
	}
	if transB {
		inner, cols = cols, inner
	}
	if rows != c.Rows || depth != inner || cols != c.Cols {
		panic(fmt.Sprintf("kernel: a product of %dx%d and %dx%d is not %dx%d", rows, depth, inner, cols, c.Rows, c.Cols))
	}
	a.need("product's left side")
	b.need("product's right side")
	c.need("product")
	if c.Rows == 0 || c.Cols == 0 {
		return g, false
	}
	if depth == 0 {
		for i := 0; i < c.Rows && !accumulate; i++ {
			clear(c.Data[i*c.Stride : i*c.Stride+c.Cols])
		}
		return g, false
	}
	g = gemm{gemmKernel: k, c: c, a: a.Data, aRow: a.Stride, aStep: 1, b: b, transB: transB, add: accumulate, k: depth}
	if transA {
		g.aRow, g.aStep = 1, a.Stride
	}
	g.tiles = ceilDiv(g.c.Rows, g.high)
	return g, true
}

// Chain writes x*w + bias to y, each output one ascending chain over the inputs
// from +0, the bias last. Shapes: x [rows, in]; w [in, out]; bias [out]; y [rows, out].
func Chain(y, x, w, bias []float32, rows int) {
	out := len(bias)
	in := len(w) / max(out, 1)
	need("dense input", len(x), rows*in)
	need("dense weight", len(w), in*out)
	need("dense output", len(y), rows*out)
	if g, any := newGemm(chosen.chain, Dense(y, rows, out), Dense(x, rows, in), Dense(w, in, out), false, false, false); any {
		g.run()
	}
	Parallel(rows, rowGrain(out), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			AddRow(y[i*out:(i+1)*out], y[i*out:(i+1)*out], bias)
		}
	})
}

// ChainRows is Chain on the caller's goroutine.
func ChainRows(y, x, w, bias []float32, rows int) {
	out := len(bias)
	in := len(w) / max(out, 1)
	need("dense input", len(x), rows*in)
	need("dense weight", len(w), in*out)
	need("dense output", len(y), rows*out)
	if rows == 1 && in > 0 {
		chosen.chain.rows(1, out, in, x, in, w, out, y, out)
	} else if g, any := newGemm(chosen.chain, Dense(y, rows, out), Dense(x, rows, in), Dense(w, in, out), false, false, false); any {
		g.part(0, g.count())
	}
	for i := range rows {
		AddRow(y[i*out:(i+1)*out], y[i*out:(i+1)*out], bias)
	}
}
