package kernel

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

// eachVariant runs f with every implementation that this CPU can run, and with a
// grain that splits even the smallest work.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := chosen
	defer func() { chosen = before }()
	for _, v := range variants {
		v.gemm.grain = 1
		chosen = v
		t.Run(v.name, f)
	}
}

// step is one link of a product's chain in the chosen variant.
func step(sum, a, b float32) float32 {
	if chosen.name == "generic" {
		return add32(sum, mul32(a, b))
	}
	return fma32(a, b, sum)
}

// fma32 is a*b + c rounded once.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	s := p + float64(c)
	// What the sum lost decides its last bit, so that the second rounding sees it.
	v := s - p
	if lost := (p - (s - v)) + (float64(c) - v); lost != 0 && math.Float64bits(s)&1 == 0 {
		s = math.Nextafter(s, math.Copysign(math.Inf(1), lost))
	}
	return float32(s)
}

func TestFMA32(t *testing.T) {
	const tiny = 0x1p-60
	for _, c := range []struct{ a, b, c, want float32 }{
		{3, 5, 7, 22},
		{4097, 4097, -(1<<24 + 1<<13), 1},
		{1 + 0x1p-12, 1 + 0x1p-12, tiny, 1 + 0x1p-11 + 0x1p-23}, // tiny breaks a tie upwards
		{1 + 0x1p-12, 1 + 0x1p-12, -tiny, 1 + 0x1p-11},          // and downwards
		{1 + 0x1p-12, 1 + 0x1p-12, 0, 1 + 0x1p-11},              // a tie goes to even
		{-1 - 0x1p-12, 1 + 0x1p-12, -tiny, -1 - 0x1p-11 - 0x1p-23},
	} {
		sameBits(t, []float32{c.want}, []float32{fma32(c.a, c.b, c.c)}, "%v", c)
	}
}

// TestChoose: the environment names a variant, and what it cannot name is the best.
func TestChoose(t *testing.T) {
	best := variants[len(variants)-1].name
	for _, v := range variants {
		assert.Equal(t, v.name, choose(v.name).name)
	}
	for _, name := range []string{"", "sse9", "AVX2"} {
		assert.Equal(t, best, choose(name).name, "%q", name)
	}
	assert.Equal(t, choose(os.Getenv("QAT_KERNEL")).name, Variant())
	assert.Equal(t, "generic", variants[0].name, "every build has it")
}

func TestUse(t *testing.T) {
	defer Use(Variant())
	for _, name := range Variants() {
		Use(name)
		assert.Equal(t, name, Variant())
	}
}
