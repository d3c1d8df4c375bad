package kernel

// gemmKernel is what the variants of a product differ in.
type gemmKernel struct {
	// tile is gemmTile for at most high rows and wide columns.
	tile       func(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool)
	high, wide int
	// row is tile for one row of at most rowWide columns, for k > 0 steps that touch in a,
	// from +0; nil for none.
	row func(cols, k int, a, b []float32, bStep int, c []float32)
	// grain is the number of operations that pays for a goroutine.
	grain int
	pack  packKernel
}

// The blocks of a product: a panel of b, blockSteps of its rows and as wide as a
// tile, stays in the first cache while it meets blockRows rows of a, which stay in
// the second with the panels of blockCols columns. No bit depends on them: the chain
// of an output goes on where it left off.
const (
	blockSteps = 1024
	blockRows  = 240
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
	t := takeGemmTask()
	t.gemm = *g
	Parallel(g.count(), max(1, g.grain/(2*g.k*g.high*g.wide)), t.work)
	t.release()
}

// count is the number of tiles.
func (g *gemm) count() int { return g.tiles * ceilDiv(g.c.Cols, g.wide) }

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
	panels, tiles := min(blockCols/g.wide, p1-p0), min(blockRows/g.high, t1-t0)
	steps := ceilDiv(g.k, ceilDiv(g.k, blockSteps))
	size := panels * g.wide * steps
	buf := borrow(size + tiles*g.high*(steps+packMargin))
	defer scratch.Put(buf)
	for p := p0; p < p1; p += panels {
		last := min(p+panels, p1)
		for k0 := 0; k0 < g.k; k0 += steps {
			k1 := min(k0+steps, g.k)
			b := g.right((*buf)[:size], p, last, k0, k1, t1-t0)
			for t := t0; t < t1; t += tiles {
				end := min(t+tiles, t1)
				a := g.left((*buf)[size:], t, end, k0, k1, last-p)
				g.block(a, b, p, last, t, end, k1-k0, g.add || k0 > 0)
			}
		}
	}
}

// block computes steps of tiles [t0, t1) of panels [p0, p1).
func (g *gemm) block(a, b pieces, p0, p1, t0, t1, steps int, add bool) {
	for p := p0; p < p1; p++ {
		j := p * g.wide
		cols, right := min(g.wide, g.c.Cols-j), b.data[(p-p0)*b.pitch:]
		for t := t0; t < t1; t++ {
			i := t * g.high
			rows := min(g.high, g.c.Rows-i)
			g.tile(rows, cols, steps, a.data[(t-t0)*a.pitch:], a.across, a.step, right, b.step, g.c.Data[i*g.c.Stride+j:], g.c.Stride, add)
		}
	}
}

// rowWide is how many columns gemmKernel.row takes.
const rowWide = 64

// rows writes the product of a few rows of a and all columns of b to c, unpacked.
func (g *gemmKernel) rows(rows, cols, k int, a []float32, aRow int, b []float32, bRow int, c []float32, cRow int) {
	if rows == 1 && g.row != nil {
		for j := 0; j < cols; j += rowWide {
			g.row(min(rowWide, cols-j), k, a, b[j:], bRow, c[j:])
		}
		return
	}
	for j := 0; j < cols; j += g.wide {
		g.tile(rows, min(g.wide, cols-j), k, a, aRow, 1, b[j:], bRow, c[j:], cRow, false)
	}
}
