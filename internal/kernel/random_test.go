package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sigmas is how far a statistic of random numbers may lie from its expectation:
// one run in two million would fail by chance, and the seeds are fixed.
const sigmas = 5

// TestKeyIsSplitMix64 has the published outputs of SplitMix64 for two seeds.
// Source: Vigna, splitmix64.c; Rosetta Code, "Pseudo-random numbers/Splitmix64".
func TestKeyIsSplitMix64(t *testing.T) {
	want := map[Key][]uint64{
		0:       {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f},
		1234567: {6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821},
	}
	for key, numbers := range want {
		for i, n := range numbers {
			assert.Equal(t, n, key.Uint64(uint64(i)), "key %d, element %d", key, i)
		}
	}
}

// TestNewKey pins the keys: a saved seed and step must repeat on every version.
func TestNewKey(t *testing.T) {
	tests := []struct {
		seed, step uint64
		path       string
		want       Key
	}{
		{0, 0, "", 0xa706dd2f4d197e6f},
		{1, 0, "", 0x5e41ab087439611e},
		{0, 1, "", 0x2a98f501af37e97f},
		{42, 7, "blocks.0.attn.drop", 0xfb31f39a8c8dc3a4},
		{math.MaxUint64, math.MaxUint64, "blocks.3.ffn.drop", 0x844022bcc34c6bfd},
	}
	for _, tt := range tests {
		assert.Equal(t, fmt.Sprintf("%#016x", uint64(tt.want)), fmt.Sprintf("%#016x", uint64(NewKey(tt.seed, tt.step, tt.path))),
			"seed %d, step %d, path %q", tt.seed, tt.step, tt.path)
	}
}

// TestNewKeyDistinct: every argument counts, and no argument stands in for another.
func TestNewKeyDistinct(t *testing.T) {
	paths := []string{"", "a", "b", "ab", "ba", "aa", "\x00", "\x00\x00", "blocks.0.attn.drop", "blocks.1.attn.drop", "blocks.0.ffn.drop"}
	numbers := []uint64{0, 1, 2, 3, 11, 13, 97, 98, 1 << 32, golden, math.MaxUint64}
	seen := map[Key]string{}
	for _, seed := range numbers {
		for _, step := range numbers {
			for _, path := range paths {
				key, name := NewKey(seed, step, path), fmt.Sprintf("seed %d, step %d, path %q", seed, step, path)
				if other, taken := seen[key]; taken {
					require.FailNow(t, "one key for two", "%s and %s", name, other)
				}
				seen[key] = name
			}
		}
	}
}

// TestStreamsDiffer: the streams of neighbouring keys have nothing in common.
func TestStreamsDiffer(t *testing.T) {
	const n = 1009
	seen := map[uint64]string{}
	for seed := range uint64(3) {
		for step := range uint64(3) {
			for _, path := range []string{"a", "b"} {
				key := NewKey(seed, step, path)
				for i := range uint64(n) {
					name := fmt.Sprintf("seed %d, step %d, path %s, element %d", seed, step, path, i)
					if other, taken := seen[key.Uint64(i)]; taken {
						require.FailNow(t, "one number in two streams", "%s and %s", name, other)
					}
					seen[key.Uint64(i)] = name
				}
			}
		}
	}
}

func TestUint32(t *testing.T) {
	key := NewKey(11, 13, "x")
	for i := range uint64(67) {
		u := key.Uint64(i)
		assert.Equal(t, uint32(u), key.Uint32(2*i), "low half of %d", i)
		assert.Equal(t, uint32(u>>32), key.Uint32(2*i+1), "high half of %d", i)
	}
}

func TestUniform(t *testing.T) {
	const n, buckets = 1 << 18, 16
	key := NewKey(3, 0, "uniform")
	var count [buckets]int
	var sum float64
	for i := range uint64(n) {
		u := key.Uniform(i)
		if !(u >= 0 && u < 1) {
			require.FailNow(t, "outside [0, 1)", "element %d: %v", i, u)
		}
		count[int(u*buckets)]++
		sum += float64(u)
	}
	assert.InDelta(t, 0.5, sum/n, sigmas*math.Sqrt(1.0/12/n), "mean")
	for b, c := range count {
		assert.InDelta(t, n/buckets, c, sigmas*math.Sqrt(n*(1.0/buckets)*(1-1.0/buckets)), "bucket %d", b)
	}
}

// TestUniformEnds: the top 24 bits alone count, so the largest is 1 - 2^-24.
func TestUniformEnds(t *testing.T) {
	key := NewKey(5, 0, "ends")
	for i := range uint64(1009) {
		assert.Equal(t, float64(key.Uint32(i)>>8)/(1<<24), float64(key.Uniform(i)), "element %d", i)
	}
	assert.Less(t, float32(math.MaxUint32>>8)*(1.0/(1<<24)), float32(1), "the largest")
}

func TestNormal(t *testing.T) {
	const n = 1 << 18
	key := NewKey(7, 0, "normal")
	var sum, squares, inside float64
	for i := range uint64(n) {
		x := float64(key.Normal(i))
		if !(math.Abs(x) < 6) {
			require.FailNow(t, "too large", "element %d: %v", i, x)
		}
		sum += x
		squares += x * x
		if math.Abs(x) < 1 {
			inside++
		}
	}
	mean := sum / n
	assert.InDelta(t, 0, mean, sigmas/math.Sqrt(n), "mean")
	assert.InDelta(t, 1, squares/n-mean*mean, sigmas*math.Sqrt(2.0/n), "variance")
	// Twelve uniforms are within 0.01 of a normal's 0.683 inside one deviation.
	assert.InDelta(t, math.Erf(math.Sqrt(0.5)), inside/n, 0.01, "share inside one deviation")
	assert.NotEqual(t, key.Normal(0), key.Normal(1))
}

// dropLiteral is Dropout from its definition, one element at a time.
func dropLiteral(x []float32, key Key, p float64, batch, steps, keep, cols int) []float32 {
	y := make([]float32, len(x))
	scale, threshold := float32(1/(1-p)), uint64(math.Floor(p*(1<<32)))
	for b := range batch {
		for t := range keep {
			for j := range cols {
				i := (b*keep+t)*cols + j
				if full := (b*steps+steps-keep+t)*cols + j; uint64(key.Uint32(uint64(full))) >= threshold {
					y[i] = mul32(x[i], scale)
				}
			}
		}
	}
	return y
}

func TestDropout(t *testing.T) {
	// Odd and even first indices, lengths and keeps.
	shapes := []struct{ batch, steps, keep, cols int }{
		{1, 1, 1, 1}, {2, 3, 1, 1}, {3, 11, 11, 13}, {3, 11, 1, 13}, {2, 13, 1, 11}, {5, 13, 7, 17}, {2, 12, 1, 2}, {11, 61, 61, 67}, {0, 5, 5, 5},
	}
	for _, s := range shapes {
		x := noise(1, s.batch*s.keep*s.cols, 3)
		for _, p := range []float64{0, 0.1, 0.5, 0.9, 0.999} {
			key := NewKey(17, 19, "drop")
			want := dropLiteral(x, key, p, s.batch, s.steps, s.keep, s.cols)
			withProcs(func(procs int) {
				y := guarded(t, len(x))
				(&Dropout{key, p, s.batch, s.steps, s.keep, s.cols}).Apply(y, x)
				sameBits(t, want, y, "%+v, p %v, procs %d", s, p, procs)
			})
			if p == 0 {
				sameBits(t, x, want, "p = 0 is the identity")
			}
		}
	}
}

// TestDropoutThreshold: the element whose number equals the threshold stays.
func TestDropoutThreshold(t *testing.T) {
	key := NewKey(23, 0, "edge")
	x := slices.Repeat([]float32{1}, 67)
	for i := range x {
		u := float64(key.Uint32(uint64(i)))
		y := guarded(t, len(x))
		(&Dropout{key, u / (1 << 32), 1, 1, 1, len(x)}).Apply(y, x)
		assert.NotZero(t, y[i], "element %d at its own threshold", i)
		(&Dropout{key, (u + 1) / (1 << 32), 1, 1, 1, len(x)}).Apply(y, x)
		assert.Zero(t, math.Float32bits(y[i]), "element %d just below the threshold", i)
	}
}

func TestDropoutStatistics(t *testing.T) {
	const batch, steps, cols = 11, 61, 509
	const n = batch * steps * cols
	x := slices.Repeat([]float32{-1}, n)
	for _, p := range []float64{0.01, 0.1, 0.5, 0.9} {
		y := guarded(t, n)
		(&Dropout{NewKey(29, 31, "statistics"), p, batch, steps, steps, cols}).Apply(y, x)
		kept := 0
		for i, v := range y {
			if v != 0 {
				kept++
				if want := -float32(1 / (1 - p)); v != want {
					require.FailNow(t, "wrong scale", "p %v, element %d: got %v, want %v", p, i, v, want)
				}
			}
		}
		assert.InDelta(t, n*(1-p), kept, sigmas*math.Sqrt(n*p*(1-p)), "p %v: number kept", p)
	}
}

// TestDropoutKeep: rows left out change nothing in those that stay.
func TestDropoutKeep(t *testing.T) {
	const batch, steps, cols = 3, 13, 11
	full := noise(2, batch*steps*cols, 1)
	key := NewKey(1, 2, "keep")
	want := make([]float32, len(full))
	(&Dropout{key, 0.3, batch, steps, steps, cols}).Apply(want, full)
	for keep := 1; keep <= steps; keep++ {
		var x, rows []float32
		for b := range batch {
			lo, hi := ((b+1)*steps-keep)*cols, (b+1)*steps*cols
			x, rows = append(x, full[lo:hi]...), append(rows, want[lo:hi]...)
		}
		y := guarded(t, len(x))
		(&Dropout{key, 0.3, batch, steps, keep, cols}).Apply(y, x)
		sameBits(t, rows, y, "keep %d", keep)
	}
}

func TestDropoutInPlace(t *testing.T) {
	x := noise(3, 67, 1)
	key := NewKey(4, 5, "place")
	want := dropLiteral(x, key, 0.4, 1, 1, 1, 67)
	y := guardedCopy(t, x)
	(&Dropout{key, 0.4, 1, 1, 1, 67}).Apply(y, y)
	sameBits(t, want, y, "in place")
}

func TestDropoutShort(t *testing.T) {
	long, short := make([]float32, 2*11*13), make([]float32, 2*11*13-1)
	panicsWith(t, "input", len(short), len(long), func() { (&Dropout{1, 0.1, 2, 11, 11, 13}).Apply(long, short) })
	panicsWith(t, "output", len(short), len(long), func() { (&Dropout{1, 0.1, 2, 11, 11, 13}).Apply(short, long) })
}

// Dropout as a part of another kernel is dropout of its own before or after it, at odd
// sizes, where pieces begin at odd elements, and larger than a piece.
func TestDropoutParts(t *testing.T) {
	for _, s := range []Dropout{{1, 0.3, 3, 11, 7, 13}, {2, 0.5, 2, 5, 5, 1031}, {3, 0.1, 1, 1, 1, 1}, {4, 0.9, 5, 61, 61, 67}, {5, 0, 2, 3, 1, 17}} {
		n := s.Batch * s.Keep * s.Cols
		x, dy, h := noise(1, n, 2), noise(2, n, 2), noise(3, s.Batch*s.Steps*s.Cols, 2)
		want, part := make([]float32, n), make([]float32, n)
		withProcs(func(procs int) {
			got := guarded(t, n)
			SiLU(part, x, nil)
			s.Apply(want, part)
			SiLU(got, x, &s)
			sameBits(t, want, got, "silu, %+v, procs %d", s, procs)

			s.Apply(part, dy)
			SiLUBackward(want, x, part, nil)
			SiLUBackward(got, x, dy, &s)
			sameBits(t, want, got, "silu's gradient, %+v, procs %d", s, procs)

			s.Apply(part, x)
			AddRows(want, h, part, nil, s.Batch, s.Steps, s.Keep, s.Cols)
			AddRows(got, h, x, &s, s.Batch, s.Steps, s.Keep, s.Cols)
			sameBits(t, want, got, "residual, %+v, procs %d", s, procs)
		})
	}
	short := make([]float32, 5)
	d := &Dropout{1, 0.3, 1, 2, 2, 3}
	panicsWith(t, "dropout", 5, 6, func() { SiLU(short, short, d) })
	panicsWith(t, "dropout", 5, 6, func() { SiLUBackward(short, short, short, d) })
	panicsWith(t, "dropout", 4, 6, func() { AddRows(short, short, short, d, 1, 2, 2, 2) })
}
