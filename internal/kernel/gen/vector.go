package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Elementwise functions work on whole groups of 16 elements, and at least one; what is
// left is for the portable code.

// group is how many elements they take at a time.
const group = 16

// table holds constants as whole vectors, and where each is.
type table struct {
	name string
	at   map[uint32]int
	mem  Mem
}

func newTable(name string) *table {
	return &table{name: name, at: map[uint32]int{}, mem: GLOBL(name, RODATA|NOPTR)}
}

// bits is a vector of one constant.
func (t *table) bits(b uint32) Mem {
	at, ok := t.at[b]
	if !ok {
		at = 64 * len(t.at)
		t.at[b] = at
		for i := range 16 {
			DATA(at+4*i, U32(b))
		}
	}
	return t.mem.Offset(at)
}

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

// exp is Exp of x, with the roundings of its operations; x stays.
func (s vectors) exp(t *table, x reg.VecVirtual) reg.VecVirtual {
	n, r, p, u := s.new(), s.new(), s.new(), s.new()
	from := x
	if s.bytes == 64 { // no further than to infinity, so that what follows stays finite
		from = s.new()
		s.load(t.float(90), from)
		VMINPS(x, from, from) // x where it is NaN
	}
	const roundBit = 12582912
	VMULPS(t.float(1.44269504), from, n)
	VADDPS(t.float(roundBit), n, n)
	VSUBPS(t.float(roundBit), n, n)
	VMULPS(t.float(0.693359375), n, u)
	VSUBPS(u, from, r)
	VMULPS(t.float(-2.12194440e-4), n, u)
	VSUBPS(u, r, r)
	VMULPS(t.float(1.9875691500e-4), r, p)
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1} {
		VADDPS(t.float(c), p, p)
		VMULPS(r, p, p)
	}
	VADDPS(t.float(5.0000001201e-1), p, p)
	VMULPS(r, r, u)
	VMULPS(u, p, p)
	VADDPS(r, p, p)
	VADDPS(t.float(1), p, p)
	if s.bytes == 64 {
		normal := K()
		VCMPPS(Imm(notLessThan), t.float(-87.33654), x, normal)
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

// elementwise is a function of slices of one length, n, the first one's.
type elementwise struct {
	vectors
	first string
	name  string
	slice map[string]reg.GPVirtual
	n     reg.GPVirtual
	loops int
}

// begin declares a function of slices and other parameters.
func begin(s vectors, name, doc string, slices []string, others, result string) *elementwise {
	e := &elementwise{vectors: s, first: slices[0], name: name + s.name, slice: map[string]reg.GPVirtual{}}
	TEXT(e.name, NOSPLIT, "func("+strings.Join(slices, ", ")+" []float32"+others+")"+result)
	Pragma("noescape")
	Doc(e.name + " " + doc)
	for _, name := range slices {
		e.slice[name] = base(name)
	}
	e.n = Load(Param(slices[0]).Len(), GP64()).(reg.GPVirtual)
	return e
}

// number is a parameter in every element of a vector.
func (e *elementwise) number(name string) reg.VecVirtual {
	v := e.new()
	VBROADCASTSS(Load(Param(name), XMM()), v)
	return v
}

// again lets another loop begin at the beginning.
func (e *elementwise) again() {
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		e.slice[name] = base(name)
	}
	e.n = Load(Param(e.first).Len(), GP64()).(reg.GPVirtual)
}

// loop runs f on each group's vectors, at displacements.
func (e *elementwise) loop(f func(disp int)) {
	e.loops++
	label := fmt.Sprint("loop", e.loops)
	Label(label)
	for at := 0; at < 4*group; at += e.bytes {
		f(at)
	}
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		ADDQ(Imm(4*group), e.slice[name])
	}
	SUBQ(Imm(group), e.n)
	JNE(LabelRef(label))
}

// at is a vector of a slice.
func (e *elementwise) at(name string, disp int) Mem { return Mem{Base: e.slice[name], Disp: disp} }

func end() {
	VZEROUPPER()
	RET()
}

// lanes are 16 partial sums.
func (e *elementwise) lanes() (v []reg.VecVirtual) {
	for at := 0; at < 4*group; at += e.bytes {
		v = append(v, e.new())
		e.zero(v[len(v)-1])
	}
	return v
}

// returnLanes returns them.
func (e *elementwise) returnLanes(v []reg.VecVirtual) {
	first, err := Return("lanes").Index(0).Resolve()
	if err != nil {
		panic(err)
	}
	p := GP64()
	LEAQ(first.Addr, p)
	for i, x := range v {
		e.store(x, Mem{Base: p, Disp: i * e.bytes})
	}
}

// reduce returns what op makes of 16 lanes, by the halving tree, in a first element.
func (e *elementwise) reduce(v []reg.VecVirtual, op func(ops ...Op)) reg.VecVirtual {
	half := YMM()
	if e.bytes == 64 {
		VEXTRACTI64X4(Imm(1), v[0], half)
	} else {
		VMOVDQU(v[1], half)
	}
	x, low := XMM(), XMM()
	op(half, v[0].AsY(), half)
	VEXTRACTI128(Imm(1), half, x)
	op(half.AsX(), x, low)
	for _, order := range []uint64{0x0e, 0x01} {
		VPSHUFD(Imm(order), low, x)
		op(x, low, low)
	}
	return low
}

// returnReduced returns it.
func (e *elementwise) returnReduced(v []reg.VecVirtual, op func(ops ...Op)) {
	r := GP32()
	VMOVD(e.reduce(v, op), r)
	p := GP64()
	to, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	LEAQ(to.Addr, p)
	MOVL(r, Mem{Base: p})
}

// everywhere is a first element in every element of a vector.
func (e *elementwise) everywhere(x reg.VecVirtual) reg.VecVirtual {
	v := e.new()
	VBROADCASTSS(x, v)
	return v
}

// floatLanes is a result of 16 partial sums.
const floatLanes = " (lanes [16]float32)"

func vectorSet() {
	t := newTable("vectorConstants")
	masks := t.bits(1<<32 - 1) // and the zeros behind them
	t.bits(0)
	for _, s := range []vectors{avx512, avx2} {
		silu(s, t)
		softmax(s, t)
		norm(s, t, masks)
		add(s)
		rescale(s)
		largestBits(s, t)
		quantize(s)
	}
}

func silu(s vectors, t *table) {
	e := begin(s, "silu", "is vectorKernel.silu.", []string{"y", "x"}, "", "")
	e.loop(func(at int) {
		x, minus := s.new(), s.new()
		s.load(e.at("x", at), x)
		s.xorMem(t.bits(1<<31), x, minus)
		p := s.exp(t, minus)
		VADDPS(t.float(1), p, p)
		VDIVPS(p, x, x)
		s.store(x, e.at("y", at))
	})
	end()
}

// softmax scales, and makes weights of what comes out.
func softmax(s vectors, t *table) {
	e := begin(s, "softmax", "is vectorKernel.softmax.", []string{"y"}, ", scale, epsilon float32", "")
	scale, most, sum := e.number("scale"), e.lanes(), e.lanes()
	for _, m := range most {
		s.load(t.bits(0xff800000), m)
	}
	e.loop(func(at int) {
		v := s.new()
		VMULPS(e.at("y", at), scale, v)
		s.store(v, e.at("y", at))
		VMAXPS(v, most[at/s.bytes], most[at/s.bytes])
	})
	m := e.everywhere(e.reduce(most, VMAXPS))
	e.again()
	e.loop(func(at int) {
		x := s.new()
		s.load(e.at("y", at), x)
		VSUBPS(m, x, x)
		p := s.exp(t, x)
		s.store(p, e.at("y", at))
		VADDPS(p, sum[at/s.bytes], sum[at/s.bytes])
	})
	total := e.reduce(sum, VADDPS)
	VADDSS(Load(Param("epsilon"), XMM()).(reg.VecVirtual), total, total)
	by := e.everywhere(total)
	e.again()
	e.loop(func(at int) {
		v := s.new()
		s.load(e.at("y", at), v)
		VDIVPS(by, v, v)
		s.store(v, e.at("y", at))
	})
	end()
}

// some is how a function touches the elements there are in a vector.
type some struct {
	at    int                                 // of the vector in its group, in bytes
	load  func(name string) reg.VecVirtual    // with 0 where there is no element
	store func(v reg.VecVirtual, name string) // the elements there are
	keep  func(v reg.VecVirtual)              // puts 0 where there is no element
}

// ragged runs f on every group's vectors, from the slices' beginnings, and on what is left.
func (e *elementwise) ragged(masks Mem, f func(some)) {
	e.again()
	e.loops++
	label := func(what string) string { return fmt.Sprint(what, e.loops) }
	SUBQ(Imm(group), e.n)
	JLT(LabelRef(label("rest")))
	Label(label("whole"))
	for at := 0; at < 4*group; at += e.bytes {
		f(some{
			at,
			func(name string) reg.VecVirtual { return e.fresh(name, at) },
			func(v reg.VecVirtual, name string) { e.store(v, e.at(name, at)) },
			func(reg.VecVirtual) {},
		})
	}
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		ADDQ(Imm(4*group), e.slice[name])
	}
	SUBQ(Imm(group), e.n)
	JGE(LabelRef(label("whole")))
	Label(label("rest"))
	ADDQ(Imm(group), e.n)
	JEQ(LabelRef(label("done")))
	if e.bytes == 64 {
		f(e.masked512())
	} else {
		Comment("The masks of the elements there are begin as many before the zeros.")
		SHLQ(Imm(2), e.n)
		p := GP64()
		LEAQ(masks.Offset(4*group), p)
		SUBQ(e.n, p)
		for at := 0; at < 4*group; at += e.bytes {
			f(e.masked256(at, Mem{Base: p, Disp: at}))
		}
	}
	Label(label("done"))
}

func (e *elementwise) masked512() some {
	bits, mask := GP32(), K()
	MOVQ(e.n, reg.RCX)
	MOVL(U32(1), bits)
	SHLL(reg.CL, bits)
	DECL(bits)
	KMOVW(bits, mask)
	return some{
		0,
		func(name string) reg.VecVirtual {
			v := ZMM()
			VMOVUPS_Z(e.at(name, 0), mask, v)
			return v
		},
		func(v reg.VecVirtual, name string) { VMOVUPS(v, mask, e.at(name, 0)) },
		func(v reg.VecVirtual) { VMOVAPS_Z(v, mask, v) },
	}
}

func (e *elementwise) masked256(at int, m Mem) some {
	mask := YMM()
	VMOVUPS(m, mask)
	return some{
		at,
		func(name string) reg.VecVirtual {
			v := YMM()
			VMASKMOVPS(e.at(name, at), mask, v)
			return v
		},
		func(v reg.VecVirtual, name string) { VMASKMOVPS(v, mask, e.at(name, at)) },
		func(v reg.VecVirtual) { VANDPS(mask, v, v) },
	}
}

// norm is a layer norm of a row.
func norm(s vectors, t *table, masks Mem) {
	e := begin(s, "norm", "is vectorKernel.norm.", []string{"y", "x", "gain", "bias"}, ", eps float32", " (mean, rstd float32)")
	cols := XMM()
	VXORPS(cols, cols, cols)
	VCVTSI2SSQ(e.n, cols, cols)
	sum, squares := e.lanes(), e.lanes()
	e.ragged(masks, func(x some) { VADDPS(x.load("x"), sum[x.at/s.bytes], sum[x.at/s.bytes]) })
	first := e.reduce(sum, VADDPS)
	VDIVSS(cols, first, first)
	Store(first, Return("mean"))
	mean := e.everywhere(first)
	e.ragged(masks, func(x some) {
		d := x.load("x")
		VSUBPS(mean, d, d)
		x.keep(d)
		VMULPS(d, d, d)
		VADDPS(d, squares[x.at/s.bytes], squares[x.at/s.bytes])
	})
	first = e.reduce(squares, VADDPS)
	VDIVSS(cols, first, first)
	VADDSS(Load(Param("eps"), XMM()), first, first)
	VSQRTSS(first, first, first)
	one := XMM()
	VMOVSS(t.float(1), one)
	VDIVSS(first, one, one)
	Store(one, Return("rstd"))
	rstd := e.everywhere(one)
	e.ragged(masks, func(x some) {
		d := x.load("x")
		VSUBPS(mean, d, d)
		VMULPS(rstd, d, d)
		VMULPS(x.load("gain"), d, d)
		VADDPS(x.load("bias"), d, d)
		x.store(d, "y")
	})
	end()
}

func add(s vectors) {
	e := begin(s, "add", "is vectorKernel.add.", []string{"y", "a", "b"}, "", "")
	e.loop(func(at int) {
		v := s.new()
		s.load(e.at("a", at), v)
		VADDPS(e.at("b", at), v, v)
		s.store(v, e.at("y", at))
	})
	end()
}

func rescale(s vectors) {
	e := begin(s, "rescale", "is vectorKernel.rescale.", []string{"y", "bias"}, ", scale float32", "")
	scale := e.number("scale")
	e.loop(func(at int) {
		v := s.new()
		s.load(e.at("y", at), v)
		VMULPS(scale, v, v)
		VADDPS(e.at("bias", at), v, v)
		s.store(v, e.at("y", at))
	})
	end()
}

func largestBits(s vectors, t *table) {
	e := begin(s, "largestBits", "is vectorKernel.largestBits.", []string{"x"}, "", " uint32")
	v := e.lanes()
	e.loop(func(at int) {
		u := s.new()
		s.load(e.at("x", at), u)
		s.andMem(t.bits(1<<31-1), u, u)
		VPMAXUD(u, v[at/s.bytes], v[at/s.bytes])
	})
	e.returnReduced(v, VPMAXUD)
	end()
}

// quantize divides, rounds half to even and narrows.
func quantize(s vectors) {
	name := "quantize" + s.name
	TEXT(name, NOSPLIT, "func(codes []int8, x []float32, scale float32) int32")
	Pragma("noescape")
	Doc(name + " is vectorKernel.quantize.")
	e := &elementwise{vectors: s, slice: map[string]reg.GPVirtual{"x": base("x")}}
	codes := base("codes")
	e.n = Load(Param("x").Len(), GP64()).(reg.GPVirtual)
	scale, sum := e.number("scale"), e.lanes()
	var v []reg.VecVirtual
	for range sum {
		v = append(v, s.new())
	}
	e.loop(func(at int) {
		u := v[at/s.bytes]
		s.load(e.at("x", at), u)
		VDIVPS(scale, u, u)
		VCVTPS2DQ(u, u)
		VPADDD(u, sum[at/s.bytes], sum[at/s.bytes])
		if at+s.bytes < 4*group {
			return
		}
		x := XMM()
		if s.bytes == 64 {
			VPMOVDB(u, x)
		} else {
			words := YMM()
			VPACKSSDW(v[1], v[0], words) // a half of each: 0, 1 of v[0]'s and v[1]'s first, then the second
			VPERMQ(Imm(0xd8), words, words)
			VEXTRACTI128(Imm(1), words, x)
			VPACKSSWB(x, words.AsX(), x)
		}
		VMOVDQU(x, Mem{Base: codes})
		ADDQ(Imm(group), codes)
	})
	e.returnReduced(sum, VPADDD)
	end()
}
