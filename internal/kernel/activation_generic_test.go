package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	// siluTolerance: Exp is within 2 ulp, the sum and the quotient add one half
	// each: 3 ulp of 2^-24 relative, on values of at most |x|.
	siluTolerance = 3 * 0x1p-23
	// siluGradTolerance: the same and four more products, of at most 1.1*|dy|.
	siluGradTolerance = 1e-6
	// edificeTolerance is the reference's own: it computes in float64.
	edificeTolerance = 1e-5
)

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

func siluSlope(x float64) float64 {
	s := 1 / (1 + math.Exp(-x))
	return s * (1 + x*(1-s))
}

func TestSiLU(t *testing.T) {
	for _, size := range []float32{1e-6, 1, 20, 200} {
		for _, n := range append([]int{1009, 40009}, upTo(longest)...) {
			x := noise(uint64(n), n, size)
			before := slices.Clone(x)
			want := make([]float64, n)
			for i, v := range x {
				want[i] = silu(float64(v))
			}
			first := make([]float32, n)
			SiLU(first, x, nil)
			within(t, want, first, siluTolerance, "%d elements up to %v", n, size)
			withProcs(func(procs int) {
				y := guarded(t, n)
				SiLU(y, x, nil)
				sameBits(t, first, y, "%d elements, procs %d", n, procs)
			})
			sameBits(t, before, x, "the input")
		}
	}
}

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func TestSiLUEdifice(t *testing.T) {
	var c struct{ Input, Output tensor }
	readJSON(t, "silu.json", &c)
	y := guarded(t, len(c.Input.Data))
	SiLU(y, c.Input.Data, nil)
	within(t, wide(c.Output.Data), y, edificeTolerance, "silu")
	for i, x := range c.Input.Data {
		assert.Equal(t, math.Signbit(float64(c.Output.Data[i])), math.Signbit(float64(y[i])), "sign at %v", x)
	}
}

func TestSiLUSpecial(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{0, negZero(), inf, 1e30, -1e30, -100, 88.8, -88.8, 1}
	want := []float32{0, negZero(), inf, 1e30, negZero(), negZero(), 88.8, negZero(), 1 / (1 + Exp(-1))}
	y := guarded(t, len(x))
	SiLU(y, x, nil)
	sameBits(t, want, y, "special values")
	one := guarded(t, 1)
	SiLU(one, []float32{nan()}, nil)
	assert.True(t, math.IsNaN(float64(one[0])), "NaN")
}

func TestSiLUBackward(t *testing.T) {
	for _, size := range []float32{1e-3, 1, 20, 200, 1e30} {
		for _, n := range append([]int{40009}, upTo(longest)...) {
			x, dy := noise(uint64(n), n, size), noise(uint64(n+1), n, 1)
			want := make([]float64, n)
			for i, v := range x {
				want[i] = float64(dy[i]) * siluSlope(float64(v))
				if v < -1e3 { // e^-x overflows float64's own formula
					want[i] = 0
				}
			}
			dx := guarded(t, n)
			SiLUBackward(dx, x, dy, nil)
			within(t, want, dx, siluGradTolerance, "%d elements up to %v", n, size)
		}
	}
}

// TestSiLUSlope holds the closed form above to finite differences.
func TestSiLUSlope(t *testing.T) {
	x := wide(noise(11, 101, 9))
	got := make([]float32, len(x))
	for i, v := range x {
		got[i] = float32(siluSlope(v))
	}
	want := differences(x, 1e-5, func(x []float64) float64 {
		var s float64
		for _, v := range x {
			s += silu(v)
		}
		return s
	})
	within(t, want, got, siluGradTolerance, "slope")
}

func TestSiLUShort(t *testing.T) {
	long, short := make([]float32, 13), make([]float32, 12)
	panicsWith(t, "y", 12, 13, func() { SiLU(short, long, nil) })
	panicsWith(t, "dx", 12, 13, func() { SiLUBackward(short, long, long, nil) })
	panicsWith(t, "dy", 12, 13, func() { SiLUBackward(long, long, short, nil) })
}
