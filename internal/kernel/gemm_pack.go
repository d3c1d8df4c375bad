package kernel

// packKernel is how a variant copies operands; its functions may be nil.
type packKernel struct {
	// spread copies n pieces of src, width elements each, to places of dst pitch
	// apart, by whole vectors: it reads and writes on to a multiple of lanes.
	// What lies ahead elements further on it asks the caches for.
	spread func(dst []float32, pitch int, src []float32, width, n, ahead int)
	lanes  int
	// transpose writes the first n columns of 8 rows of src, srcRow apart, to the
	// first 8 elements of rows of dst, dstRow apart; n is a multiple of 8 and not 0.
	transpose func(dst []float32, dstRow int, src []float32, srcRow, n int)
}

// An operand is copied where it is read often and badly: on another page at every
// step of k, or from rows that fall in the same sets of a cache. The bounds are
// where BenchmarkGemm gained from it; no bit depends on them.
const (
	packPanels = 3    // of b that meet a copy of a
	packTiles  = 8    // of a that meet a copy of b
	packStride = 256  // between a's steps
	packPower  = 1024 // between a's rows, or a multiple: 4 KiB
	packAhead  = 8    // steps of k that are asked for early
)

// packMargin elements part what is packed: room for spread, and strides that are
// no power of two.
const packMargin = 16

// pieces are the rows of a, or columns of b, that tiles read, for some steps of k.
type pieces struct {
	data   []float32
	pitch  int // from one tile to the next
	across int // within a tile
	step   int // along k
}

// left returns a's rows of tiles [t0, t1), in buf if they are better copied.
func (g *gemm) left(buf []float32, t0, t1, k0, k1, panels int) pieces {
	i0, i1, steps := t0*g.high, min(t1*g.high, g.c.Rows), k1-k0
	switch {
	case panels < packPanels:
	case g.aRow == 1 && g.aStep >= packStride:
		p := pieces{buf, g.high*steps + packMargin, 1, g.high}
		for k := range steps {
			from := (k0 + k) * g.aStep
			g.pack.row(buf[k*g.high:], p.pitch, g.a[from+i0:from+i1], g.high, packAhead*g.aStep)
		}
		return p
	case g.aStep == 1 && g.aRow%packPower == 0:
		p := pieces{buf, g.high * (steps + packMargin), steps + packMargin, 1}
		for i := i0; i < i1; i++ {
			copy(buf[(i-i0)*p.across:], g.a[i*g.aRow+k0:i*g.aRow+k1])
		}
		return p
	}
	return pieces{g.a[i0*g.aRow+k0*g.aStep:], g.high * g.aRow, g.aRow, g.aStep}
}

// right returns b's columns of panels [p0, p1), in buf unless they are better read
// where they lie.
func (g *gemm) right(buf []float32, p0, p1, k0, k1, tiles int) pieces {
	j0, j1, steps := p0*g.wide, min(p1*g.wide, g.c.Cols), k1-k0
	b, stride := g.b.Data, g.b.Stride
	if !g.transB && tiles < packTiles {
		return pieces{b[k0*stride+j0:], g.wide, 1, stride}
	}
	p := pieces{buf, g.wide * steps, 1, g.wide}
	if !g.transB {
		for k := range steps {
			from := (k0 + k) * stride
			g.pack.row(buf[k*g.wide:], p.pitch, b[from+j0:from+j1], g.wide, packAhead*stride)
		}
		return p
	}
	for j := j0; j < j1; j += g.wide {
		g.pack.columns(buf[(j-j0)*steps:], g.wide, b[j*stride+k0:], stride, min(g.wide, j1-j), steps)
	}
	return p
}

// row copies src to pieces of width elements, pitch apart.
func (v *packKernel) row(dst []float32, pitch int, src []float32, width, ahead int) {
	n := 0
	if whole := ceilDiv(width, max(v.lanes, 1)) * v.lanes; v.spread != nil && len(src) >= whole {
		n = (len(src)-whole)/width + 1
		v.spread(dst, pitch, src, width, n, ahead)
	}
	for ; n*width < len(src); n++ {
		copy(dst[n*pitch:], src[n*width:min((n+1)*width, len(src))])
	}
}

// columns writes cols rows of src, n elements each, to columns of dst.
func (v *packKernel) columns(dst []float32, dstRow int, src []float32, srcRow, cols, n int) {
	j, whole := 0, n&^7
	for ; v.transpose != nil && j+8 <= cols && whole > 0; j += 8 {
		v.transpose(dst[j:], dstRow, src[j*srcRow:], srcRow, whole)
		for k := whole; k < n; k++ {
			for i := j; i < j+8; i++ {
				dst[k*dstRow+i] = src[i*srcRow+k]
			}
		}
	}
	for ; j < cols; j++ {
		for k, x := range src[j*srcRow : j*srcRow+n] {
			dst[k*dstRow+j] = x
		}
	}
}
