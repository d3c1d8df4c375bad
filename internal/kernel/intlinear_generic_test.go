package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// intLinear64 is IntLinear by its definition, in sums that hold anything.
func intLinear64(x, w []int8, rows, in, out int) []float32 {
	y := []float32{}
	for i := range rows {
		for o := range out {
			var acc int64
			for k := range in {
				acc += int64(x[i*in+k]) * int64(w[o*in+k])
			}
			y = append(y, float32(acc))
		}
	}
	return y
}

func TestIntLinear(t *testing.T) {
	for _, rows := range []int{0, 1, 2, 3, 17} {
		for _, in := range []int{0, 1, 7, 16, 61, 1040} {
			for out := range 13 {
				x, w := codes8(1, rows*in, 127), codes8(2, out*in, 127)
				const margin = 3
				got := make([]float32, rows*(out+margin))
				for i := range got {
					got[i] = float32(math.Inf(1))
				}
				IntLinear(Matrix{got, rows, out, out + margin}, x, w, in)
				want := intLinear64(x, w, rows, in, out)
				for i := range rows {
					row := got[i*(out+margin):]
					require.Equal(t, want[i*out:(i+1)*out], row[:out:out], "%dx%dx%d row %d", rows, in, out, i)
					for _, v := range row[out : out+margin] {
						require.True(t, math.IsInf(float64(v), 1), "%dx%dx%d row %d: written beside", rows, in, out, i)
					}
				}
			}
		}
	}
}

// The largest sums that codes can have, at the most inputs, are exact.
func TestIntLinear_largest(t *testing.T) {
	const out = 5
	for _, in := range []int{1041, 4096, 131072, MaxInt8In} {
		for _, sign := range []int8{1, -1} {
			x, w := make([]int8, in), make([]int8, out*in)
			for i := range x {
				x[i] = 127 * sign
			}
			for i := range w {
				w[i] = -128
			}
			w[in-1] = 101 // a sum that is no multiple of 128
			y := make([]float32, out)
			IntLinear(Dense(y, 1, out), x, w, in)
			assert.Equal(t, intLinear64(x, w, 1, in, out), y, "%d inputs", in)
		}
	}
	big := make([]int8, MaxInt8In+1)
	assert.PanicsWithValue(t, fmt.Sprintf("kernel: int8 layer of %d inputs, an int32 holds the sums of %d", MaxInt8In+1, MaxInt8In), func() {
		IntLinear(Dense(make([]float32, 1), 1, 1), big, big, len(big))
	})
}

// The graph's products, float32 over codes and integer, are the same.
func TestIntLinear_graphs(t *testing.T) {
	const rows, in, out = 11, 1040, 13
	x, w := codes8(1, rows*in, 127), codes8(2, in*out, 127)
	transposed, wf := make([]int8, in*out), make([]float32, in*out)
	for k := range in {
		for o := range out {
			transposed[o*in+k] = w[k*out+o]
			wf[k*out+o] = float32(w[k*out+o])
		}
	}
	xf, got, want := make([]float32, rows*in), make([]float32, rows*out), make([]float32, rows*out)
	for i, v := range x {
		xf[i] = float32(v)
	}
	IntLinear(Dense(got, rows, out), x, transposed, in)
	GemmInt8(Dense(want, rows, out), x, in, w, out, in)
	assert.Equal(t, want, got)
	Gemm(Dense(want, rows, out), Dense(xf, rows, in), Dense(wf, in, out), false, false, false)
	assert.Equal(t, want, got)
}

func TestIntLinear_allocations(t *testing.T) {
	y, x, w := make([]float32, 2*5), codes8(1, 2*61, 127), codes8(2, 5*61, 127)
	assert.Zero(t, testing.AllocsPerRun(10, func() { IntLinear(Dense(y, 2, 5), x, w, 61) }))
}

func TestNarrow(t *testing.T) {
	codes := []int8{9, 9, 9, 9}
	Narrow(codes, []float32{-127, 0, 127})
	assert.Equal(t, []int8{-127, 0, 127, 9}, codes)
}

func BenchmarkIntLinear(b *testing.B) {
	for _, rows := range []int{1, 60} {
		b.Run(fmt.Sprintf("%dx256x1024", rows), func(b *testing.B) {
			y, x, w := make([]float32, rows*1024), codes8(1, rows*256, 127), codes8(2, 1024*256, 127)
			for b.Loop() {
				IntLinear(Dense(y, rows, 1024), x, w, 256)
			}
			b.ReportMetric(float64(2*rows*256*1024)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
		})
	}
}
