package kernel

import (
	"fmt"
	"math"
)

// Norm is a layer norm over the last axis.
//
//	y = (x - mean(x)) / sqrt(var(x) + eps) * gain + bias
//
// with the biased variance. Source: Ba et al. 2016, arXiv:1607.06450.
type Norm struct {
	Eps float32
	// Floor makes a variance below Eps count as 0, as the Edifice numerics have it.
	Floor bool
}

func (n Norm) rstd(variance float32) float32 {
	if n.Floor && variance < n.Eps {
		variance = 0
	}
	return 1 / float32(math.Sqrt(float64(variance+n.Eps)))
}

// Forward normalizes each row of x [rows, len(gain)] into y and keeps the rows'
// means and inverse deviations for Backward.
func (n Norm) Forward(y, mean, rstd, x, gain, bias []float32) {
	cols := len(gain)
	rows := len(mean)
	need("norm input", len(x), rows*cols)
	need("norm output", len(y), rows*cols)
	need("norm bias", len(bias), cols)
	need("norm deviations", len(rstd), rows)
	Parallel(rows, rowGrain(4*cols), func(lo, hi int) {
		n.Rows(y[lo*cols:hi*cols], mean[lo:hi], rstd[lo:hi], x[lo*cols:hi*cols], gain, bias)
	})
}

// Rows is Forward on the caller's goroutine; without mean and rstd it keeps neither.
func (n Norm) Rows(y, mean, rstd, x, gain, bias []float32) {
	cols := len(gain)
	rows, i := len(x)/max(cols, 1), 0
	need("norm output", len(y), rows*cols)
	need("norm bias", len(bias), cols)
	if mean != nil {
		need("norm means", len(mean), rows)
		need("norm deviations", len(rstd), rows)
	}
	if f := chosen.vector.normPair; f != nil && cols > 0 && whole(cols) == cols && !n.Floor {
		for ; i+2 <= rows; i += 2 {
			stats := f(gain, bias, y[i*cols:(i+2)*cols], x[i*cols:(i+2)*cols], n.Eps)
			if mean != nil {
				mean[i], mean[i+1], rstd[i], rstd[i+1] = stats[0], stats[1], stats[2], stats[3]
			}
		}
	}
	for ; i < rows; i++ {
		m, r := n.Row(y[i*cols:(i+1)*cols], x[i*cols:(i+1)*cols], gain, bias)
		if mean != nil {
			mean[i], rstd[i] = m, r
		}
	}
}

// Row normalizes one row x into y, on the caller's goroutine, and returns its mean
// and inverse deviation.
func (n Norm) Row(y, x, gain, bias []float32) (mean, rstd float32) {
	cols := len(gain)
	need("norm input", len(x), cols)
	need("norm output", len(y), cols)
	need("norm bias", len(bias), cols)
	if cols > 0 && !n.Floor && chosen.vector.norm != nil {
		return chosen.vector.norm(y[:cols], x, gain, bias, n.Eps)
	}
	x = x[:cols]
	mean = Sum(x) / float32(cols)
	rstd = n.rstd(sumSquares(x, mean) / float32(cols))
	for j, v := range x {
		d := float32((v - mean) * rstd)
		y[j] = float32(d*gain[j]) + bias[j]
	}
	return mean, rstd
}

// Backward writes the gradients of Forward's x, gain and bias. To that of x it adds
// joins, a gradient of the last rows of each of batch sequences; nil is none.
func (n Norm) Backward(dx, dgain, dbias, dy, x, gain, mean, rstd, joins []float32, batch int) {
	cols := len(gain)
	rows := len(mean)
	steps := rows / max(batch, 1)
	keep := len(joins) / max(batch*cols, 1)
	if keep > steps || batch*keep*cols != len(joins) || batch*steps != rows {
		panic(fmt.Sprintf("kernel: a gradient of %d elements joins %d rows of %d in %d sequences", len(joins), rows, cols, batch))
	}
	need("norm input", len(x), rows*cols)
	need("norm input gradient", len(dx), rows*cols)
	need("norm upstream gradient", len(dy), rows*cols)
	need("norm gain gradient", len(dgain), cols)
	need("norm bias gradient", len(dbias), cols)
	need("norm deviations", len(rstd), rows)
	buf := borrow(2 * reduceChunks * cols)
	defer scratch.Put(buf)
	part := *buf
	clear(part)
	chunks(rows, rows > rowGrain(8*cols), func(c, lo, hi int) {
		pg := part[2*c*cols : (2*c+1)*cols]
		pb := part[(2*c+1)*cols : (2*c+2)*cols]
		for i := lo; i < hi; i++ {
			xr, dyr, dxr := x[i*cols:(i+1)*cols], dy[i*cols:(i+1)*cols], dx[i*cols:(i+1)*cols]
			n.rowBackward(dxr, pg, pb, dyr, xr, gain, mean[i], rstd[i])
			if late := i%steps - (steps - keep); late >= 0 {
				at := (i/steps*keep + late) * cols
				AddRow(dxr, dxr, joins[at:at+cols])
			}
		}
	})
	clear(dgain)
	clear(dbias)
	for c := range reduceChunks {
		AddRow(dgain[:cols], dgain, part[2*c*cols:(2*c+1)*cols])
		AddRow(dbias[:cols], dbias, part[(2*c+1)*cols:(2*c+2)*cols])
	}
}

// rowBackward writes the gradient of one row and adds to those of gain and bias.
func (n Norm) rowBackward(dx, dgain, dbias, dy, x, gain []float32, mean, rstd float32) {
	cols, i := len(gain), 0
	var s [2 * lanes]float32
	if n := whole(cols); n > 0 && chosen.train.normSums != nil {
		s, i = chosen.train.normSums(dgain[:n], dbias[:n], dy[:n], x[:n], gain[:n], mean, rstd), n
	}
	for j := i; j < cols; j++ {
		hat, d := float32((x[j]-mean)*rstd), dy[j]
		g := float32(d * gain[j])
		s[j%lanes] += g
		s[lanes+j%lanes] += float32(g * hat)
		dgain[j] += float32(d * hat)
		dbias[j] += d
	}
	sum, dot := tree((*[lanes]float32)(s[:]))/float32(cols), tree((*[lanes]float32)(s[lanes:]))/float32(cols)
	if n.Floor && rstd*rstd*n.Eps >= 1-floorSlack {
		dot = 0 // the variance was below eps and did not enter
	}
	if n := whole(cols); n > 0 && chosen.train.normInput != nil {
		chosen.train.normInput(dx[:n], dy[:n], x[:n], gain[:n], mean, rstd, sum, dot)
	} else {
		i = 0
	}
	for j := i; j < cols; j++ {
		hat := float32((x[j] - mean) * rstd)
		dx[j] = (float32(dy[j]*gain[j]) - sum - float32(hat*dot)) * rstd
	}
}

// floorSlack tells a floored variance (rstd^2 * eps = 1 up to rounding) from the
// smallest that counts (rstd^2 * eps = 1/2).
const floorSlack = 0.25
