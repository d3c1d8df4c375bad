package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// rotaryUlps is how far a table entry may be from float64's sine or cosine of
	// the same angle: the nearest float32, or its neighbour at a near tie.
	rotaryUlps = 1
	// angleSlack is what the angle itself may be off by: 4095 * 10000^(-2i/d) in
	// float64 has an error of 4095 * 2^-52 or so, which shows where a sine or cosine
	// is nearly zero and its last place is smaller than that.
	angleSlack = 4096 * 0x1p-51
	// turnTolerance allows for a product of two rounded table entries and two
	// rounded sums, on values up to 2 and rows of up to 128.
	turnTolerance = 2e-6
)

func TestRotaryTables(t *testing.T) {
	const positions = 4096
	sizes := []int{2, 4, 22, 26, 64, 86, 128}
	if testing.Short() {
		sizes = []int{2, 22}
	}
	for _, size := range sizes {
		r := NewRotary(positions, size)
		require.Len(t, r.cos, positions*size/2, "head size %d", size)
		require.Len(t, r.sin, positions*size/2, "head size %d", size)
		for p := range positions {
			for i := range size / 2 {
				theta := math.Pow(10000, -float64(2*i)/float64(size))
				sin, cos := math.Sincos(float64(p) * theta)
				at := p*size/2 + i
				if !near(r.sin[at], sin) || !near(r.cos[at], cos) {
					require.FailNow(t, "wrong table", "head size %d, position %d, pair %d: got sin %v cos %v, want %v %v",
						size, p, i, r.sin[at], r.cos[at], sin, cos)
				}
			}
		}
	}
}

func near(got float32, want float64) bool {
	_, exp := math.Frexp(want)
	return math.Abs(float64(got)-want) <= rotaryUlps*math.Ldexp(1, max(exp, -125)-24)+angleSlack
}

func TestRotaryPositionZero(t *testing.T) {
	for _, size := range []int{2, 22, 26, 128} {
		r := NewRotary(3, size)
		x := noise(uint64(size), size, 5)
		y, back := guarded(t, size), guarded(t, size)
		r.turn(y, x, 0)
		r.turnBack(back, x, 0)
		sameBits(t, x, y, "position 0 is the identity, size %d", size)
		sameBits(t, x, back, "and so is its gradient, size %d", size)
	}
}

func TestRotaryNil(t *testing.T) {
	var r *Rotary
	x := noise(1, 13, 1)
	y, back := guarded(t, 13), guarded(t, 13)
	r.turn(y, x, 7)
	r.turnBack(back, x, 7)
	sameBits(t, x, y, "turn")
	sameBits(t, x, back, "turnBack")
}

// rotate is the definition in float64: pair i is (x[i], x[i+half]).
func rotate(x []float64, position float64) []float64 {
	half := len(x) / 2
	y := make([]float64, len(x))
	ratio := math.Pow(10000, -2/float64(len(x)))
	for i, angle := 0, position; i < half; i, angle = i+1, angle*ratio {
		sin, cos := math.Sincos(angle)
		y[i], y[i+half] = x[i]*cos-x[i+half]*sin, x[i+half]*cos+x[i]*sin
	}
	return y
}

func TestRotaryTurn(t *testing.T) {
	for _, size := range []int{2, 22, 26, 64} {
		r := NewRotary(101, size)
		for _, p := range []int{1, 2, 11, 67, 100} {
			x := noise(uint64(size*p), size, 1)
			y, back := guarded(t, size), guarded(t, size)
			r.turn(y, x, p)
			r.turnBack(back, x, p)
			within(t, rotate(wide(x), float64(p)), y, turnTolerance, "size %d, position %d", size, p)
			within(t, rotate(wide(x), -float64(p)), back, turnTolerance, "back, size %d, position %d", size, p)
			again := guarded(t, size)
			r.turnBack(again, y, p)
			within(t, wide(x), again, turnTolerance, "there and back, size %d, position %d", size, p)
		}
	}
}

// TestRotaryRelative: the product of a query and a key depends on how far apart
// they stand, not on where.
func TestRotaryRelative(t *testing.T) {
	const size, distance = 26, 13
	r := NewRotary(200, size)
	query, key := noise(1, size, 1), noise(2, size, 1)
	product := func(position int) float64 {
		q, k := make([]float32, size), make([]float32, size)
		r.turn(q, query, position+distance)
		r.turn(k, key, position)
		var s float64
		for i := range q {
			s += float64(q[i]) * float64(k[i])
		}
		return s
	}
	want := product(0)
	for position := range 180 {
		assert.InDelta(t, want, product(position), turnTolerance*size, fmt.Sprintf("position %d", position))
	}
	apart := make([]float32, size)
	r.turn(apart, query, distance)
	assert.NotEqual(t, query, apart, "distance counts")
}
