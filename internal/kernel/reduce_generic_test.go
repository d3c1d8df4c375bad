package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// lanesLiteral adds x in the canonical order, written another way: element i goes
// to lane i%16, and lane i of each half meets lane i of the other.
func lanesLiteral(x []float32, term func(float32) float32) float32 {
	lane := make([]float32, 16)
	for i, v := range x {
		lane[i%16] = add32(lane[i%16], term(v))
	}
	for len(lane) > 1 {
		lo, hi := lane[:len(lane)/2], lane[len(lane)/2:]
		for i := range lo {
			lo[i] = add32(lo[i], hi[i])
		}
		lane = lo
	}
	return lane[0]
}

func sumLiteral(x []float32) float32 {
	return lanesLiteral(x, func(v float32) float32 { return v })
}

func sumSquaresLiteral(x []float32, mean float32) float32 {
	return lanesLiteral(x, func(v float32) float32 { return mul32(sub32(v, mean), sub32(v, mean)) })
}

// meanAbsLiteral is the same in float64, divided there, rounded once.
func meanAbsLiteral(x []float32) float32 {
	lane := make([]float64, 16)
	for i, v := range x {
		lane[i%16] += math.Abs(float64(v))
	}
	for len(lane) > 1 {
		lo, hi := lane[:len(lane)/2], lane[len(lane)/2:]
		for i := range lo {
			lo[i] += hi[i]
		}
		lane = lo
	}
	if len(x) == 0 {
		return 0
	}
	return float32(lane[0] / float64(len(x)))
}

func TestSum(t *testing.T) {
	for n := range longest {
		x := noise(uint64(n), n, 1e3)
		sameBits(t, []float32{sumLiteral(x)}, []float32{Sum(x)}, "%d elements", n)
		sameBits(t, []float32{sumSquaresLiteral(x, 7.1)}, []float32{sumSquares(x, 7.1)}, "squares of %d elements", n)
	}
	for _, n := range []int{256, 1009, 4099} {
		x := noise(uint64(n), n, 1e3)
		sameBits(t, []float32{sumLiteral(x)}, []float32{Sum(x)}, "%d elements", n)
		sameBits(t, []float32{sumSquaresLiteral(x, -3.3)}, []float32{sumSquares(x, -3.3)}, "squares of %d elements", n)
	}
}

// TestSumOrder has sums whose value tells the order, worked by hand. In float32
// 2^24 + 1 is 2^24 and 2^24 + 2 is not.
func TestSumOrder(t *testing.T) {
	big := make([]float32, 17)
	for i := range big {
		big[i] = 1
	}
	big[0] = 1 << 24
	// Lane 0 holds 2^24 + x[16] = 2^24; +8: 2^24 + 1 = 2^24; +4: + 2; +2: + 4; +1: + 8.
	assert.Equal(t, float32(1<<24+14), Sum(big), "one ascending sum gives 2^24")

	squares := make([]float32, 17)
	for i := range squares {
		squares[i] = 1
	}
	squares[0] = 1 << 12
	assert.Equal(t, float32(1<<24+14), sumSquares(squares, 0), "squares")

	// A fused product would keep the last bits of 4097^2 = 2^24 + 2^13 + 1, an odd
	// number above 2^24: 16785409. Rounded to even it is 16785408, and one more is
	// rounded away again; kept, it would reach 16785410.
	fused := make([]float32, 17)
	fused[0], fused[16] = 1, 4097
	assert.Equal(t, float32(16785408), sumSquares(fused, 0), "a product is rounded before it is added")
}

func TestMeanAbs(t *testing.T) {
	assert.Zero(t, MeanAbs(nil), "no elements")
	for n := 1; n < longest; n++ {
		x := noise(uint64(100+n), n, 3)
		sameBits(t, []float32{meanAbsLiteral(x)}, []float32{MeanAbs(x)}, "%d elements", n)
	}
	x := noise(1, 65537, 3)
	sameBits(t, []float32{meanAbsLiteral(x)}, []float32{MeanAbs(x)}, "65537 elements")
}

// TestMeanAbsOrder has weights whose mean tells how it was added.
func TestMeanAbsOrder(t *testing.T) {
	// 4096 * 2^-25 is lost in float32 one by one; in float64 nothing is lost.
	small := make([]float32, 4097)
	for i := range small {
		small[i] = -1.0 / (1 << 25)
	}
	small[0] = -1
	exact := float32((1 + 4096.0/(1<<25)) / 4097)
	assert.Equal(t, exact, MeanAbs(small), "float64 sums")
	assert.NotEqual(t, exact, float32(1)/4097, "the example tells float32 sums from float64 ones")

	// 2^60 + 2^36 is half way between two float32; 200 from lane 8 tips it up. One
	// ascending float64 sum loses every 100 (half of 2^60's last place is 128) and
	// stays at the tie, which goes down to even.
	x := slices.Repeat([]float32{100}, 32)
	x[0], x[1] = 1<<60, 1<<36
	assert.Equal(t, float32((1<<60+1<<37)/32), MeanAbs(x), "16 lanes")
	var ascending float64
	for _, v := range x {
		ascending += float64(v)
	}
	assert.Equal(t, float32(1<<60/32), float32(ascending/32), "the example tells lanes from one ascending sum")
}

func TestMaxAbsBits(t *testing.T) {
	assert.Zero(t, MaxAbsBits(nil), "no elements")
	for n := 1; n < longest; n++ {
		x := noise(uint64(n), n, 1)
		for i := range x {
			y := slices.Clone(x)
			y[i] = -2.5
			assert.Equal(t, math.Float32bits(2.5), MaxAbsBits(y), "largest at %d of %d", i, n)
		}
	}
	tests := map[string]struct {
		x    []float32
		want uint32
	}{
		"negative zero":      {[]float32{negZero(), 0}, 0},
		"subnormal":          {[]float32{0, -math.SmallestNonzeroFloat32}, 1},
		"largest":            {[]float32{-math.MaxFloat32, 1}, 0x7f7fffff},
		"infinity":           {[]float32{1, float32(math.Inf(-1)), 2}, InfBits},
		"NaN with sign":      {[]float32{1, math.Float32frombits(0xffc00001)}, 0x7fc00001},
		"NaN beats infinity": {[]float32{float32(math.Inf(1)), math.Float32frombits(0x7f800001)}, 0x7f800001},
	}
	for name, tt := range tests {
		assert.Equal(t, tt.want, MaxAbsBits(tt.x), name)
	}
}

func negZero() float32 { return math.Float32frombits(1 << 31) }

func TestFirstNotFinite(t *testing.T) {
	bad := map[string]float32{"NaN": nan(), "negative NaN": math.Float32frombits(0xffffffff), "+Inf": float32(math.Inf(1)), "-Inf": float32(math.Inf(-1))}
	for n := range longest {
		x := noise(uint64(n), n, math.MaxFloat32)
		assert.Equal(t, -1, FirstNotFinite(x), "%d finite elements", n)
		for i := range x {
			for name, v := range bad {
				y := slices.Clone(x)
				y[i], y[n-1] = v, nan()
				assert.Equal(t, i, FirstNotFinite(y), "%s at %d of %d", name, i, n)
			}
		}
	}
}

func TestSumSquares(t *testing.T) {
	var x []float32
	want := 0.0
	for n := range longest {
		assert.Equal(t, want, SumSquares(x), "%d elements", n)
		x = append(x, float32(n+1)) // small integers: exact in any order
		want += float64((n + 1) * (n + 1))
	}
	assert.Equal(t, float64(math.MaxFloat32)*math.MaxFloat32, SumSquares([]float32{-math.MaxFloat32}))
}
