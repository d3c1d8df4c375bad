package kernel

import "math"

// columnTile is how many columns a reduction over rows walks at a time: its lanes
// stay in the first-level cache, and its part of a row is a few cache lines.
const columnTile = 64

// columnTiles calls f for tiles [lo, hi) of the columns of a matrix, possibly at
// the same time.
func columnTiles(rows, cols int, f func(lo, hi int)) {
	Parallel((cols+columnTile-1)/columnTile, rowGrain(rows*columnTile), func(from, to int) {
		for t := from; t < to; t++ {
			f(t*columnTile, min((t+1)*columnTile, cols))
		}
	})
}

// ColumnMeanAbs writes to y what [MeanAbs] is of each column of w, in the order of
// its rows. Shapes: w [rows, len(y)].
func ColumnMeanAbs(y, w []float32, rows int) {
	cols := len(y)
	need("columns", len(w), rows*cols)
	if rows == 0 {
		clear(y)
		return
	}
	columnTiles(rows, cols, func(lo, hi int) {
		var s [lanes][columnTile]float64
		for i := range rows {
			lane, w, j := s[i%lanes][:hi-lo], w[i*cols+lo:i*cols+hi], 0
			if n := whole(len(w)); n > 0 && chosen.train.addAbs != nil {
				chosen.train.addAbs(lane[:n], w[:n])
				j = n
			}
			for ; j < len(w); j++ {
				lane[j] += math.Abs(float64(w[j]))
			}
		}
		for half := lanes / 2; half > 0; half /= 2 {
			for i := range half {
				for j, v := range s[i+half][:hi-lo] {
					s[i][j] += v
				}
			}
		}
		for j, sum := range s[0][:hi-lo] {
			y[lo+j] = float32(sum / float64(rows))
		}
	})
}

// ColumnMaxAbs writes to y the largest magnitude of each column of w, whose elements
// are finite; 0 for no elements. Shapes: w [rows, len(y)].
func ColumnMaxAbs(y, w []float32, rows int) {
	cols := len(y)
	need("columns", len(w), rows*cols)
	columnTiles(rows, cols, func(lo, hi int) {
		var most [columnTile]uint32
		for i := range rows {
			w, j := w[i*cols+lo:i*cols+hi], 0
			if n := whole(len(w)); n > 0 && chosen.train.largestEach != nil {
				chosen.train.largestEach(most[:n], w[:n])
				j = n
			}
			for ; j < len(w); j++ {
				most[j] = max(most[j], math.Float32bits(w[j])&^(1<<31))
			}
		}
		for j := range y[lo:hi] {
			y[lo+j] = math.Float32frombits(most[j])
		}
	})
}
