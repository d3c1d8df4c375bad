package infer

import (
	"fmt"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
)

// linear is a layer whose weight and input may be quantized, as the graph's
// QuantLinear in evaluation:
//
//	y = float32(acc * float32(sx*sw)) + b
//
// With int8 activations acc is the exact product of integers.
type linear struct {
	path    string
	in, out int
	bias    []float32
	ints    []ints    // of consecutive outputs; nil where activations are float
	scales  []float32 // there, of the weight: one, or one an output
	values  []float32 // [in, out], what enters the product there
	edifice bool
}

// ints are outputs [lo, hi) of a layer.
type ints struct {
	kernel.IntLayer
	lo, hi int
}

// taken is a layer's input as it enters the product.
type taken struct {
	rows kernel.IntRows // or, with float activations,
	// the scales of rows and the values [n, in].
	scales, values []float32
}

// row computes y [out] of one row of codes.
func (l *linear) row(w *workspace, y, x []float32) error {
	stride := kernel.IntStride(l.in)
	w.one = kernel.IntRows{Codes: room(&w.codes, stride), Scales: room(&w.scales, 1), Sums: room(&w.sums, 1)}
	if !w.one.Quantize(0, x) {
		return l.notFinite()
	}
	for i := range l.ints {
		p := &l.ints[i]
		p.ForwardRow(y[p.lo:p.hi], &w.one)
	}
	return nil
}

func (l *linear) notFinite() error {
	return fmt.Errorf("%s: its input is not finite: values of the model or of its input are too large", l.path)
}

// read takes n rows of x for write.
//
// Errors: a row that is not finite.
func (l *linear) read(w *workspace, x []float32, n int) (taken, error) {
	in := taken{scales: room(&w.scales, n), values: x}
	if l.ints != nil {
		in.rows = kernel.IntRows{Codes: room(&w.codes, n*kernel.IntStride(l.in)), Scales: in.scales, Sums: room(&w.sums, n)}
		if in.rows.QuantizeRows(0, x, n, l.in) < n {
			return in, l.notFinite()
		}
		return in, nil
	}
	if l.edifice {
		in.values = room(&w.values, n*l.in)
	}
	for i := range n {
		row := x[i*l.in : (i+1)*l.in]
		finite := true
		if l.edifice {
			var err error
			in.scales[i], err = quant.EdificeActivations(in.values[i*l.in:(i+1)*l.in], row)
			finite = err == nil
		} else {
			in.scales[i], finite = 1, kernel.FirstNotFinite(row) < 0
		}
		if !finite {
			return in, l.notFinite()
		}
	}
	return in, nil
}

// write computes columns [lo, hi) of y.Rows rows from skip on to y. No layer of l.ints
// has outputs on either side of lo or hi.
func (l *linear) write(y kernel.Matrix, in taken, skip, lo, hi int) {
	if l.ints != nil {
		for i := range l.ints {
			p := &l.ints[i]
			if lo <= p.lo && p.hi <= hi {
				p.Forward(y.Columns(p.lo-lo, p.hi-lo), in.rows, skip, 1)
			}
		}
		return
	}
	kernel.GemmRows(y, kernel.Dense(in.values[skip*l.in:], y.Rows, l.in), kernel.Dense(l.values, l.in, l.out).Columns(lo, hi))
	scales := l.scales
	if len(scales) > 1 {
		scales = scales[lo:hi]
	}
	for i := range y.Rows {
		kernel.RescaleRow(y.Data[i*y.Stride:][:y.Cols], in.scales[skip+i], scales, l.bias[lo:hi])
	}
}

// forward computes y [n, out] of x [n, in].
func (l *linear) forward(w *workspace, y, x []float32, n int) error {
	if n == 1 && l.ints != nil {
		return l.row(w, y[:l.out], x[:l.in])
	}
	in, err := l.read(w, x, n)
	if err == nil {
		l.write(kernel.Dense(y, n, l.out), in, 0, 0, l.out)
	}
	return err
}

// dense is a float layer, each output one ascending chain: projection and head.
type dense struct {
	in, out int
	w, bias []float32 // [in, out], [out]
}

// forward computes y [n, out] of x [n, in].
func (d *dense) forward(y, x []float32, n int) {
	kernel.ChainRows(y, x, d.w, d.bias, n)
}

// norm is a layer norm.
type norm struct {
	kernel.Norm
	gain, bias []float32
}

// forward normalizes n rows.
func (l *norm) forward(y, x []float32, n int) {
	h := len(l.gain)
	l.Rows(y[:n*h], nil, nil, x[:n*h], l.gain, l.bias)
}
