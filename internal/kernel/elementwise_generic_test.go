package kernel

import (
	"slices"
	"testing"
)

// sumTolerance is for float32 sums of up to 1009 numbers of at most 1 in 16 parts:
// about 64 additions, half an ulp of at most 32 each.
const sumTolerance = 64 * 32 * 0x1p-24

func TestAddRows(t *testing.T) {
	shapes := []struct{ batch, steps, keep, cols int }{
		{1, 1, 1, 1}, {3, 11, 11, 13}, {3, 11, 1, 13}, {2, 13, 7, 17}, {13, 61, 61, 67}, {0, 3, 1, 5}, {2, 5, 0, 3},
	}
	for _, s := range shapes {
		h, a := noise(1, s.batch*s.steps*s.cols, 1), noise(2, s.batch*s.keep*s.cols, 1)
		var want []float32
		for b := range s.batch {
			for i := range s.keep * s.cols {
				from := (b*s.steps + s.steps - s.keep) * s.cols
				want = append(want, add32(h[from+i], a[b*s.keep*s.cols+i]))
			}
		}
		withProcs(func(procs int) {
			y := guarded(t, len(a))
			AddRows(y, h, a, nil, s.batch, s.steps, s.keep, s.cols)
			sameBits(t, want, y, "%+v, procs %d", s, procs)
			y = guardedCopy(t, a)
			AddRows(y, h, y, nil, s.batch, s.steps, s.keep, s.cols)
			sameBits(t, want, y, "in place, %+v, procs %d", s, procs)
		})
	}
	panicsWith(t, "h", 2, 3, func() { AddRows(make([]float32, 1), make([]float32, 2), make([]float32, 1), nil, 1, 3, 1, 1) })
	panicsWith(t, "a", 2, 3, func() { AddRows(make([]float32, 3), make([]float32, 3), make([]float32, 2), nil, 1, 3, 3, 1) })
	panicsWith(t, "y", 2, 3, func() { AddRows(make([]float32, 2), make([]float32, 3), make([]float32, 3), nil, 1, 3, 3, 1) })
}

func TestColumnSums(t *testing.T) {
	for _, s := range []struct{ rows, cols, ld int }{
		{0, 5, 5}, {1, 1, 1}, {11, 13, 13}, {16, 17, 19}, {67, 3, 11}, {1009, 67, 67}, {1009, 41, 67}, {5, 67, 101},
	} {
		x := noise(1, max(0, (s.rows-1)*s.ld+s.cols), 1)
		want := make([]float64, s.cols)
		for i := range s.rows {
			for j := range s.cols {
				want[j] += float64(x[i*s.ld+j])
			}
		}
		before := slices.Clone(x)
		var first []float32
		withProcs(func(procs int) {
			y := guarded(t, s.cols)
			ColumnSums(y, x, s.rows, s.cols, s.ld)
			within(t, want, y, sumTolerance, "%+v, procs %d", s, procs)
			if first == nil {
				first = y
			}
			sameBits(t, first, y, "%+v, procs %d", s, procs)
		})
		sameBits(t, before, x, "the input")
	}
}

// TestColumnSumsExact: whole numbers leave no room for a tolerance.
func TestColumnSumsExact(t *testing.T) {
	const rows, cols, ld = 997, 13, 17
	x := integers(3, rows*ld, 1000)
	want := make([]float32, cols)
	for i := range rows {
		for j := range cols {
			want[j] += x[i*ld+j]
		}
	}
	y := guarded(t, cols)
	ColumnSums(y, x, rows, cols, ld)
	sameBits(t, want, y, "sums of integers")
}

func TestColumnSumsShort(t *testing.T) {
	panicsWith(t, "x", 12, 13, func() { ColumnSums(make([]float32, 13), make([]float32, 12), 1, 13, 13) })
	y := guarded(t, 12)
	panicsWith(t, "y", 12, 13, func() { ColumnSums(y, make([]float32, 13), 1, 13, 13) })
}
