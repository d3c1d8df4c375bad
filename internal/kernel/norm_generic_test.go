package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	normEps = 1e-5
	// normTolerance: means and variances of up to 67 elements in 16 lanes are good
	// to a few ulp, and the normalized values are below 9.
	normTolerance = 4e-6
	// normGradTolerance: two reductions on top of it, times 1/deviation.
	normGradTolerance = 2e-5
)

// normOracle is the definition in float64.
func normOracle(x, gain, bias []float64, floor bool) []float64 {
	cols := len(gain)
	y := make([]float64, len(x))
	for i := 0; i < len(x); i += cols {
		var mean, variance float64
		for _, v := range x[i : i+cols] {
			mean += v / float64(cols)
		}
		for _, v := range x[i : i+cols] {
			variance += (v - mean) * (v - mean) / float64(cols)
		}
		if floor && variance < normEps {
			variance = 0
		}
		for j, v := range x[i : i+cols] {
			y[i+j] = (v-mean)/math.Sqrt(variance+normEps)*gain[j] + bias[j]
		}
	}
	return y
}

// normLiteral is the definition to the bit: canonical sums, every operation
// rounded on its own.
func normLiteral(x, gain, bias []float32, floor bool) (y, mean, rstd []float32) {
	cols := len(gain)
	for i := 0; i < len(x); i += cols {
		row := x[i : i+cols]
		m := div32(sumLiteral(row), float32(cols))
		variance := div32(sumSquaresLiteral(row, m), float32(cols))
		if floor && variance < normEps {
			variance = 0
		}
		r := div32(1, float32(math.Sqrt(float64(add32(variance, normEps)))))
		for j, v := range row {
			y = append(y, add32(mul32(mul32(sub32(v, m), r), gain[j]), bias[j]))
		}
		mean, rstd = append(mean, m), append(rstd, r)
	}
	return y, mean, rstd
}

func TestNormForward(t *testing.T) {
	for _, rows := range []int{1, 11, 331} {
		for _, cols := range append(upTo(longest)[1:], 101, 257) {
			x, gain, bias := noise(uint64(cols), rows*cols, 3), noise(1, cols, 2), noise(2, cols, 1)
			inputs := [][]float32{slices.Clone(x), slices.Clone(gain), slices.Clone(bias)}
			want, wantMean, wantRstd := normLiteral(x, gain, bias, false)
			if cols >= 11 { // shorter rows may be nearly constant, which no tolerance fits
				within(t, normOracle(wide(x), wide(gain), wide(bias), false), want, normTolerance, "float64, %dx%d", rows, cols)
			}
			withProcs(func(procs int) {
				y, mean, rstd := guarded(t, len(x)), guarded(t, rows), guarded(t, rows)
				Norm{Eps: normEps}.Forward(y, mean, rstd, x, gain, bias)
				sameBits(t, want, y, "%dx%d, procs %d", rows, cols, procs)
				sameBits(t, wantMean, mean, "means of %dx%d", rows, cols)
				sameBits(t, wantRstd, rstd, "deviations of %dx%d", rows, cols)
			})
			for i, in := range [][]float32{x, gain, bias} {
				sameBits(t, inputs[i], in, "input %d", i)
			}
		}
	}
}

// TestNormNotFused has biases that cancel the rounded products: a fused
// multiply-add would leave what the rounding took away.
func TestNormNotFused(t *testing.T) {
	x, gain, bias := []float32{1, 2, 4}, []float32{1.1, 1.3, 1.7}, make([]float32, 3)
	y, mean, rstd := guarded(t, 3), guarded(t, 1), guarded(t, 1)
	n := Norm{Eps: normEps}
	n.Forward(y, mean, rstd, x, gain, bias)
	for j := range y {
		xhat := mul32(sub32(x[j], mean[0]), rstd[0])
		require.NotEqual(t, float64(xhat)*float64(gain[j]), float64(y[j]), "the example needs a product that rounds")
		bias[j] = -y[j]
	}
	n.Forward(y, mean, rstd, x, gain, bias)
	assert.Equal(t, []float32{0, 0, 0}, y, "a product is rounded before the bias is added")
}

func TestNormConstantRow(t *testing.T) {
	for _, floor := range []bool{false, true} {
		for _, value := range []float32{0, 0.5, -1e4} {
			x, bias := slices.Repeat([]float32{value}, 16), noise(1, 16, 1)
			y, mean, rstd := guarded(t, 16), guarded(t, 1), guarded(t, 1)
			Norm{Eps: normEps, Floor: floor}.Forward(y, mean, rstd, x, noise(2, 16, 1), bias)
			sameBits(t, bias, y, "a constant row of %v gives the bias", value)
		}
	}
}

func TestNormFloor(t *testing.T) {
	row := func(d float32) []float32 { return []float32{d, -d, d, -d, d, -d, d, -d} } // variance d*d
	ones, zeros := slices.Repeat([]float32{1}, 8), make([]float32, 8)
	tests := map[string]struct {
		d        float32
		variance float64 // that counts
	}{
		"far below":  {1e-4, 0},
		"just below": {0.00316, 0},
		"just above": {0.00317, 0.00317 * 0.00317},
		"far above":  {1, 1},
	}
	for name, tt := range tests {
		y, mean, rstd := guarded(t, 8), guarded(t, 1), guarded(t, 1)
		Norm{Eps: normEps, Floor: true}.Forward(y, mean, rstd, row(tt.d), ones, zeros)
		assert.InEpsilon(t, 1/math.Sqrt(tt.variance+normEps), rstd[0], normTolerance, "%s", name)
		Norm{Eps: normEps}.Forward(y, mean, rstd, row(tt.d), ones, zeros)
		assert.InEpsilon(t, 1/math.Sqrt(float64(tt.d)*float64(tt.d)+normEps), rstd[0], normTolerance, "%s, without a floor", name)
	}
	// At eps exactly the variance counts: the condition is var >= eps.
	assert.Equal(t, Norm{Eps: normEps}.rstd(normEps), Norm{Eps: normEps, Floor: true}.rstd(normEps), "at eps")
	below := math.Nextafter32(normEps, 0)
	assert.Equal(t, Norm{Eps: normEps}.rstd(0), Norm{Eps: normEps, Floor: true}.rstd(below), "one ulp below eps")
}

// normGradients are those of sum(y*dy) by central differences of the oracle.
func normGradients(x, gain, bias, dy []float32, floor bool) (dx, dgain, dbias []float64) {
	const step = 1e-5
	dx = differences(wide(x), step, func(v []float64) float64 {
		return weighted(normOracle(v, wide(gain), wide(bias), floor), dy)
	})
	dgain = differences(wide(gain), step, func(v []float64) float64 {
		return weighted(normOracle(wide(x), v, wide(bias), floor), dy)
	})
	dbias = differences(wide(bias), step, func(v []float64) float64 {
		return weighted(normOracle(wide(x), wide(gain), v, floor), dy)
	})
	return dx, dgain, dbias
}

func TestNormBackward(t *testing.T) {
	for _, shape := range [][2]int{{1, 11}, {11, 13}, {13, 17}, {17, 37}} {
		rows, cols := shape[0], shape[1]
		n := Norm{Eps: normEps}
		x, gain, bias, dy := noise(1, rows*cols, 2), noise(2, cols, 2), noise(3, cols, 1), noise(4, rows*cols, 1)
		y, mean, rstd := make([]float32, len(x)), make([]float32, rows), make([]float32, rows)
		n.Forward(y, mean, rstd, x, gain, bias)
		dx, dgain, dbias := guarded(t, len(x)), guarded(t, cols), guarded(t, cols)
		n.Backward(dx, dgain, dbias, dy, x, gain, mean, rstd, nil, 1)
		wantX, wantGain, wantBias := normGradients(x, gain, bias, dy, false)
		within(t, wantX, dx, normGradTolerance, "dx of %dx%d", rows, cols)
		within(t, wantGain, dgain, normGradTolerance, "dgain of %dx%d", rows, cols)
		within(t, wantBias, dbias, normGradTolerance, "dbias of %dx%d", rows, cols)
	}
}

// TestNormBackwardThreads: the sums over rows have a fixed order.
func TestNormBackwardThreads(t *testing.T) {
	const rows, cols = 1009, 67
	x, gain, dy := noise(1, rows*cols, 2), noise(2, cols, 2), noise(3, rows*cols, 1)
	y, mean, rstd := make([]float32, len(x)), make([]float32, rows), make([]float32, rows)
	Norm{Eps: normEps}.Forward(y, mean, rstd, x, gain, make([]float32, cols))
	var want []float32
	withProcs(func(procs int) {
		dx, dgain, dbias := guarded(t, len(x)), guarded(t, cols), guarded(t, cols)
		Norm{Eps: normEps}.Backward(dx, dgain, dbias, dy, x, gain, mean, rstd, nil, 1)
		got := slices.Concat(dx, dgain, dbias)
		if want == nil {
			want = got
		}
		sameBits(t, want, got, "procs %d", procs)
	})
}

func TestNormEdifice(t *testing.T) {
	var file struct {
		Epsilon float32
		Cases   []struct {
			Name                                  string
			Input, Gamma, Beta, Output, Cotangent tensor
			GradInput                             tensor `json:"grad_input"`
			GradGamma                             tensor `json:"grad_gamma"`
			GradBeta                              tensor `json:"grad_beta"`
			Variance                              tensor
		}
	}
	readJSON(t, "layer_norm.json", &file)
	require.NotEmpty(t, file.Cases)
	n := Norm{Eps: file.Epsilon, Floor: true}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			x, gain, bias := c.Input.Data, c.Gamma.Data, c.Beta.Data
			cols := len(gain)
			rows := len(x) / cols
			y, mean, rstd := guarded(t, len(x)), guarded(t, rows), guarded(t, rows)
			n.Forward(y, mean, rstd, x, gain, bias)
			within(t, wide(c.Output.Data), y, edificeTolerance, "output")
			dx, dgain, dbias := guarded(t, len(x)), guarded(t, cols), guarded(t, cols)
			n.Backward(dx, dgain, dbias, c.Cotangent.Data, x, gain, mean, rstd, nil, 1)
			within(t, wide(c.GradInput.Data), dx, edificeTolerance, "grad_input")
			within(t, wide(c.GradGamma.Data), dgain, edificeTolerance, "grad_gamma")
			within(t, wide(c.GradBeta.Data), dbias, edificeTolerance, "grad_beta")
		})
	}
}

func TestNormShort(t *testing.T) {
	const rows, cols = 11, 13
	f := func(n int) []float32 { return make([]float32, n) }
	full, row, col := f(rows*cols), f(rows), f(cols)
	short, shortRow, shortCol := full[:rows*cols-1], row[:rows-1], col[:cols-1]
	var n Norm
	panicsWith(t, "x", rows*cols-1, rows*cols, func() { n.Forward(full, row, row, short, col, col) })
	panicsWith(t, "y", rows*cols-1, rows*cols, func() { n.Forward(short, row, row, full, col, col) })
	panicsWith(t, "rstd", rows-1, rows, func() { n.Forward(full, row, shortRow, full, col, col) })
	panicsWith(t, "bias", cols-1, cols, func() { n.Forward(full, row, row, full, col, shortCol) })
	panicsWith(t, "dx", rows*cols-1, rows*cols, func() { n.Backward(short, col, col, full, full, col, row, row, nil, 1) })
	panicsWith(t, "dgain", cols-1, cols, func() { n.Backward(full, shortCol, col, full, full, col, row, row, nil, 1) })
	panicsWith(t, "dbias", cols-1, cols, func() { n.Backward(full, col, shortCol, full, full, col, row, row, nil, 1) })
	panicsWith(t, "dy", rows*cols-1, rows*cols, func() { n.Backward(full, col, col, short, full, col, row, row, nil, 1) })
	panicsWith(t, "x", rows*cols-1, rows*cols, func() { n.Backward(full, col, col, full, short, col, row, row, nil, 1) })
	panicsWith(t, "rstd", rows-1, rows, func() { n.Backward(full, col, col, full, full, col, row, shortRow, nil, 1) })
}

// What joins is added to the gradient of the last rows of each sequence.
func TestNormBackwardJoins(t *testing.T) {
	const batch, steps, cols = 3, 11, 17
	const rows = batch * steps
	x, dy, gain, bias := noise(1, rows*cols, 1), noise(2, rows*cols, 1), noise(3, cols, 1), noise(4, cols, 1)
	n, mean, rstd := Norm{Eps: normEps}, make([]float32, rows), make([]float32, rows)
	n.Forward(make([]float32, rows*cols), mean, rstd, x, gain, bias)
	alone, dgain, dbias := make([]float32, rows*cols), make([]float32, cols), make([]float32, cols)
	n.Backward(alone, dgain, dbias, dy, x, gain, mean, rstd, nil, batch)
	for _, keep := range []int{0, 1, 4, steps} {
		joins, want, next := noise(5, batch*keep*cols, 1), slices.Clone(alone), 0
		for i := range rows {
			for j := 0; j < cols && i%steps >= steps-keep; j++ {
				want[i*cols+j] += joins[next]
				next++
			}
		}
		got, g, b := guarded(t, rows*cols), make([]float32, cols), make([]float32, cols)
		n.Backward(got, g, b, dy, x, gain, mean, rstd, joins, batch)
		sameBits(t, want, got, "keep %d", keep)
		sameBits(t, dgain, g, "gain, keep %d", keep)
		sameBits(t, dbias, b, "bias, keep %d", keep)
	}
	assert.PanicsWithValue(t, "kernel: a gradient of 18 elements joins 33 rows of 17 in 3 sequences", func() {
		n.Backward(alone, dgain, dbias, dy, x, gain, mean, rstd, make([]float32, 18), batch)
	})
}

// Rows together are rows one by one.
func TestNormRows(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, cols := range []int{1, 16, 17, 64, 67, 256} {
			for rows := range 6 {
				for _, floor := range []bool{false, true} {
					n := Norm{Eps: normEps, Floor: floor}
					x, gain, bias := noise(uint64(rows), rows*cols, 2), noise(3, cols, 1), noise(4, cols, 1)
					want, wantMean, wantRstd := make([]float32, rows*cols), make([]float32, rows), make([]float32, rows)
					for i := range rows {
						wantMean[i], wantRstd[i] = n.Row(want[i*cols:(i+1)*cols], x[i*cols:(i+1)*cols], gain, bias)
					}
					got, mean, rstd := guarded(t, rows*cols), guarded(t, rows), guarded(t, rows)
					n.Rows(got, mean, rstd, x, gain, bias)
					sameBits(t, want, got, "%d rows of %d", rows, cols)
					sameBits(t, wantMean, mean, "means of %d rows of %d", rows, cols)
					sameBits(t, wantRstd, rstd, "deviations of %d rows of %d", rows, cols)
					got = guarded(t, rows*cols)
					n.Rows(got, nil, nil, x, gain, bias)
					sameBits(t, want, got, "%d rows of %d, no statistics", rows, cols)
				}
			}
		}
	})
}

func TestNormRows_short(t *testing.T) {
	x, gain := make([]float32, 3*16), make([]float32, 16)
	panicsWith(t, "output", 47, 48, func() { Norm{}.Rows(x[:47], nil, nil, x, gain, gain) })
	panicsWith(t, "means", 2, 3, func() { Norm{}.Rows(x, gain[:2], gain, x, gain, gain) })
	panicsWith(t, "deviations", 2, 3, func() { Norm{}.Rows(x, gain, gain[:2], x, gain, gain) })
}
