package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A row alone has the bits that it has in a whole product.
func TestGemmRows(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, rows := range []int{0, 1, 2, 13, 61} {
			for _, k := range []int{0, 1, 67, 523} {
				for _, cols := range []int{0, 1, 41, 97} {
					const stride = 101
					a, b := noise(1, rows*k, 1), Matrix{noise(2, k*stride+cols, 1), k, cols, stride}
					want, got := make([]float32, rows*cols), noise(3, rows*cols, 1)
					Gemm(Dense(want, rows, cols), Dense(a, rows, k), b, false, false, false)
					GemmRows(Dense(got, rows, cols), Dense(a, rows, k), b)
					sameBits(t, want, got, "%dx%dx%d", rows, k, cols)
					if rows > 0 {
						GemmRows(Dense(got[:cols], 1, cols), Dense(a[(rows-1)*k:], 1, k), b)
						sameBits(t, want[(rows-1)*cols:], got[:cols], "%dx%dx%d, the last row alone", rows, k, cols)
					}
				}
			}
		}
	})
}

// Steps of a sequence, from kept keys and values, are those of the whole sequence.
func TestAttentionRows(t *testing.T) {
	const steps = 17
	for _, rotary := range []bool{false, true} {
		for _, epsilon := range []float32{0, 1e-3} {
			for _, heads := range []int{1, 4} {
				for _, size := range []int{2, 14, 22} {
					a := Attention{Batch: 1, Steps: steps, Keep: steps, Heads: heads, HeadSize: size, Epsilon: epsilon}
					if rotary {
						a.Rotary = NewRotary(steps, size)
					}
					h := a.Hidden()
					qkv := noise(1, steps*3*h, 2)
					want, weights := make([]float32, steps*h), make([]float32, a.Weights())
					a.Forward(want, weights, qkv, nil)

					// Some steps at a time, on the keys and values of those before.
					const stride = steps + 3
					for _, each := range []int{1, 5, steps} {
						keys, values := make([]float32, (h-1)*stride+steps), make([]float32, steps*h)
						got := guarded(t, steps*h)
						for from := 0; from < steps; from += each {
							n := min(each, steps-from)
							turned := slices.Clone(qkv[from*3*h : (from+n)*3*h])
							for i := range n {
								row := turned[i*3*h : (i+1)*3*h]
								a.Turn(row[:h], row[:h], from+i)
								a.Turn(row[h:2*h], row[h:2*h], from+i)
								copy(values[(from+i)*h:], row[2*h:])
							}
							m := Matrix{turned, n, 3 * h, 3 * h}
							a.Keys(keys, stride, from, m.Columns(h, 2*h))
							a.Rows(got[from*h:(from+n)*h], m.Columns(0, h), keys, stride, Dense(values[:(from+n)*h], from+n, h), from)
						}
						sameBits(t, want, got, "%+v: %d steps at a time", a, each)
					}
				}
			}
		}
	}
}

// An infinite value of a later step does not meet the weight 0 that it has before.
func TestAttentionCareful(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const steps, h = 29, 22
		a := Attention{Batch: 1, Steps: steps, Keep: steps, Heads: 2, HeadSize: h / 2}
		qkv := noise(1, steps*3*h, 1)
		want, got, weights := make([]float32, steps*h), make([]float32, steps*h), make([]float32, a.Weights())
		a.Forward(want, weights, qkv, nil)
		const bad = 17
		qkv[bad*3*h+2*h+5] = float32(math.Inf(1))
		a.Forward(got, weights, qkv, nil)
		sameBits(t, want[:bad*h], got[:bad*h], "before")
		assert.True(t, math.IsInf(float64(got[bad*h+5]), 1))

		keys := make([]float32, h*steps)
		m := Matrix{qkv, steps, 3 * h, 3 * h}
		a.Keys(keys, steps, 0, m.Columns(h, 2*h))
		rows := make([]float32, steps*h)
		a.Rows(rows, m.Columns(0, h), keys, steps, m.Columns(2*h, 3*h), 0)
		sameNumbers(t, got, rows, "Rows")
	})
}

// The forms for one row allocate nothing, whatever GOMAXPROCS.
func TestRows_allocations(t *testing.T) {
	const n, steps = 64, 11
	x, y, gain, bias := noise(1, n, 1), make([]float32, n), noise(2, n, 1), noise(3, n, 1)
	w, wide := noise(4, n*n, 1), noise(5, steps*n, 1)
	a := Attention{Heads: 4, HeadSize: n / 4, Rotary: NewRotary(steps, n/4)}
	out, keys := make([]float32, steps*n), make([]float32, n*steps)
	for name, run := range map[string]func(){
		"silu":     func() { SiLURow(y, x) },
		"add":      func() { AddRow(y, x, gain) },
		"norm":     func() { Norm{Eps: 1e-5}.Row(y, x, gain, bias) },
		"chain":    func() { ChainRows(y, x, w, bias, 1) },
		"rescale":  func() { RescaleRow(y, 0.5, gain, bias) },
		"softmax":  func() { SoftmaxRow(y, x) },
		"turn":     func() { a.Turn(y, x, 3) },
		"keys":     func() { a.Keys(keys, steps, 0, Dense(wide, steps, n)) },
		"rows":     func() { a.Rows(out, Dense(wide, steps, n), keys, steps, Dense(wide, steps, n), 0) },
		"gemm":     func() { GemmRows(Dense(out, steps, n), Dense(wide, steps, n), Dense(w, n, n)) },
		"mean":     func() { MeanPool(y, wide, nil, 1, steps, n) },
		"quantize": func() { _, ok := QuantizeRow(y, x); require.True(t, ok) },
	} {
		run()
		assert.Zero(t, testing.AllocsPerRun(20, run), name)
	}
}

func TestRows_lengths(t *testing.T) {
	x, short := make([]float32, 8), make([]float32, 7)
	a := Attention{Heads: 2, HeadSize: 4}
	for name, run := range map[string]func(){
		"silu output has 7 elements, needs 8":         func() { SiLURow(short, x) },
		"residual has 7 elements, needs 8":            func() { AddRow(x, short, x) },
		"residual sum has 7 elements, needs 8":        func() { AddRow(short, x, x) },
		"norm input has 7 elements, needs 8":          func() { Norm{}.Row(x, short, x, x) },
		"norm output has 7 elements, needs 8":         func() { Norm{}.Row(short, x, x, x) },
		"norm bias has 7 elements, needs 8":           func() { Norm{}.Row(x, x, x, short) },
		"dense input has 7 elements, needs 8":         func() { ChainRows(x, short, x, x[:1], 1) },
		"dense output has 7 elements, needs 8":        func() { ChainRows(short, x[:1], x, x, 1) },
		"softmax has 7 elements, needs 8":             func() { SoftmaxRow(short, x) },
		"query or key has 7 elements, needs 8":        func() { a.Turn(x, short, 0) },
		"turned query or key has 7 elements, needs 8": func() { a.Turn(short, x, 0) },
		"attention output has 7 elements, needs 8":    func() { a.Rows(short, Dense(x, 1, 8), x, 1, Dense(x, 1, 8), 0) },
		"attention queries has 7 elements, needs 8":   func() { a.Rows(x, Dense(short, 1, 8), x, 1, Dense(x, 1, 8), 0) },
		"transposed keys has 7 elements, needs 8":     func() { a.Rows(x, Dense(x, 1, 8), short, 1, Dense(x, 1, 8), 0) },
		"attention values has 7 elements, needs 8":    func() { a.Rows(x, Dense(x, 1, 8), x, 1, Dense(short, 1, 8), 0) },
		"attention keys has 7 elements, needs 8":      func() { a.Keys(x, 1, 0, Dense(short, 1, 8)) },
		"bias has 7 elements, needs 8":                func() { RescaleRow(x, 1, x[:1], short) },
		"column scales has 7 elements, needs 8":       func() { RescaleRow(x, 1, short, x) },
		"a product of 1x8 and 7x1 is not 1x1":         func() { GemmRows(Dense(x, 1, 1), Dense(x, 1, 8), Dense(short, 7, 1)) },
	} {
		assert.PanicsWithValue(t, fmt.Sprint("kernel: ", name), run, name)
	}
}
