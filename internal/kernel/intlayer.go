package kernel

import (
	"fmt"
	"math"
)

// MaxInt8In is the largest number of inputs whose product of int8 weight codes and
// activation codes in [-127, 127] an int32 always holds: n*128*127 < 2^31.
const MaxInt8In = (1<<31 - 1) / (128 * 127)

// IntLayer is a linear layer on integers: the codes of a weight, its scales and bias.
//
//	y[i][o] = float32(float32(sum over k of x[i][k]*w[k][o]) * float32(sx[i]*sw[o])) + b[o]
//
// The sum is exact, and rounded once.
//
// A code is held as itself plus an offset, which makes it unsigned; the offset times
// the sum of the row's codes is taken off again. Codes lie in panels of 32 outputs,
// one after the other along the inputs; a panel is made of blocks of 64 bytes, 16 outputs
// by 4 inputs (output-major), the first 16 outputs and then the others. A byte has one
// code or, where they are packed, several of inputs 4, 8, ... further on.
type IntLayer struct {
	in, out int
	bits    int // of a code
	fields  int // codes in a byte
	panels  []uint8
	scales  []float32 // of outputs; as bias, for whole panels
	uniform bool      // all scales are one
	bias    []float32
}

const (
	panelOuts = 32
	panelIns  = 4
	blockSize = panelOuts * panelIns
	// rowPad is what the inputs of a row are padded to a multiple of: the inputs of a
	// block of binary codes.
	rowPad = 8 * panelIns
)

// IntStride is the distance between rows of codes of in inputs.
func IntStride(in int) int { return ceilDiv(in, rowPad) * rowPad }

// NewIntLayer returns a layer for SetColumns: codes of 1 (binary, -1 and 1), 2 (ternary),
// 4 or 8 bits, none of them the most negative, one a byte.
func NewIntLayer(in, out, bits int) *IntLayer { return newIntLayer(in, out, bits, 1) }

// PackIntLayer returns a layer of the codes [out, in] with as many codes a byte as it
// holds.
func PackIntLayer(codes []int8, in, out, bits int) *IntLayer {
	need("codes", len(codes), in*out)
	l := newIntLayer(in, out, bits, 8/bits)
	l.pack(codes)
	return l
}

func newIntLayer(in, out, bits, fields int) *IntLayer {
	if in > MaxInt8In {
		panic(fmt.Sprintf("kernel: int8 layer of %d inputs, an int32 holds the sums of %d", in, MaxInt8In))
	}
	outs := ceilDiv(out, panelOuts) * panelOuts
	return &IntLayer{
		in: in, out: out, bits: bits, fields: fields,
		panels: make([]uint8, outs*IntStride(in)/fields),
		scales: make([]float32, outs), bias: make([]float32, outs),
	}
}

// SetScales sets the weight's scales, one or one an output, and the bias.
func (l *IntLayer) SetScales(scales, bias []float32) {
	need("bias", len(bias), l.out)
	copy(l.bias, bias[:l.out])
	if l.uniform = len(scales) == 1; l.uniform {
		for o := range l.scales {
			l.scales[o] = scales[0]
		}
		return
	}
	need("scales", len(scales), l.out)
	copy(l.scales, scales[:l.out])
}

// offset is added to codes to make them unsigned.
func (l *IntLayer) offset() int {
	if l.bits <= 2 {
		return 1
	}
	return 1 << (l.bits - 1)
}

// panel is one panel's bytes.
func (l *IntLayer) panel(p int) []uint8 {
	size := len(l.panels) * panelOuts / max(len(l.scales), 1)
	return l.panels[p*size : (p+1)*size]
}

// IntRows are rows of int8 codes in [-127, 127], with their scales and sums.
type IntRows struct {
	Codes  []int8 // a row every IntStride(in), zeros past its inputs
	Scales []float32
	Sums   []int32
}

// NewIntRows has room for n rows of in inputs.
func NewIntRows(n, in int) IntRows {
	return IntRows{make([]int8, n*IntStride(in)), make([]float32, n), make([]int32, n)}
}

// Quantize makes row i the codes of x; false where x is not finite.
func (r IntRows) Quantize(i int, x []float32) (finite bool) {
	stride := IntStride(len(x))
	row := r.Codes[i*stride : (i+1)*stride]
	r.Scales[i], r.Sums[i], finite = QuantizeRowInt8(row[:len(x)], x)
	clear(row[len(x):])
	return finite
}

// QuantizeRows makes rows from first on the codes of x [n, in], and returns the first row of
// x that is not finite, or n.
func (r IntRows) QuantizeRows(first int, x []float32, n, in int) int {
	// The largest elements of some rows are found before any is divided by its row's: a row
	// waits for its own otherwise.
	const together = 4
	var bits [together]uint32
	need("rows", len(x), n*in)
	stride := IntStride(in)
	need("rows' codes", len(r.Codes), (first+n)*stride)
	need("rows' scales", len(r.Scales), first+n)
	need("rows' sums", len(r.Sums), first+n)
	for lo := 0; lo < n; lo += together {
		hi := min(lo+together, n)
		for i := lo; i < hi; i++ {
			bits[i-lo] = MaxAbsBits(x[i*in : (i+1)*in])
		}
		for i := lo; i < hi; i++ {
			if bits[i-lo] >= InfBits {
				return i
			}
			row := r.Codes[(first+i)*stride : (first+i+1)*stride]
			scale := RowScale(math.Float32frombits(bits[i-lo]))
			r.Scales[first+i], r.Sums[first+i] = scale, quantizeBy(row[:in], x[i*in:(i+1)*in], scale)
			clear(row[in:])
		}
	}
	return n
}

// Dequantize writes to x what row i stands for.
func (r IntRows) Dequantize(x []float32, i int) {
	scale, stride, k := r.Scales[i], IntStride(len(x)), 0
	codes := r.Codes[i*stride : i*stride+len(x)]
	if n := whole(len(x)); n > 0 && chosen.train.dequantize != nil {
		chosen.train.dequantize(x[:n], codes[:n], scale)
		k = n
	}
	for ; k < len(x); k++ {
		x[k] = float32(codes[k]) * scale
	}
}

// from returns the rows from first on.
func (r IntRows) from(first, stride int) IntRows {
	return IntRows{r.Codes[first*stride:], r.Scales[first:], r.Sums[first:]}
}

// intKernel is what the variants of an IntLayer differ in.
type intKernel struct {
	// tile computes rows of one panel whose bytes have one code each. It reads every
	// step-th of the rows of x, scales and sums.
	tile func(rows, cols, groups int, x []int8, xRow int, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int)
	// unpack writes codes of 1, 2 or 4 bits to bytes of one each; those of one bit
	// doubled.
	unpack func(dst, src []uint8, bits int)
	// open, where there are any, computes openRows rows of a packed panel w, by the bits of
	// a code, and unpacks it to open.
	open [5]openKernel
	// row computes one row of all outputs; nil for none.
	row func(l *IntLayer, y []float32, x []int8, sum int32, scale float32)
	// packColumns fills a panel of 32 columns of src, four rows a group; nil for none.
	packColumns func(panel []uint8, src []float32, srcRow, groups, offset int)
}

// openKernel is one tile of intKernel.open; its parameters are those of tile.
type openKernel func(cols int, x []int8, xRow int, open, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int)

// openRows is how many rows an openKernel computes.
const openRows = 12

// blockTokens is the number of rows that a panel is unpacked for, and whose outputs
// stay in the second cache from one panel to the next.
const blockTokens = 96

// fewRows is the number of rows up to which a packed panel is better read once a row.
const fewRows = 3

// Forward computes y [n, out]: row i of row first + i*every of x, on the caller's
// goroutine.
func (l *IntLayer) Forward(y Matrix, x IntRows, first, every int) {
	if y.Rows > 0 && y.Rows <= fewRows && chosen.ints.row != nil {
		l.needRows(y, x, first+(y.Rows-1)*every+1)
		for i, stride := 0, IntStride(l.in); i < y.Rows; i++ {
			j := first + i*every
			chosen.ints.row(l, y.Data[i*y.Stride:], x.Codes[j*stride:], x.Sums[j], x.Scales[j])
		}
		return
	}
	if c := l.newCall(y, x, first, every); y.Rows > 0 {
		c.part(0, c.count())
	}
}

// ForwardRow computes y [out] of the first row of x.
func (l *IntLayer) ForwardRow(y []float32, x *IntRows) {
	row := chosen.ints.row
	if row == nil {
		l.Forward(Dense(y, 1, l.out), *x, 0, 1)
		return
	}
	need("int8 layer's output", len(y), l.out)
	need("int8 layer's input", len(x.Codes), IntStride(l.in))
	need("int8 layer's input scales", len(x.Scales), 1)
	need("int8 layer's input sums", len(x.Sums), 1)
	row(l, y, x.Codes, x.Sums[0], x.Scales[0])
}

// ForwardParallel is Forward on all processors.
func (l *IntLayer) ForwardParallel(y Matrix, x IntRows, first, every int) {
	if y.Rows <= fewRows {
		l.Forward(y, x, first, every)
		return
	}
	if c := l.newCall(y, x, first, every); y.Rows > 0 {
		work := 2 * l.in * panelOuts * min(y.Rows, blockTokens)
		Parallel(c.count(), max(1, c.grain/max(work, 1)), c.part)
	}
}

// intCall is one call of Forward: blocks of rows, each for one panel after another.
type intCall struct {
	*IntLayer
	y              Matrix
	x              IntRows
	every, stride  int
	blocks, panels int
	grain          int
}

func (l *IntLayer) newCall(y Matrix, x IntRows, first, every int) (c intCall) {
	c = intCall{IntLayer: l, y: y, every: every, stride: IntStride(l.in), grain: 1 << 22}
	if y.Rows == 0 {
		l.needRows(y, x, 0)
		return c
	}
	l.needRows(y, x, first+(y.Rows-1)*every+1)
	c.x = x.from(first, c.stride)
	c.blocks, c.panels = ceilDiv(y.Rows, blockTokens), ceilDiv(l.out, panelOuts)
	return c
}

// needRows panics unless y has the layer's outputs, and x rows up to last.
func (l *IntLayer) needRows(y Matrix, x IntRows, last int) {
	if y.Cols != l.out {
		panic(fmt.Sprintf("kernel: a product of %d columns for a layer of %d outputs", y.Cols, l.out))
	}
	if last == 0 {
		return
	}
	y.need("int8 layer's output")
	need("int8 layer's input", len(x.Codes), last*IntStride(l.in))
	need("int8 layer's input scales", len(x.Scales), last)
	need("int8 layer's input sums", len(x.Sums), last)
}

func (c *intCall) count() int { return c.blocks * c.panels }

// part computes items [lo, hi), counted along the panels.
func (c *intCall) part(lo, hi int) {
	k := chosen.ints
	var open []uint8
	if c.fields > 1 {
		buf := borrowBytes(panelOuts * c.stride)
		defer byteScratch.Put(buf)
		open = *buf
	}
	for i := lo; i < hi; i++ {
		c.block(k, i/c.panels*c.y.Rows/c.blocks, (i/c.panels+1)*c.y.Rows/c.blocks, i%c.panels, open)
	}
}

// block computes rows [lo, hi) of panel p; open has room for it unpacked, where it is packed.
func (c *intCall) block(k *intKernel, lo, hi, p int, open []uint8) {
	o, w := p*panelOuts, c.panel(p)
	cols, factors, bias := min(panelOuts, c.out-o), c.scales[o:], c.IntLayer.bias[o:]
	if c.fields > 1 {
		if f := k.open[8/c.fields]; f != nil && hi-lo >= openRows {
			x := c.x.from(lo*c.every, c.stride)
			f(cols, x.Codes, c.every*c.stride, open, w, x.Sums, c.offset(), x.Scales, c.every, factors, bias, c.y.Data[lo*c.y.Stride+o:], c.y.Stride)
			if lo += openRows; lo == hi {
				return
			}
		} else {
			k.unpack(open, w, 8/c.fields)
		}
		w = open
	}
	x := c.x.from(lo*c.every, c.stride)
	k.tile(hi-lo, cols, c.stride/panelIns, x.Codes, c.every*c.stride, w, x.Sums, c.offset(), x.Scales, c.every, factors, bias, c.y.Data[lo*c.y.Stride+o:], c.y.Stride)
}
