package kernel

// SiLU writes x/(1+e^-x) to y, elementwise, what d leaves of it.
// Source: Elfwing et al. 2018, arXiv:1702.03118.
func SiLU(y, x []float32, d *Dropout) {
	need("silu output", len(y), len(x))
	d.need(len(x))
	d.pieces(len(x), 16, func(lo, hi int) {
		SiLURow(y[lo:hi], x[lo:hi])
		if d != nil {
			d.piece(y[lo:hi], y[lo:hi], lo)
		}
	})
}

// SiLURow is SiLU on the caller's goroutine.
func SiLURow(y, x []float32) {
	need("silu output", len(y), len(x))
	i := 0
	if n := whole(len(x)); n > 0 && chosen.vector.silu != nil {
		chosen.vector.silu(y[:n], x[:n])
		i = n
	}
	for ; i < len(x); i++ {
		y[i] = x[i] / (1 + Exp(-x[i]))
	}
}

// SiLUBackward writes dy * d(silu)/dx to dx, for what d leaves of dy.
func SiLUBackward(dx, x, dy []float32, d *Dropout) {
	need("silu gradient", len(dx), len(x))
	need("silu upstream gradient", len(dy), len(x))
	d.need(len(x))
	d.pieces(len(x), 16, func(lo, hi int) {
		dy := dy
		if d != nil {
			d.piece(dx[lo:hi], dy[lo:hi], lo)
			dy = dx
		}
		i := lo
		if n := whole(hi - lo); n > 0 && chosen.train.siluBackward != nil {
			i += n
			chosen.train.siluBackward(dx[lo:i], x[lo:i], dy[lo:i])
		}
		for ; i < hi; i++ {
			s := 1 / (1 + Exp(-x[i]))
			dx[i] = float32(dy[i]*s) * (1 + float32(x[i]*(1-s)))
		}
	})
}
