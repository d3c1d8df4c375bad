package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// expUlps is what Exp's doc promises against the exact value.
const expUlps = 2

// expStride samples the bit patterns of float32: a prime, so that every exponent
// meets every kind of mantissa.
const expStride = 1021

// expHolds reports whether y is what Exp's doc says of x, where e^x is exact.
func expHolds(x, y float32, exact float64) bool {
	switch {
	case x != x:
		return y != y
	case float64(float32(exact)) > math.MaxFloat32:
		return y > math.MaxFloat32
	case exact < 0x1p-126:
		return math.Float32bits(y) == 0
	default:
		return ulps(y, exact) <= expUlps
	}
}

func checkExp(t *testing.T, x float32) {
	if y, exact := Exp(x), math.Exp(float64(x)); !expHolds(x, y, exact) {
		require.FailNow(t, "wrong exponential", "Exp(%v) (%#08x): got %v, want %v within %d ulp, or +0 where subnormal",
			x, math.Float32bits(x), y, exact, expUlps)
	}
}

func TestExp(t *testing.T) {
	var worst float64
	var at float32
	for bits := uint64(0); bits < 1<<32; bits += expStride {
		x := math.Float32frombits(uint32(bits))
		checkExp(t, x)
		if x > ExpLo && x < ExpHi {
			if u := ulps(Exp(x), math.Exp(float64(x))); u > worst {
				worst, at = u, x
			}
		}
	}
	t.Logf("largest error %.3f ulp, at %v", worst, at)
}

// TestExpDense looks at the part that softmax and SiLU use most.
func TestExpDense(t *testing.T) {
	for i := range 1 << 20 {
		checkExp(t, float32(i-1<<19)*(20.0/(1<<19)))
	}
}

func TestExpSpecial(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := map[string]struct{ x, want float32 }{
		"zero":                {0, 1},
		"negative zero":       {negZero(), 1},
		"smallest":            {math.SmallestNonzeroFloat32, 1},
		"smallest negative":   {-math.SmallestNonzeroFloat32, 1},
		"+Inf":                {inf, inf},
		"-Inf":                {-inf, 0},
		"largest":             {math.MaxFloat32, inf},
		"largest negative":    {-math.MaxFloat32, 0},
		"first that overflow": {math.Nextafter32(ExpHi, inf), inf},
		"first that vanish":   {math.Nextafter32(ExpLo, -inf), 0},
	}
	for name, tt := range tests {
		sameBits(t, []float32{tt.want}, []float32{Exp(tt.x)}, "%s", name)
	}
	assert.False(t, math.IsInf(float64(Exp(ExpHi)), 1), "the last x that does not overflow")
	assert.GreaterOrEqual(t, Exp(ExpLo), float32(0x1p-126), "the last x that does not vanish")
	assert.True(t, math.IsNaN(float64(Exp(nan()))), "NaN")
}

// TestExpRoundsProducts: for each product of Exp that a CPU could fuse with the sum
// behind it, an x of which that would make another number. (The other two cannot: the
// first is rounded to a whole number, the second is exact.)
func TestExpRoundsProducts(t *testing.T) {
	for product, tt := range map[string]struct{ x, want uint32 }{
		"n*Ln2Lo": {0x4004d880, 0x40ff0c2c},
		"expP0*r": {0x40aa5281, 0x434ce8fb},
		"expP1":   {0xbed895b6, 0x3f27b27e},
		"expP2":   {0x3e2dd4cc, 0x3f97aea3},
		"expP3":   {0x3ddd8f1f, 0x3f8e9fce},
		"expP4":   {0x3d3a1823, 0x3f85f317},
		"expP5":   {0x3c24bffc, 0x3f814b2a},
	} {
		sameBits(t, []float32{math.Float32frombits(tt.want)}, []float32{Exp(math.Float32frombits(tt.x))}, "%s", product)
	}
}

// TestExpEdges walks over the limits and over every change of the power of two,
// where the polynomial's two ends meet: no step down by more than the error allows.
func TestExpEdges(t *testing.T) {
	const neighbours = 300
	edges := []float32{ExpHi, ExpLo, 0}
	for k := -126; k <= 127; k++ {
		edges = append(edges, float32((float64(k)+0.5)*math.Ln2))
	}
	for _, edge := range edges {
		x := edge
		for range neighbours {
			x = math.Nextafter32(x, float32(math.Inf(-1)))
		}
		last := Exp(x)
		for range 2 * neighbours {
			x = math.Nextafter32(x, float32(math.Inf(1)))
			checkExp(t, x)
			y := Exp(x)
			if y < last {
				require.LessOrEqual(t, ulps(y, float64(last)), float64(expUlps), "Exp steps down from %v to %v at %v", last, y, x)
			}
			last = y
		}
	}
}

func FuzzExp(f *testing.F) {
	for _, x := range []float32{0, 1, -1, ExpHi, ExpLo, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), nan()} {
		f.Add(math.Float32bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint32) { checkExp(t, math.Float32frombits(bits)) })
}
