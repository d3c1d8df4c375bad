package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What a step does to weights: their codes and scales, and AdamW.

func codes(s vectors, t *table) {
	body := func(e *elementwise, limit reg.VecVirtual, divide func(at int, v reg.VecVirtual)) {
		least, round := s.new(), s.new()
		s.xorMem(t.bits(1<<31), limit, least)
		s.load(t.float(12582912), round)
		e.loop(func(at int) {
			v := e.fresh("w", at)
			divide(at, v)
			VMAXPS(least, v, v)
			VMINPS(limit, v, v)
			VADDPS(round, v, v)
			VSUBPS(round, v, v)
			s.store(v, e.at("y", at))
		})
		end()
	}
	e := begin(s, "codes", "is trainKernel.codes.", []string{"y", "w"}, ", scale, limit float32", "")
	by := e.number("scale")
	body(e, e.number("limit"), func(_ int, v reg.VecVirtual) { VDIVPS(by, v, v) })
	e = begin(s, "codesEach", "is trainKernel.codesEach.", []string{"y", "w", "scales"}, ", limit float32", "")
	body(e, e.number("limit"), func(at int, v reg.VecVirtual) { VDIVPS(e.at("scales", at), v, v) })
}

func signs(s vectors, t *table) {
	e := begin(s, "signs", "is trainKernel.signs.", []string{"y", "w"}, "", "")
	plus, minus, zero := s.new(), s.new(), s.new()
	s.load(t.float(1), plus)
	s.load(t.float(-1), minus)
	s.zero(zero)
	const notBelow = 13
	e.loop(func(at int) {
		w := e.fresh("w", at)
		if s.bytes == 64 {
			mask, v := K(), s.new()
			VCMPPS(Imm(notBelow), zero, w, mask)
			VBLENDMPS(plus, minus, mask, v)
			s.store(v, e.at("y", at))
			return
		}
		VCMPPS(Imm(notBelow), zero, w, w)
		VBLENDVPS(w, plus, minus, w)
		s.store(w, e.at("y", at))
	})
	end()
}

// doubles are the float64s of a group, a vector at a time.
func (e *elementwise) doubles(name string, f func(i int, v reg.VecVirtual)) {
	e.loop(func(at int) {
		for half := range 2 {
			v := e.new()
			VCVTPS2PD(e.at(name, at+half*e.bytes/2), v)
			f(2*at/e.bytes+half, v)
		}
	})
}

// wideLanes are 16 partial sums of float64.
func wideLanes(s vectors, name string, term func(v reg.VecVirtual)) {
	e := begin(s, name, "is trainKernel."+name+".", []string{"x"}, "", " (lanes [16]float64)")
	sum := append(e.lanes(), e.lanes()...)
	e.doubles("x", func(i int, v reg.VecVirtual) {
		term(v)
		VADDPD(v, sum[i], sum[i])
	})
	e.returnLanes(sum)
	end()
}

func absLanes(s vectors) {
	wideLanes(s, "absLanes", func(v reg.VecVirtual) { // away with the sign
		VPSLLQ(Imm(1), v, v)
		VPSRLQ(Imm(1), v, v)
	})
}

func squareLanes64(s vectors) {
	wideLanes(s, "squareLanes64", func(v reg.VecVirtual) { VMULPD(v, v, v) })
}

// adamW keeps its numbers in registers where there are 32, and else reads them again.
func adamW(s vectors, t *table) {
	names := "beta1, fresh1, beta2, fresh2, invRoot, eps, size, decay"
	e := begin(s, "adamW", "is trainKernel.adamW.", []string{"w", "g", "m", "v"}, ", clip float64, "+names+" float32", "")
	clip, least := s.new(), s.new()
	VBROADCASTSD(Load(Param("clip"), XMM()), clip)
	s.load(t.bits(1<<23), least) // the smallest normal number
	kept := map[string]reg.VecVirtual{}
	number := func(name string) reg.VecVirtual {
		if s.bytes == 64 {
			return kept[name]
		}
		v := s.new()
		m, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(m.Addr, v)
		return v
	}
	if s.bytes == 64 {
		for _, name := range []string{"beta1", "fresh1", "beta2", "fresh2", "invRoot", "eps", "size", "decay"} {
			kept[name] = e.number(name)
		}
	}
	e.loop(func(at int) {
		g, u := s.new(), s.new()
		half := func(i int) reg.VecVirtual {
			d := s.new()
			VCVTPS2PD(e.at("g", at+i*s.bytes/2), d)
			VMULPD(clip, d, d)
			return d
		}
		if s.bytes == 64 {
			high := YMM()
			VCVTPD2PS(half(0), g.AsY())
			VCVTPD2PS(half(1), high)
			VINSERTF64X4(Imm(1), high, g, g)
		} else {
			high := XMM()
			VCVTPD2PSY(half(0), g.AsX())
			VCVTPD2PSY(half(1), high)
			VINSERTF128(Imm(1), high, g, g)
		}
		m := e.fresh("m", at)
		VMULPS(number("beta1"), m, m)
		VMULPS(number("fresh1"), g, u)
		VADDPS(u, m, m)
		v := e.fresh("v", at)
		VMULPS(number("beta2"), v, v)
		VMULPS(number("fresh2"), g, u)
		VMULPS(g, u, u)
		VADDPS(u, v, v)
		s.store(v, e.at("v", at))
		s.andMem(t.bits(1<<31-1), m, u)
		if s.bytes == 64 {
			normal := K()
			VCMPPS(Imm(notLessThan), least, u, normal)
			VMOVAPS_Z(m, normal, m)
		} else {
			VCMPPS(Imm(notLessThan), least, u, u)
			VPAND(u, m, m)
		}
		s.store(m, e.at("m", at))
		VSQRTPS(v, v)
		VMULPS(number("invRoot"), v, v)
		VADDPS(number("eps"), v, v)
		VMULPS(number("size"), m, m)
		VDIVPS(v, m, m)
		w := e.fresh("w", at)
		VMULPS(number("decay"), w, u)
		VSUBPS(u, w, w)
		VSUBPS(m, w, w)
		s.store(w, e.at("w", at))
	})
	end()
}

// columnFunction is a function of w and what is kept of its columns, size bytes each.
func columnFunction(s vectors, name, kept string, size int, body func(e *elementwise, at int)) {
	name += s.name
	TEXT(name, NOSPLIT, "func(kept []"+kept+", w []float32)")
	Pragma("noescape")
	Doc(name + " is in trainKernel.")
	e := &elementwise{vectors: s, slice: map[string]reg.GPVirtual{"w": base("w")}}
	to := base("kept")
	e.n = Load(Param("w").Len(), GP64()).(reg.GPVirtual)
	e.slice["kept"] = to
	e.loop(func(at int) {
		body(e, at)
		if at+s.bytes == 4*group && size > 4 { // the loop goes on by 4 bytes an element
			ADDQ(Imm(uint64((size-4)*group)), to)
		}
	})
	end()
}

func addAbs(s vectors) {
	columnFunction(s, "addAbs", "float64", 8, func(e *elementwise, at int) {
		for half := range 2 {
			v := e.new()
			VCVTPS2PD(e.at("w", at+half*s.bytes/2), v)
			VPSLLQ(Imm(1), v, v) // away with the sign
			VPSRLQ(Imm(1), v, v)
			to := e.at("kept", 2*at+half*s.bytes)
			VADDPD(to, v, v)
			s.store(v, to)
		}
	})
}

func largestEach(s vectors, t *table) {
	columnFunction(s, "largestEach", "uint32", 4, func(e *elementwise, at int) {
		v := e.fresh("w", at)
		s.andMem(t.bits(1<<31-1), v, v)
		VPMAXUD(e.at("kept", at), v, v)
		s.store(v, e.at("kept", at))
	})
}
