package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// column returns column j of w [rows, cols].
func column(w []float32, rows, cols, j int) []float32 {
	c := make([]float32, rows)
	for i := range c {
		c[i] = w[i*cols+j]
	}
	return c
}

// columnShapes are below, at and above the 16 lanes and the tiles of 64.
var columnShapes = [][2]int{
	{0, 13}, {1, 1}, {1, 67}, {13, 1}, {15, 63}, {16, 64}, {17, 65}, {31, 128}, {33, 131}, {67, 11}, {257, 193}, {1009, 67}, {11, 0},
}

// TestColumnReductions: a column has, to the bit, what a weight of its elements has.
func TestColumnReductions(t *testing.T) {
	for _, shape := range columnShapes {
		rows, cols := shape[0], shape[1]
		w := noise(uint64(rows), rows*cols, 3)
		before := slices.Clone(w)
		mean, most := make([]float32, cols), make([]float32, cols)
		for j := range cols {
			c := column(w, rows, cols, j)
			mean[j], most[j] = meanAbsLiteral(c), math.Float32frombits(MaxAbsBits(c))
		}
		withProcs(func(procs int) {
			got := guarded(t, cols)
			ColumnMeanAbs(got, w, rows)
			sameBits(t, mean, got, "mean, %dx%d, procs %d", rows, cols, procs)
			got = guarded(t, cols)
			ColumnMaxAbs(got, w, rows)
			sameBits(t, most, got, "largest, %dx%d, procs %d", rows, cols, procs)
		})
		sameBits(t, before, w, "the input")
	}
}

// TestColumnMeanAbsOrder has a column for each wrong order of summation. 2^60 + 2^36
// is half way between two float32, and goes down to even; 200 tips it up, and each
// 100 alone is lost beside 2^60, half of whose last place is 128.
func TestColumnMeanAbsOrder(t *testing.T) {
	const rows, cols = 64, 67
	hundreds := map[int][2]int{
		63: {8, 24},  // meet in lane 8; of 8 lanes in lane 0
		64: {17, 33}, // meet in lane 1; of lanes of consecutive rows, in lanes 4 and 8
		65: {2, 10},  // meet in the halving tree; in one of neighbours, lane 2 meets lane 0
	}
	w := make([]float32, rows*cols)
	for j, at := range hundreds {
		w[j], w[48*cols+j], w[at[0]*cols+j], w[at[1]*cols+j] = 1<<60, -(1 << 36), 100, -100
	}
	mean := guarded(t, cols)
	ColumnMeanAbs(mean, w, rows)
	for j, at := range hundreds {
		assert.Equal(t, float32((1<<60+1<<37)/rows), mean[j], "rows %v", at)
		assert.Equal(t, mean[j], MeanAbs(column(w, rows, cols, j)), "rows %v alone", at)
	}
}

func TestColumnMaxAbsEdges(t *testing.T) {
	got := guarded(t, 3)
	ColumnMaxAbs(got, []float32{negZero(), -math.MaxFloat32, 0, 0, 1, -math.SmallestNonzeroFloat32}, 2)
	sameBits(t, []float32{0, math.MaxFloat32, math.SmallestNonzeroFloat32}, got, "magnitudes")
}

func TestColumnReductionsShort(t *testing.T) {
	for _, f := range []func(y, w []float32, rows int){ColumnMeanAbs, ColumnMaxAbs} {
		panicsWith(t, "columns", 11*13-1, 11*13, func() { f(make([]float32, 13), make([]float32, 11*13-1), 11) })
	}
}

func BenchmarkColumns(b *testing.B) {
	const rows, cols = 256, 1024
	w, y := noise(1, rows*cols, 1), make([]float32, cols)
	for name, f := range map[string]func(){
		"mean_abs": func() { ColumnMeanAbs(y, w, rows) },
		"max_abs":  func() { ColumnMaxAbs(y, w, rows) },
	} {
		for _, v := range variants {
			b.Run(name+"/"+v.name, func(b *testing.B) {
				defer func(before variant) { chosen = before }(chosen)
				chosen = v
				for b.Loop() {
					f()
				}
				b.ReportMetric(rows*cols*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
			})
		}
	}
}
