package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lookupCodes are n codes of so many bits.
func lookupCodes(n, bits int) []float32 {
	codes := noise(5, n, 3)
	for i, v := range codes {
		if v = float32(math.RoundToEven(float64(v))); bits == 1 {
			v = float32(math.Copysign(1, float64(codes[i])))
		}
		codes[i] = max(-1, min(v, 1))
	}
	return codes
}

func TestLookup(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, bits := range []int{1, 2} {
			for _, s := range [][3]int{{0, 5, 3}, {1, 1, 1}, {1, 12, 64}, {2, 20, 65}, {5, 11, 63}, {7, 67, 71}, {13, 193, 127}, {6, 240, 128}, {11, 331, 200}, {3, 0, 5}} {
				rows, k, cols := s[0], s[1], s[2]
				for _, scales := range []int{1, k} {
					for _, add := range []bool{false, true} {
						t.Run(fmt.Sprintf("bits_%d/%dx%dx%d/scales_%d/add=%v", bits, rows, k, cols, scales, add), func(t *testing.T) {
							a, codes := view(t, noise(1, rows*k, 1), rows, k, k+5), view(t, lookupCodes(cols*k, bits), cols, k, k+7)
							by, start := noise(2, scales, 1), slices.Repeat([]float32{nan()}, rows*cols)
							if add {
								start = noise(3, rows*cols, 1)
							}
							c := view(t, start, rows, cols, cols+9)
							beforeA, beforeCodes := slices.Clone(a.Data), slices.Clone(codes.Data)
							l := NewLookup(cols, k, bits)
							l.SetCodes(codes)
							l.Multiply(c, a, by, add)
							sameBits(t, beforeA, a.Data, "a")
							sameBits(t, beforeCodes, codes.Data, "codes")
							for i := range rows {
								for j := range cols {
									var want, magnitude float64
									if add {
										want = float64(start[i*cols+j])
										magnitude = math.Abs(want)
									}
									for p := range k {
										term := a.at(i, p) * float64(factor(by, p)) * codes.at(j, p)
										want += term
										magnitude += math.Abs(term)
									}
									// One rounding more than a product has: of an element by its scale.
									require.InDelta(t, want, c.at(i, j), gemmBound(k+1, magnitude), "%d, %d", i, j)
								}
							}
						})
					}
				}
			}
		}
	})
}

// lookupCase is a product that every variant computes with the bits of the portable code.
type lookupCase struct {
	rows, k, cols, bits int
	each, add           bool // a scale for each element; onto what is there
	seed                uint64
}

func (c lookupCase) check(t *testing.T) {
	t.Helper()
	shift := int(c.seed % 17) // of all operands, against the lines of the caches
	shifted := func(x []float32) []float32 { return append(make([]float32, shift, shift+len(x)), x...)[shift:] }
	a := Dense(shifted(noise(c.seed, c.rows*c.k, 1)), c.rows, c.k)
	codes := Dense(shifted(lookupCodes(c.cols*c.k, c.bits)), c.cols, c.k)
	scales, start := []float32{0.7}, noise(c.seed+1, c.rows*c.cols, 1)
	if c.each {
		scales = shifted(noise(c.seed+2, c.k, 1))
	}
	if !c.add {
		start = slices.Repeat([]float32{nan()}, len(start))
	}
	run := func(y []float32) {
		l := NewLookup(c.cols, c.k, c.bits)
		l.SetCodes(codes)
		l.Multiply(Dense(y, c.rows, c.cols), a, scales, c.add)
	}
	want := slices.Clone(start)
	func() {
		defer func(before lookupKernel) { chosen.lookup = before }(chosen.lookup)
		chosen.lookup = lookupGeneric
		run(want)
	}()
	got := guardedCopy(t, start)
	run(got)
	sameBits(t, want, got, "%+v", c)
}

// All lengths, shapes at the edges of tiles and blocks, and powers of two.
func TestLookup_shapes(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		n := uint64(0)
		check := func(rows, k, cols int) {
			for bits := 1; bits <= 2; bits++ {
				n++
				lookupCase{rows, k, cols, bits, n%3 == 0, n%2 == 0, n}.check(t)
			}
		}
		for i := range 258 {
			check(7, i, 11)
			check(2, 41, i)
		}
		for _, rows := range []int{0, 1, 5, 6, 8, 64, 65} {
			check(rows, 97, 65)
		}
		for _, size := range []int{64, 128, 256, 512} {
			check(12, size, 128)
		}
	})
}

// FuzzLookup holds every variant against the portable code.
func FuzzLookup(f *testing.F) {
	f.Add(uint8(7), uint16(131), uint16(67), true, true, uint64(1))
	f.Add(uint8(5), uint16(0), uint16(67), false, false, uint64(2))
	f.Fuzz(func(t *testing.T, rows uint8, k, cols uint16, each, add bool, seed uint64) {
		c := lookupCase{int(rows % 40), int(k % 700), 1 + int(cols%300), 1 + int(seed%2), each, add, seed}
		eachVariant(t, func(t *testing.T) { c.check(t) })
	})
}

// A row alone, or with others, has the same bits, and so have all variants and numbers of threads.
func TestLookup_bits(t *testing.T) {
	for _, bits := range []int{1, 2} {
		const rows, k, cols = 61, 403, 97
		a, codes := Dense(noise(1, rows*k, 1), rows, k), Dense(lookupCodes(cols*k, bits), cols, k)
		l, want := NewLookup(cols, k, bits), make([]float32, rows*cols)
		original := chosen
		chosen.lookup = lookupGeneric
		l.SetCodes(codes)
		index := slices.Clone(l.index)
		l.Multiply(Dense(want, rows, cols), a, []float32{0.7}, false)
		chosen = original
		eachVariant(t, func(t *testing.T) {
			clear(l.index)
			l.SetCodes(codes)
			assert.Equal(t, index, l.index)
			withProcs(func(procs int) {
				got := make([]float32, rows*cols)
				l.Multiply(Dense(got, rows, cols), a, []float32{0.7}, false)
				sameBits(t, want, got, "all rows, %d bits, GOMAXPROCS %d", bits, procs)
				for i := range rows {
					l.Multiply(Dense(got[:cols], 1, cols), Dense(a.Data[i*k:], 1, k), []float32{0.7}, false)
					sameBits(t, want[i*cols:(i+1)*cols], got[:cols], "row %d, %d bits, GOMAXPROCS %d", i, bits, procs)
				}
			})
		})
	}
}

// Every number of digits is looked up as what they are worth, by every variant.
func TestLookup_numbers(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for bits, digits := range map[int]int{1: 5, 2: 3} {
			levels, n := bits+1, 1
			for range digits {
				n *= levels
			}
			require.Equal(t, map[int]int{1: 32, 2: 27}[bits], n)
			codes := make([]float32, 4*digits*n) // number i four times, at each place of a quad
			for i := range n {
				for j, rest := 0, i; j < digits; j, rest = j+1, rest/levels {
					for place := range 4 {
						codes[(i*4+place)*digits+j] = []float32{-1, 1, 0}[rest%levels]
					}
				}
			}
			l := NewLookup(n, 4*digits, bits)
			l.SetCodes(Dense(codes, n, 4*digits))
			x := make([]float32, 4*digits)
			for j := range x {
				x[j] = float32(int(1) << j)
			}
			got, want := make([]float32, n), make([]float32, n)
			l.Multiply(Dense(got, 1, n), Dense(x, 1, len(x)), []float32{1}, false)
			for i := range want {
				for j, v := range x {
					want[i] += v * codes[i*len(x)+j]
				}
			}
			sameNumbers(t, want, got, "numbers")
		}
	})
}

// What is not finite does not vanish, nor reach another row.
func TestLookup_notFinite(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, bits := range []int{1, 2} {
			const rows, k, cols, bad = 13, 47, 97, 5
			for _, v := range []float32{nan(), float32(math.Inf(1))} {
				a := noise(1, rows*k, 1)
				a[bad*k+23] = v
				l, got := NewLookup(cols, k, bits), make([]float32, rows*cols)
				l.SetCodes(Dense(lookupCodes(cols*k, bits), cols, k))
				l.Multiply(Dense(got, rows, cols), Dense(a, rows, k), []float32{1}, false)
				for i, y := range got {
					assert.Equal(t, i/cols != bad, !math.IsNaN(float64(y)) && !math.IsInf(float64(y), 0), "element %d", i)
				}
			}
		}
	})
}

func TestLookup_lengths(t *testing.T) {
	l := NewLookup(4, 7, 2)
	m := func(rows, cols int) Matrix { return Dense(make([]float32, rows*cols), rows, cols) }
	short := func(m Matrix) Matrix { m.Data = m.Data[:len(m.Data)-1]; return m }
	for want, run := range map[string]func(){
		"codes of 7x4 for a lookup of 4x7":                func() { l.SetCodes(m(7, 4)) },
		"lookup's codes has 27 elements, needs 28":        func() { l.SetCodes(short(m(4, 7))) },
		"a product of 3x6 and a lookup of 4x7 is not 3x4": func() { l.Multiply(m(3, 4), m(3, 6), unit, false) },
		"a product of 2x7 and a lookup of 4x7 is not 3x4": func() { l.Multiply(m(3, 4), m(2, 7), unit, false) },
		"a product of 3x7 and a lookup of 4x7 is not 3x5": func() { l.Multiply(m(3, 5), m(3, 7), unit, false) },
		"lookup's rows has 20 elements, needs 21":         func() { l.Multiply(m(3, 4), short(m(3, 7)), unit, false) },
		"lookup's product has 11 elements, needs 12":      func() { l.Multiply(short(m(3, 4)), m(3, 7), unit, false) },
		"lookup's scales has 6 elements, needs 7":         func() { l.Multiply(m(3, 4), m(3, 7), make([]float32, 6), false) },
	} {
		assert.PanicsWithValue(t, "kernel: "+want, run, want)
	}
}

var unit = []float32{1}
