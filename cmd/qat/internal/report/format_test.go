package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.28961: "0.2896", 2e-3: "0.002", 4.02e-9: "4.02e−9", -1.5: "−1.5",
		123456: "123456", 1e20: "1e20", 100: "100", 0.1: "0.1", 2.50: "2.5",
	} {
		assert.Equal(t, want, number(v))
	}
}

func TestCountAndBytes(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "−1,000", -100: "−100"} {
		assert.Equal(t, want, Count(n))
	}
	for n, want := range map[int]string{0: "0 B", 999: "999 B", 31768: "31.8 kB", 999_499: "999 kB", 999_500: "1.0 MB", 5_000_000: "5.0 MB", 7_000_000_000_000: "7000 GB"} {
		assert.Equal(t, want, Bytes(n))
	}
}

func TestTicks(t *testing.T) {
	const near = 1e-12 // multiples of a step
	for _, c := range []struct {
		lo, hi float64
		n      int
		whole  bool
		want   []float64
	}{
		{0, 1, 4, false, []float64{0, 0.25, 0.5, 0.75, 1}},
		{0, 2.3, 4, false, []float64{0, 1, 2, 3}},
		{0, 0.002, 4, false, []float64{0, 0.0005, 0.001, 0.0015, 0.002}},
		{-1, 1, 4, false, []float64{-1, -0.5, 0, 0.5, 1}},
		{1, 10, 6, true, []float64{0, 2, 4, 6, 8, 10}},
		{1, 2, 6, true, []float64{1, 2}},
		{3, 3, 6, true, []float64{3}},
	} {
		assert.InDeltaSlice(t, c.want, ticks(c.lo, c.hi, c.n, c.whole), near, "%v to %v", c.lo, c.hi)
	}
	for _, hi := range []float64{1e-300, 1e-12, 7, 1e9, 1e300} {
		all := ticks(0, hi, 4, false)
		assert.GreaterOrEqual(t, all[len(all)-1], hi*(1-1e-9))
		assert.LessOrEqual(t, len(all), 8, "to %v", hi)
	}
}

func TestThin(t *testing.T) {
	points := make([]Point, 10_007)
	for i := range points {
		points[i] = Point{float64(i), math.Sin(float64(i))}
	}
	points[5003].Y = 77 // a spike must be seen
	got := thin(points)
	assert.LessOrEqual(t, len(got), 2*maxPoints+2)
	assert.Equal(t, points[0], got[0])
	assert.Equal(t, points[10_006], got[len(got)-1])
	assert.Contains(t, got, points[5003])
	for i := 1; i < len(got); i++ {
		assert.Less(t, got[i-1].X, got[i].X)
	}
	assert.Equal(t, points[:100], thin(points[:100]))
}

func TestClean(t *testing.T) {
	assert.Equal(t, "a\ufffdb c\ufffdé\ufffd日", clean("a\x00b\tc\u202eé\xff日"))
	assert.Equal(t, "abcd…", short("abcdef", 5))
	assert.Equal(t, "éééé", short("éééé", 4))
}

func TestLineGaps(t *testing.T) {
	nan := math.NaN()
	v := newLineView(Line{Points: []Point{{0, 1}, {1, 1}, {2, nan}, {3, 1}, {4, nan}, {5, 1}, {6, 1}}},
		func(p Point) (x, y float64) { return p.X, p.Y })
	assert.Equal(t, "M0 1L1 1M5 1L6 1", v.Path)
	assert.Equal(t, []dotView{{"3", "1"}}, v.Dots, "a point alone is a dot")
}
