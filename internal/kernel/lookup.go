package kernel

import "fmt"

// Lookup is a matrix of binary (-1, 1) or ternary (-1, 0, 1) codes [in, out], for the
// product of float32 rows with its transpose: what a linear layer passes back.
//
// A few codes that meet neighbouring elements of a row have few values together: 32 for
// five binary ones, 27 for three ternary ones. The sums that they can make of the
// elements are computed once, in a table of half of them, the other half having the
// opposite sign; then each output looks its sum up and adds it, where it would have
// multiplied and added three or five times. A row's tables serve all outputs.
//
// Source: Park et al. 2022, arXiv:2206.09557 (LUT-GEMM); here for float32 rows and
// balanced-ternary numbers.
type Lookup struct {
	in, out int
	digits  int // codes that are looked up together, a number
	// index has the numbers: for each panel of lookupCols of the in columns of the result,
	// for each four numbers one after the other, four bytes a column. A byte is where the number's
	// sum lies in the table, 16 more where that of its opposite does.
	index  []uint8
	quads  int // of numbers
	panels int
}

// Sums of numbers are looked up in tables of lookupLanes for tiles of lookupRows rows and
// lookupCols columns; the tables of lookupQuads times four numbers, and a panel's
// part of the index that meets them, stay in the first cache.
const (
	lookupLanes = 16
	lookupRows  = 6
	lookupCols  = 64
	lookupQuads = 16
)

// lookupLeast is the number of columns that pay for a row's tables.
const lookupLeast = 96

// lookupKernel is how a variant does a Lookup.
type lookupKernel struct {
	fast bool // than Gemm
	// tables writes the sums of each `digits` elements of src, lookupRows tables apart;
	// there are len(src)/digits, 3 or 5, and at least one.
	tables func(dst, src []float32, digits int)
	// tile adds to c, or to 0, the sums of quads times four numbers, one after the other.
	tile func(rows, cols, quads int, tables []float32, index []uint8, c []float32, cRow int, add bool)
	// index is lookupIndex, of whole quads; nil for none.
	index func(dst []uint8, codes []float32, digits int)
}

// HasLookup tells whether a Lookup of codes of so many bits is faster than Gemm here.
func HasLookup(in, bits int) bool {
	return chosen.lookup.fast && in >= lookupLeast && bits <= 2
}

// NewLookup returns a Lookup for SetCodes, of codes of 1 or 2 bits.
func NewLookup(in, out, bits int) *Lookup {
	l := &Lookup{in: in, out: out, digits: 3, panels: ceilDiv(in, lookupCols)}
	if bits == 1 {
		l.digits = 5
	}
	l.quads = ceilDiv(out, 4*l.digits)
	l.index = make([]uint8, l.panels*l.quads*4*lookupCols)
	return l
}

// SetCodes sets the codes [in, out].
func (l *Lookup) SetCodes(codes Matrix) {
	if codes.Rows != l.in || codes.Cols != l.out {
		panic(fmt.Sprintf("kernel: codes of %dx%d for a lookup of %dx%d", codes.Rows, codes.Cols, l.in, l.out))
	}
	codes.need("lookup's codes")
	if l.out == 0 {
		return
	}
	Parallel(l.in, rowGrain(l.out), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst, src, n := l.index[(i/lookupCols*l.quads*lookupCols+i%lookupCols)*4:], codes.Data[i*codes.Stride:][:l.out], 0
			if q := l.out / (4 * l.digits); q > 0 && chosen.lookup.index != nil {
				n = q * 4 * l.digits
				chosen.lookup.index(dst, src[:n], l.digits)
				dst = dst[min(4*q*lookupCols, len(dst)):]
			}
			lookupIndex(dst, src[n:], l.digits)
		}
	})
}

// Multiply writes (a∘scales)*codesᵀ to c, or adds it: a [n, out], c [n, in], scales one or one an
// element of a's rows. An output is one ascending chain over the numbers, and its bits
// depend on its row of a and its row of codes alone.
func (l *Lookup) Multiply(c, a Matrix, scales []float32, add bool) {
	if a.Rows != c.Rows || a.Cols != l.out || c.Cols != l.in {
		panic(fmt.Sprintf("kernel: a product of %dx%d and a lookup of %dx%d is not %dx%d", a.Rows, a.Cols, l.in, l.out, c.Rows, c.Cols))
	}
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	if len(scales) != 1 {
		need("lookup's scales", len(scales), l.out)
	}
	a.need("lookup's rows")
	c.need("lookup's product")
	if l.out == 0 {
		for i := 0; i < c.Rows && !add; i++ {
			clear(c.Data[i*c.Stride : i*c.Stride+c.Cols])
		}
		return
	}
	work := 2 * lookupRows * l.in * l.out
	Parallel(ceilDiv(c.Rows, lookupRows), max(1, chosen.gemm.grain/max(work, 1)), func(lo, hi int) {
		l.rows(c, a, scales, add, lo*lookupRows, min(hi*lookupRows, c.Rows))
	})
}

// rows is Multiply of rows [lo, hi).
func (l *Lookup) rows(c, a Matrix, scales []float32, add bool, lo, hi int) {
	const table = lookupLanes * lookupRows
	k, width := &chosen.lookup, l.quads*4*l.digits
	buf := borrow(4*lookupQuads*table + lookupRows*width)
	defer scratch.Put(buf)
	tables, scaled := (*buf)[:4*lookupQuads*table], (*buf)[4*lookupQuads*table:]
	for ; lo < hi; lo += lookupRows {
		n := min(lookupRows, hi-lo)
		for i := range n {
			row := scaled[i*width : (i+1)*width]
			scaleRow(row[:l.out], a.Data[(lo+i)*a.Stride:][:l.out], scales)
			clear(row[l.out:])
		}
		for q := 0; q < l.quads; q += lookupQuads {
			quads := min(lookupQuads, l.quads-q)
			for i := range n {
				k.tables(tables[i*lookupLanes:], scaled[i*width+q*4*l.digits:][:quads*4*l.digits], l.digits)
			}
			for p := range l.panels {
				j := p * lookupCols
				k.tile(n, min(lookupCols, l.in-j), quads, tables, l.index[(p*l.quads+q)*4*lookupCols:], c.Data[lo*c.Stride+j:], c.Stride, add || q > 0)
			}
		}
	}
}
