package qat

import (
	"fmt"
	"sync/atomic"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// linear computes y = x*w + b over the last axis of x, with w and x quantized.
//
//	y = float32(acc * float32(sx*sw)) + b
//
// where acc is the dot product of codes: exact, so that the packed runtime's
// integers give the same bits. sw is the output's where each has its own. Inputs: x [rows, in], w [in, out], b [out], and
// for the input projection lengths.
type linear struct {
	straightThrough
	path       string
	inShape    []int
	rows, in   int
	int8Inputs bool
	// chain makes y one ascending chain per output, for the float layers whose
	// bits are promised: input projection and head.
	chain bool
	// parts says which rows of which columns are computed; the others are left.
	parts []part
	pad   *padding

	w          []float32 // what entered the product, or the codes that did
	x          []float32 // likewise, with float activations
	rowScale   []float32
	rows8      kernel.IntRows     // x, with int8 activations
	layers     []*kernel.IntLayer // of parts
	lookups    []*kernel.Lookup   // likewise, where they are used
	indexed    bool               // they have the codes
	xhat, what []float32          // the values that codes stand for; see inputValues, weightValues

	ctrl       *control  // nil where nothing is blended
	part       float32   // how far the last forward run was quantized
	xmix, wmix []float32 // what entered it, where that was not all the way
}

// part is columns [lo, hi) of the last of every `every` rows.
type part struct{ lo, hi, every int }

func newLinear(path string, inShape []int, out int, s spec.Model) *linear {
	in := inShape[len(inShape)-1]
	l := &linear{
		straightThrough: newStraightThrough(out, s),
		path:            path, inShape: inShape,
		rows: product(inShape) / in, in: in,
		int8Inputs: s.Quantize != Float && s.Activations == Int8Activations,
	}
	l.parts = []part{{0, out, 1}}
	l.w = make([]float32, in*out)
	if l.int8Inputs {
		l.rows8 = kernel.NewIntRows(l.rows, in)
		return l
	}
	l.x = make([]float32, l.rows*in)
	l.rowScale = make([]float32, l.rows)
	for i := range l.rowScale {
		l.rowScale[i] = 1
	}
	return l
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (l *linear) forward(out []float32, in [][]float32) error {
	bias := in[2]
	if err := checkFinite(bias, []int{l.out}); err != nil {
		return &paramError{l.path + ".bias", err}
	}
	l.indexed = false
	if err := l.quantize(l.w, in[1]); err != nil {
		return &paramError{l.path + ".weight", place(err, []int{l.in, l.out})}
	}
	var lengths []float32
	if l.pad != nil {
		lengths = in[3]
	}
	if err := l.readInput(in[0], lengths); err != nil {
		return err
	}
	if l.chain {
		kernel.Chain(out, l.x, l.w, bias, l.rows)
		if l.pad != nil {
			l.pad.clear(out, l.out)
		}
		return nil
	}
	if l.part = l.ctrl.quantization(); l.blended() {
		l.multiplyBlended(out, in[0], in[1], bias)
		return nil
	}
	if l.int8Inputs {
		l.multiplyInts(out, bias)
		return nil
	}
	for _, p := range l.parts {
		y, x := p.of(out, l.rows, l.out), kernel.Dense(l.x, l.rows, l.in).EveryLast(p.every)
		kernel.Gemm(y, x, kernel.Dense(l.w, l.in, l.out).Columns(p.lo, p.hi), false, false, false)
		kernel.Rescale(y, l.rowScale[p.every-1:], p.every, columns(l.factors(), p), bias[p.lo:p.hi])
	}
	return nil
}

// of is the part of a matrix.
func (p part) of(data []float32, rows, cols int) kernel.Matrix {
	return kernel.Dense(data, rows, cols).Columns(p.lo, p.hi).EveryLast(p.every)
}

// blended tells whether the last forward run's operands were not all quantized.
func (l *linear) blended() bool { return l.part < 1 && l.mode != Float && !l.chain }

// multiplyBlended computes the layer between float and quantized.
func (l *linear) multiplyBlended(out, x, w, bias []float32) {
	l.xmix = l.mix(l.xmix, x, l.inputValues())
	l.wmix = l.mix(l.wmix, w, l.weightValues())
	for _, p := range l.parts {
		y, bias := p.of(out, l.rows, l.out), bias[p.lo:p.hi]
		kernel.Gemm(y, kernel.Dense(l.xmix, l.rows, l.in).EveryLast(p.every), kernel.Dense(l.wmix, l.in, l.out).Columns(p.lo, p.hi), false, false, false)
		for i := range y.Rows {
			row := y.Data[i*y.Stride:][:y.Cols]
			kernel.AddRow(row, row, bias)
		}
	}
}

// mix writes what enters the product between values and quantized ones to dst.
func (l *linear) mix(dst, values, quantized []float32) []float32 {
	if dst == nil {
		dst = make([]float32, len(values))
	}
	kernel.Parallel(len(values), 1<<15, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = float32((1-l.part)*values[i]) + float32(l.part*quantized[i])
		}
	})
	return dst
}

// multiplyInts computes the layer on integers, as the packed runtime does.
func (l *linear) multiplyInts(out, bias []float32) {
	for i, p := range l.parts {
		if len(l.layers) == i {
			l.layers = append(l.layers, kernel.NewIntLayer(l.in, p.hi-p.lo, l.mode.Bits()))
		}
		layer := l.layers[i]
		layer.SetColumns(kernel.Dense(l.w, l.in, l.out).Columns(p.lo, p.hi))
		layer.SetScales(columns(l.factors(), p), bias[p.lo:p.hi])
		layer.ForwardParallel(p.of(out, l.rows, l.out), l.rows8, p.every-1, p.every)
	}
	if l.ctrl != nil && l.ctrl.training.Load() {
		l.index() // while the codes are in a cache
	}
}

// looksUp tells whether the input's gradient is looked up.
func (l *linear) looksUp() bool {
	return (l.mode == Binary || l.mode == Ternary) && !l.blended() && kernel.HasLookup(l.in, l.mode.Bits())
}

// index gives the lookups, where they are used, the codes of the last forward run.
func (l *linear) index() {
	if l.indexed || !l.looksUp() {
		return
	}
	for i, p := range l.parts {
		if len(l.lookups) == i {
			l.lookups = append(l.lookups, kernel.NewLookup(l.in, p.hi-p.lo, l.mode.Bits()))
		}
		l.lookups[i].SetCodes(kernel.Dense(l.w, l.in, l.out).Columns(p.lo, p.hi))
	}
	l.indexed = true
}

// columns are the factors of a part's columns.
func columns(factors []float32, p part) []float32 {
	if len(factors) == 1 {
		return factors
	}
	return factors[p.lo:p.hi]
}

// readInput takes x: as codes, or as values.
func (l *linear) readInput(x, lengths []float32) error {
	if l.pad != nil {
		if err := l.pad.read(lengths); err != nil {
			return err
		}
		kernel.CopyReal(l.x, x, l.pad.first, l.pad.batch, l.pad.steps, l.in)
		x = l.x
	}
	if !l.int8Inputs && l.numerics != Edifice {
		if err := checkFinite(x, l.inShape); err != nil {
			return fmt.Errorf("input: %w", err)
		}
		copy(l.x, x)
		return nil
	}
	var bad atomic.Int64 // 1 + the first row that is not finite
	kernel.Parallel(l.rows, 1+(1<<13)/l.in, func(lo, hi int) {
		if i := l.readRows(lo, hi, x); i < hi {
			for b := bad.Load(); (b == 0 || int64(i) < b-1) && !bad.CompareAndSwap(b, int64(i)+1); b = bad.Load() {
			}
		}
	})
	if bad.Load() != 0 {
		return fmt.Errorf("input: %w", checkFinite(x, l.inShape))
	}
	return nil
}

// readRows quantizes tokens [lo, hi), and returns the first that is not finite, or hi.
func (l *linear) readRows(lo, hi int, x []float32) int {
	if l.int8Inputs {
		return lo + l.rows8.QuantizeRows(lo, x[lo*l.in:hi*l.in], hi-lo, l.in)
	}
	for i := lo; i < hi; i++ {
		var err error
		if l.rowScale[i], err = quant.EdificeActivations(l.x[i*l.in:(i+1)*l.in], x[i*l.in:(i+1)*l.in]); err != nil {
			return i
		}
	}
	return hi
}

// backward passes the quantizers straight through: with the values ŵ and x̂ used
// forward, dx = dy*ŵᵀ, dw = x̂ᵀ*dy, db = the column sums of dy.
func (l *linear) backward(grads, in [][]float32, dout []float32) error {
	dx, dw, db := grads[0], grads[1], grads[2]
	xhat := l.xmix
	if !l.blended() {
		xhat = l.inputValues()
	}
	l.index()
	for i, p := range l.parts {
		dy := p.of(dout, l.rows, l.out)
		// The first part covers every row.
		l.inputGradient(kernel.Dense(dx, l.rows, l.in).EveryLast(p.every), dy, i, i > 0)
		x := kernel.Dense(xhat, l.rows, l.in).EveryLast(p.every)
		kernel.Gemm(kernel.Dense(dw, l.in, l.out).Columns(p.lo, p.hi), x, dy, true, false, false)
		kernel.ColumnSums(db[p.lo:p.hi], dy.Data, dy.Rows, dy.Cols, dy.Stride)
	}
	clipped := float32(0)
	if l.blended() {
		clipped = 1 - l.part
	}
	l.pass(dw, in[1], clipped)
	return nil
}

// inputGradient writes dy*ŵᵀ of a part to dx, or adds it.
func (l *linear) inputGradient(dx, dy kernel.Matrix, i int, add bool) {
	p, what := l.parts[i], l.wmix
	switch {
	case l.blended():
	case l.looksUp():
		l.lookups[i].Multiply(dx, dy, columns(l.factors(), p), add)
		return
	default:
		what = l.weightValues()
	}
	kernel.Gemm(dx, dy, kernel.Dense(what, l.in, l.out).Columns(p.lo, p.hi), false, true, add)
}

// weightValues returns the values that the codes in l.w stand for.
func (l *linear) weightValues() []float32 {
	if factors := l.factors(); len(factors) == 1 && factors[0] == 1 {
		return l.w
	}
	if l.what == nil {
		l.what = make([]float32, len(l.w))
	}
	l.dequantize(l.what, l.w)
	return l.what
}

// inputValues returns the values that the codes in l.x stand for.
func (l *linear) inputValues() []float32 {
	if !l.int8Inputs && l.numerics != Edifice {
		return l.x
	}
	if l.xhat == nil {
		l.xhat = make([]float32, l.rows*l.in)
	}
	kernel.Parallel(l.rows, 1+(1<<14)/l.in, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := l.xhat[i*l.in : (i+1)*l.in]
			if l.int8Inputs {
				l.rows8.Dequantize(row, i)
				continue
			}
			for j, v := range l.x[i*l.in : (i+1)*l.in] {
				row[j] = v * l.rowScale[i]
			}
		}
	})
	return l.xhat
}
