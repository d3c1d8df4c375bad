package kernel

// gemmKernel is what the variants of a product differ in.
type gemmKernel struct {
	// tile is gemmTile for at most high rows and wide columns.
	tile       func(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool)
	high, wide int
	// transpose, where there is one, is transpose8 for n a multiple of 8.
	transpose func(dst []float32, dstRow int, src []float32, srcRow, n int)
	// grain is the number of operations that pays for a goroutine.
	grain int
}

// The blocks of a product: a panel of b, blockSteps of its rows and as wide as a
// tile, stays in the first cache while it meets blockRows rows of a, which stay in
// the second with the panels of blockCols columns. No bit depends on them: an
// output's chain goes on where it left off.
const (
	blockSteps = 256
	blockRows  = 480
	blockCols  = 384
)

// gemm is one call of Gemm.
type gemm struct {
	gemmKernel
	c           Matrix
	a           []float32
	aRow, aStep int // from one row of the product to the next, and along k
	b           Matrix
	transB, add bool
	k           int
	tiles       int // in one panel
}

func ceilDiv(n, by int) int { return (n + by - 1) / by }

func (g *gemm) run() {
	g.tiles = ceilDiv(g.c.Rows, g.high)
	panels := ceilDiv(g.c.Cols, g.wide)
	Parallel(panels*g.tiles, max(1, g.grain/(2*g.k*g.high*g.wide)), g.part)
}

// row is where a tile begins. Tiles are of almost equal height.
func (g *gemm) row(tile int) int { return tile * g.c.Rows / g.tiles }

// part computes tiles [lo, hi), counted down one panel after another.
func (g *gemm) part(lo, hi int) {
	for lo < hi {
		panel, tile := lo/g.tiles, lo%g.tiles
		n, last := 1, min(tile+hi-lo, g.tiles)
		if tile == 0 && last == g.tiles {
			n = (hi - lo) / g.tiles
		}
		g.region(panel, panel+n, tile, last)
		lo += n * (last - tile)
	}
}

// region computes tiles [t0, t1) of panels [p0, p1).
func (g *gemm) region(p0, p1, t0, t1 int) {
	panels := min(max(1, blockCols/g.wide), p1-p0)
	steps := ceilDiv(g.k, ceilDiv(g.k, blockSteps))
	buf := borrow(panels * g.wide * steps)
	defer scratch.Put(buf)
	for p := p0; p < p1; p += panels {
		for k0 := 0; k0 < g.k; k0 += steps {
			last, k1 := min(p+panels, p1), min(k0+steps, g.k)
			b := g.panels(*buf, p, last, k0, k1, t1-t0)
			high := blockRows / g.high
			for t := t0; t < t1; t += high {
				g.block(b, p, last, t, min(t+high, t1), k0, k1)
			}
		}
	}
}

// packedPanels are some columns of b, steps [k0, k1).
type packedPanels struct {
	data        []float32
	step, panel int // from one k, and from one panel, to the next
}

// panels returns panels [p0, p1) of b, packed in buf unless b can be read where it lies.
func (g *gemm) panels(buf []float32, p0, p1, k0, k1, tiles int) packedPanels {
	j0, j1 := p0*g.wide, min(p1*g.wide, g.c.Cols)
	if !g.transB && tiles < 4 {
		return packedPanels{g.b.Data[k0*g.b.Stride+j0:], g.b.Stride, g.wide}
	}
	for j := j0; j < j1; j += g.wide {
		g.pack(buf[(j-j0)*(k1-k0):], j, min(j+g.wide, j1), k0, k1)
	}
	return packedPanels{buf, g.wide, g.wide * (k1 - k0)}
}

// pack writes columns [j0, j1) of b to rows of dst, steps [k0, k1).
func (g *gemm) pack(dst []float32, j0, j1, k0, k1 int) {
	b, stride := g.b.Data, g.b.Stride
	if !g.transB {
		for p := k0; p < k1; p++ {
			copy(dst[(p-k0)*g.wide:], b[p*stride+j0:p*stride+j1])
		}
		return
	}
	j := j0
	if g.transpose != nil {
		for ; j+8 <= j1; j += 8 {
			n := (k1 - k0) &^ 7
			if n > 0 {
				g.gemmKernel.transpose(dst[j-j0:], g.wide, b[j*stride+k0:], stride, n)
			}
			for p := k0 + n; p < k1; p++ {
				for i := j; i < j+8; i++ {
					dst[(p-k0)*g.wide+i-j0] = b[i*stride+p]
				}
			}
		}
	}
	for ; j < j1; j++ {
		for p, v := range b[j*stride+k0 : j*stride+k1] {
			dst[p*g.wide+j-j0] = v
		}
	}
}

// block adds steps [k0, k1) of tiles [t0, t1) of panels [p0, p1).
func (g *gemm) block(b packedPanels, p0, p1, t0, t1, k0, k1 int) {
	for p := p0; p < p1; p++ {
		j := p * g.wide
		cols, panel := min(g.wide, g.c.Cols-j), b.data[(p-p0)*b.panel:]
		for t := t0; t < t1; t++ {
			i, end := g.row(t), g.row(t+1)
			g.tile(end-i, cols, k1-k0, g.a[i*g.aRow+k0*g.aStep:], g.aRow, g.aStep, panel, b.step, g.c.Data[i*g.c.Stride+j:], g.c.Stride, g.add || k0 > 0)
		}
	}
}
