package kernel

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// What the tests of this package share: inputs with the same bits on every CPU,
// guarded outputs, exact and toleranced comparison, and float32 arithmetic that
// no compiler can fuse.

var update = flag.Bool("update", false, "write the golden files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// longest is one more than the last of the awkward lengths 0..67: below, at and
// above one, two and four times the 16 lanes, with every remainder.
const longest = 68

// procsTried are the values of GOMAXPROCS that may not change a bit.
var procsTried = []int{1, 2, 4}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 11)) }

// noise returns n multiples of scale/2^23 in [-scale, scale).
func noise(seed uint64, n int, scale float32) []float32 {
	rng := newRand(seed)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int32(rng.Uint32())>>8) * (1.0 / (1 << 23)) * scale
	}
	return x
}

// integers returns n whole numbers in [-limit, limit].
func integers(seed uint64, n, limit int) []float32 {
	rng := newRand(seed)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.IntN(2*limit+1) - limit)
	}
	return x
}

const (
	margin = 19         // elements either side of a guarded slice
	canary = 0x7fc0beef // NaN: margins hold it and keep it
	poison = 0x7fc0dead // NaN: outputs begin as it and may not keep it
)

// guarded returns a slice of n NaNs, unaligned and with room to overrun; when the
// test ends it fails if anything was written outside.
func guarded(t testing.TB, n int) []float32 {
	t.Helper()
	buf := make([]float32, n+2*margin)
	for i := range buf {
		buf[i] = math.Float32frombits(canary)
	}
	inner := buf[margin : margin+n]
	for i := range inner {
		inner[i] = math.Float32frombits(poison)
	}
	t.Cleanup(func() {
		for i, v := range buf {
			if (i < margin || i >= margin+n) && math.Float32bits(v) != canary {
				t.Errorf("element %d of an output of %d was written", i-margin, n)
				return
			}
		}
	})
	return inner
}

// guardedCopy is guarded, holding x.
func guardedCopy(t testing.TB, x []float32) []float32 {
	t.Helper()
	y := guarded(t, len(x))
	copy(y, x)
	return y
}

func nan() float32 { return float32(math.NaN()) }

// sameBits fails unless got is want to the bit.
func sameBits(t testing.TB, want, got []float32, format string, args ...any) {
	t.Helper()
	name := fmt.Sprintf(format, args...)
	require.Len(t, got, len(want), name)
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) {
			require.FailNow(t, "bits differ", "%s: element %d: got %v (%#08x), want %v (%#08x)",
				name, i, got[i], math.Float32bits(got[i]), w, math.Float32bits(w))
		}
	}
}

// within fails unless |got-want| <= tolerance*max(1, |want|) everywhere.
func within(t testing.TB, want []float64, got []float32, tolerance float64, format string, args ...any) {
	t.Helper()
	name := fmt.Sprintf(format, args...)
	require.Len(t, got, len(want), name)
	for i, w := range want {
		if diff := math.Abs(float64(got[i]) - w); !(diff <= tolerance*math.Max(1, math.Abs(w))) {
			require.FailNow(t, "too far", "%s: element %d: got %v, want %v: off by %.3g, allowed %.3g",
				name, i, got[i], w, diff, tolerance*math.Max(1, math.Abs(w)))
		}
	}
}

// ulps is the distance of got from want in units of want's last float32 place.
func ulps(got float32, want float64) float64 {
	_, exp := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exp, -125)-24)
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// float32 arithmetic by way of float64, which has more than twice the digits: the
// second rounding changes nothing, and no product can be fused with a sum.
func mul32(a, b float32) float32 { return float32(float64(a) * float64(b)) }
func add32(a, b float32) float32 { return float32(float64(a) + float64(b)) }
func sub32(a, b float32) float32 { return float32(float64(a) - float64(b)) }
func div32(a, b float32) float32 { return float32(float64(a) / float64(b)) }

// withProcs runs f under each number of threads tried.
func withProcs(f func(procs int)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, p := range procsTried {
		runtime.GOMAXPROCS(p)
		f(p)
	}
}

// panicsWith fails unless f panics with a message that holds both lengths.
func panicsWith(t *testing.T, name string, got, want int, f func()) {
	t.Helper()
	message := panicOf(f)
	assert.Regexp(t, `^kernel: .*\b`+strconv.Itoa(got)+`\b.*\b`+strconv.Itoa(want)+`\b`, message, name)
}

func panicOf(f func()) (message string) {
	defer func() { message = fmt.Sprint(recover()) }()
	f()
	return ""
}

// differences returns the gradient of f at x by central differences of f in
// float64; step is the distance each way.
func differences(x []float64, step float64, f func(x []float64) float64) []float64 {
	x = append([]float64(nil), x...)
	g := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + step
		up := f(x)
		x[i] = v - step
		down := f(x)
		x[i] = v
		g[i] = (up - down) / (2 * step)
	}
	return g
}

// weighted is the scalar whose gradient the tests take: the dot product of an
// output with fixed weights.
func weighted(y []float64, weights []float32) float64 {
	var s float64
	for i, v := range y {
		s += v * float64(weights[i])
	}
	return s
}
