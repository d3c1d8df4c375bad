package solver

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// powerTolerance is relative: 2*log2(n) roundings of float64.
const powerTolerance = 1e-14

func TestPower(t *testing.T) {
	for _, x := range []float64{0, 0.5, 0.9, 0.999, 1 - 0x1p-53} {
		for _, n := range []int{1, 2, 3, 11, 101, 1000, 65537} {
			want := math.Pow(x, float64(n))
			assert.InDelta(t, want, power(x, n), powerTolerance*want, "%v^%d", x, n)
		}
	}
	assert.Equal(t, 1.0, power(0, 0))
	assert.Zero(t, power(0.9, math.MaxInt))
}

func TestHalfCosine(t *testing.T) {
	const tolerance = 2.3e-16 // an ulp of 1: the rounding of the last product and of the two sides' arguments
	for i := range 1001 {
		p := float64(i) / 1000
		assert.InDelta(t, (1+math.Cos(math.Pi*p))/2, halfCosine(p), tolerance, "p %v", p)
	}
	assert.Equal(t, 1.0, halfCosine(0))
	assert.Zero(t, halfCosine(1))
}
