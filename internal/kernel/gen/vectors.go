package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectors are how a set of instructions holds bytes.
type vectors struct {
	name  string
	bytes int
	new   func() reg.VecVirtual
}

var (
	avx512 = vectors{"AVX512", 64, func() reg.VecVirtual { return ZMM() }}
	avx2   = vectors{"AVX2", 32, func() reg.VecVirtual { return YMM() }}
)

func (s vectors) load(m Mem, v reg.VecVirtual) {
	if s.bytes == 64 {
		VMOVDQU64(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

func (s vectors) store(v reg.VecVirtual, m Mem) {
	if s.bytes == 64 {
		VMOVDQU64(v, m)
	} else {
		VMOVDQU(v, m)
	}
}

func (s vectors) and(a, b, dst reg.VecVirtual) {
	if s.bytes == 64 {
		VPANDD(a, b, dst)
	} else {
		VPAND(a, b, dst)
	}
}

// broadcast fills v with the low 4 bytes of r.
func (s vectors) broadcast(r reg.GPVirtual, v reg.VecVirtual) {
	if s.bytes == 64 {
		VPBROADCASTD(r.As32(), v)
		return
	}
	x := XMM()
	VMOVD(r.As32(), x)
	VPBROADCASTD(x, v)
}

// byteOf fills v with a byte.
func (s vectors) byteOf(b uint64, v reg.VecVirtual) {
	r := GP64()
	MOVQ(U32(uint32(b)*0x01010101), r)
	s.broadcast(r, v)
}

// table holds constants as whole vectors, and where each is.
type table struct {
	name string
	at   map[[16]uint32]int
	mem  Mem
}

func newTable(name string) *table {
	return &table{name: name, at: map[[16]uint32]int{}, mem: GLOBL(name, RODATA|NOPTR)}
}

// words is a vector of constants, over and over.
func (t *table) words(w ...uint32) Mem {
	var vector [16]uint32
	for i := range vector {
		vector[i] = w[i%len(w)]
	}
	at, ok := t.at[vector]
	if !ok {
		at = 64 * len(t.at)
		t.at[vector] = at
		for i, w := range vector {
			DATA(at+4*i, U32(w))
		}
	}
	return t.mem.Offset(at)
}

// bits is a vector of one constant.
func (t *table) bits(b uint32) Mem { return t.words(b) }

func (t *table) float(x float32) Mem { return t.bits(math.Float32bits(x)) }

func (s vectors) zero(v reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

func (s vectors) xorMem(m Mem, a, dst reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORD(m, a, dst)
	} else {
		VPXOR(m, a, dst)
	}
}

func (s vectors) andMem(m Mem, a, dst reg.VecVirtual) {
	if s.bytes == 64 {
		VPANDD(m, a, dst)
	} else {
		VPAND(m, a, dst)
	}
}

// where replaces elements of v by those of from where the comparison of x with m holds.
func where(predicate uint64, x reg.VecVirtual, m, from Op, v reg.VecVirtual) {
	mask := YMM()
	VCMPPS(Imm(predicate), m, x, mask)
	VBLENDVPS(mask, from, v, v)
}

// The predicates of VCMPPS.
const (
	lessThan    = 1
	unordered   = 3
	notLessThan = 5
	greaterThan = 14
)

// expConstants are those of exp.
var expConstants = []float32{
	roundBit, 1.44269504, 0.693359375, -2.12194440e-4,
	1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
	1, 90, -87.33654,
}

const roundBit = 12582912

// hold returns how to name exp's constants in a loop that follows: in registers, where there
// are enough.
func (s vectors) hold(t *table) func(x float32) Op {
	if s.bytes != 64 {
		return func(x float32) Op { return t.float(x) }
	}
	held := map[float32]Op{}
	for _, x := range expConstants {
		v := s.new()
		s.load(t.float(x), v)
		held[x] = v
	}
	return func(x float32) Op { return held[x] }
}

// exp is Exp of x, with the roundings of its operations; x stays.
func (s vectors) exp(t *table, held func(x float32) Op, x reg.VecVirtual) reg.VecVirtual {
	n, r, p, u := s.new(), s.new(), s.new(), s.new()
	from := x
	if s.bytes == 64 { // no further than to infinity, so that what follows stays finite
		from = s.new()
		VMINPS(x, held(90), from) // x where it is NaN
	}
	VMULPS(held(1.44269504), from, n)
	VADDPS(held(roundBit), n, n)
	VSUBPS(held(roundBit), n, n)
	VMULPS(held(0.693359375), n, u)
	VSUBPS(u, from, r)
	VMULPS(held(-2.12194440e-4), n, u)
	VSUBPS(u, r, r)
	VMULPS(held(1.9875691500e-4), r, p)
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1} {
		VADDPS(held(c), p, p)
		VMULPS(r, p, p)
	}
	VADDPS(held(5.0000001201e-1), p, p)
	VMULPS(r, r, u)
	VMULPS(u, p, p)
	VADDPS(r, p, p)
	VADDPS(held(1), p, p)
	if s.bytes == 64 {
		normal := K()
		VCMPPS(Imm(notLessThan), held(-87.33654), x, normal)
		VSCALEFPS_Z(n, p, normal, p)
		return p
	}
	half := s.new()
	VCVTTPS2DQ(n, n)
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	for _, k := range []reg.VecVirtual{half, n} {
		VPADDD(t.bits(127), k, k)
		VPSLLD(Imm(23), k, k)
		VMULPS(k, p, p)
	}
	zero, inf := s.new(), s.new()
	s.zero(zero)
	where(lessThan, x, t.float(-87.33654), zero, p)
	s.load(t.bits(0x7f800000), inf)
	where(greaterThan, x, t.float(88.72283), inf, p)
	where(unordered, x, x, x, p)
	return p
}
