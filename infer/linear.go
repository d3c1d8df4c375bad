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
	scales  []float32 // of the weight: one, or one an output
	codes   []int8    // [out, in]; nil where activations are float
	values  []float32 // [in, out], what enters the product there
	edifice bool
}

// taken is a layer's input as it enters the product.
type taken struct {
	scales []float32 // of rows
	codes  []int8    // [n, in], or
	values []float32 // [n, in]
}

// read takes n rows of x for write.
//
// Errors: a row that is not finite.
func (l *linear) read(w *workspace, x []float32, n int) (taken, error) {
	in := taken{scales: room(&w.scales, n)}
	switch {
	case l.codes != nil:
		in.codes = room(&w.codes, n*l.in)
	case l.edifice:
		in.values = room(&w.values, n*l.in)
	default:
		in.values = x
	}
	for i := range n {
		row := x[i*l.in : (i+1)*l.in]
		finite := true
		switch {
		case l.codes != nil:
			values := room(&w.values, l.in)
			if in.scales[i], finite = kernel.QuantizeRow(values, row); finite {
				kernel.Narrow(in.codes[i*l.in:(i+1)*l.in], values)
			}
		case l.edifice:
			var err error
			in.scales[i], err = quant.EdificeActivations(in.values[i*l.in:(i+1)*l.in], row)
			finite = err == nil
		default:
			in.scales[i], finite = 1, kernel.FirstNotFinite(row) < 0
		}
		if !finite {
			return in, fmt.Errorf("%s: its input is not finite: values of the model or of its input are too large", l.path)
		}
	}
	return in, nil
}

// write computes columns [lo, hi) of y.Rows rows from skip on to y.
func (l *linear) write(y kernel.Matrix, in taken, skip, lo, hi int) {
	if l.codes != nil {
		kernel.IntLinear(y, in.codes[skip*l.in:], l.codes[lo*l.in:hi*l.in], l.in)
	} else {
		kernel.GemmRows(y, kernel.Dense(in.values[skip*l.in:], y.Rows, l.in), kernel.Dense(l.values, l.in, l.out).Columns(lo, hi))
	}
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
	for i := range n {
		kernel.ChainRow(y[i*d.out:(i+1)*d.out], x[i*d.in:(i+1)*d.in], d.w, d.bias)
	}
}

// norm is a layer norm.
type norm struct {
	kernel.Norm
	gain, bias []float32
}

// forward normalizes n rows.
func (l *norm) forward(y, x []float32, n int) {
	h := len(l.gain)
	for i := range n {
		l.Row(y[i*h:(i+1)*h], x[i*h:(i+1)*h], l.gain, l.bias)
	}
}
