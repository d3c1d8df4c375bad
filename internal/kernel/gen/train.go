package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func trainSet() {
	steps := dropoutSteps() // first: constants are added to the last table declared
	t := newTable("trainConstants")
	for _, s := range []vectors{avx512, avx2} {
		siluBackward(s, t)
		normSums(s)
		normInput(s)
		dropout(s, steps)
		dequantize(s)
		scale(s)
		byEach(s)
		dot(s)
		softmaxBackward(s)
		codes(s, t)
		signs(s, t)
		absLanes(s)
		squareLanes64(s)
		addAbs(s)
		largestEach(s, t)
		adamW(s, t)
	}
}

// fresh is a vector of what m points at.
func (e *elementwise) fresh(name string, at int) reg.VecVirtual {
	v := e.new()
	e.load(e.at(name, at), v)
	return v
}

func siluBackward(s vectors, t *table) {
	e := begin(s, "siluBackward", "is trainKernel.siluBackward.", []string{"dx", "x", "dy"}, "", "")
	one, held := s.new(), s.hold(t)
	s.load(t.float(1), one)
	e.loop(func(at int) {
		x, sigmoid, rest := e.fresh("x", at), s.new(), s.new()
		s.xorMem(t.bits(1<<31), x, rest)
		p := s.exp(t, held, rest)
		VADDPS(one, p, p)
		VDIVPS(p, one, sigmoid)
		VSUBPS(sigmoid, one, rest)
		VMULPS(rest, x, x)
		VADDPS(one, x, x)
		VMULPS(e.at("dy", at), sigmoid, sigmoid)
		VMULPS(x, sigmoid, x)
		s.store(x, e.at("dx", at))
	})
	end()
}

// hat is (x - mean) * rstd.
func (e *elementwise) hat(at int, mean, rstd reg.VecVirtual) reg.VecVirtual {
	v := e.fresh("x", at)
	VSUBPS(mean, v, v)
	VMULPS(rstd, v, v)
	return v
}

func normSums(s vectors) {
	e := begin(s, "normSums", "is trainKernel.normSums.", []string{"dgain", "dbias", "dy", "x", "gain"}, ", mean, rstd float32", " (lanes [32]float32)")
	mean, rstd := e.number("mean"), e.number("rstd")
	sum, dot := e.lanes(), e.lanes()
	e.loop(func(at int) {
		i := at / s.bytes
		hat, d, g := e.hat(at, mean, rstd), e.fresh("dy", at), s.new()
		VMULPS(e.at("gain", at), d, g)
		VADDPS(g, sum[i], sum[i])
		VMULPS(hat, g, g)
		VADDPS(g, dot[i], dot[i])
		VMULPS(d, hat, hat)
		VADDPS(e.at("dgain", at), hat, hat)
		s.store(hat, e.at("dgain", at))
		VADDPS(e.at("dbias", at), d, d)
		s.store(d, e.at("dbias", at))
	})
	e.returnLanes(append(sum, dot...))
	end()
}

func normInput(s vectors) {
	e := begin(s, "normInput", "is trainKernel.normInput.", []string{"dx", "dy", "x", "gain"}, ", mean, rstd, sum, dot float32", "")
	mean, rstd, sum, dot := e.number("mean"), e.number("rstd"), e.number("sum"), e.number("dot")
	e.loop(func(at int) {
		hat, g := e.hat(at, mean, rstd), e.fresh("dy", at)
		VMULPS(e.at("gain", at), g, g)
		VSUBPS(sum, g, g)
		VMULPS(dot, hat, hat)
		VSUBPS(hat, g, g)
		VMULPS(rstd, g, g)
		s.store(g, e.at("dx", at))
	})
	end()
}

// golden, mix1 and mix2 are SplitMix64's.
const (
	golden = 0x9e3779b97f4a7c15
	mix1   = 0xbf58476d1ce4e5b9
	mix2   = 0x94d049bb133111eb
)

// constant64 is a vector of one 64-bit number.
func (s vectors) constant64(c uint64) reg.VecVirtual {
	r, x, v := GP64(), XMM(), s.new()
	MOVQ(U64(c), r)
	VMOVQ(r, x)
	VPBROADCASTQ(x, v)
	return v
}

// multiplier multiplies vectors of 64-bit numbers by a number.
func (s vectors) multiplier(c uint64) func(z reg.VecVirtual) {
	whole := s.constant64(c)
	if s.bytes == 64 {
		return func(z reg.VecVirtual) { VPMULLQ(whole, z, z) }
	}
	high := s.constant64(c >> 32)
	return func(z reg.VecVirtual) {
		up, across := s.new(), s.new()
		VPSRLQ(Imm(32), z, up)
		VPMULUDQ(whole, up, up)
		VPMULUDQ(high, z, across)
		VPADDQ(across, up, up)
		VPSLLQ(Imm(32), up, up)
		VPMULUDQ(whole, z, z)
		VPADDQ(up, z, z)
	}
}

func (s vectors) xor(a, b, dst reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORQ(a, b, dst)
	} else {
		VPXOR(a, b, dst)
	}
}

// dropoutSteps are what a group's 64-bit numbers lie past its first.
func dropoutSteps() Mem {
	steps := GLOBL("dropoutSteps", RODATA|NOPTR)
	step := uint64(0)
	for i := range 8 {
		DATA(8*i, U64(step))
		step += golden
	}
	return steps
}

// dropout draws 8 64-bit numbers for each group.
func dropout(s vectors, steps Mem) {
	e := begin(s, "dropout", "is trainKernel.dropout.", []string{"y", "x"}, ", state uint64, threshold uint32, scale float32", "")
	scale, threshold := e.number("scale"), s.new()
	low := XMM()
	VMOVD(Load(Param("threshold"), GP32()), low)
	VPBROADCASTD(low, threshold)
	first, next := s.new(), s.constant64(8*golden&(1<<64-1))
	VMOVQ(Load(Param("state"), GP64()), low)
	VPBROADCASTQ(low, first)
	var state []reg.VecVirtual
	for at := 0; at < 64; at += s.bytes {
		v := s.new()
		VPADDQ(steps.Offset(at), first, v)
		state = append(state, v)
	}
	m1, m2 := s.multiplier(mix1), s.multiplier(mix2)
	e.loop(func(at int) {
		z, u := state[at/s.bytes], s.new()
		shifted := func(by uint64, from reg.VecVirtual) {
			v := s.new()
			VPSRLQ(Imm(by), from, v)
			s.xor(v, from, u)
		}
		shifted(30, z)
		m1(u)
		shifted(27, u)
		m2(u)
		shifted(31, u)
		VPADDQ(next, z, z)
		x := e.fresh("x", at)
		if s.bytes == 64 {
			kept := K()
			VPCMPUD(Imm(5), threshold, u, kept) // not less
			VMULPS_Z(scale, x, kept, x)
		} else {
			kept := s.new()
			VPMAXUD(threshold, u, kept)
			VPCMPEQD(u, kept, kept)
			VMULPS(scale, x, x)
			VPAND(kept, x, x)
		}
		s.store(x, e.at("y", at))
	})
	end()
}

func dequantize(s vectors) {
	name := "dequantize" + s.name
	TEXT(name, NOSPLIT, "func(y []float32, codes []int8, scale float32)")
	Pragma("noescape")
	Doc(name + " is trainKernel.dequantize.")
	e := &elementwise{vectors: s, slice: map[string]reg.GPVirtual{"y": base("y")}}
	codes := base("codes")
	e.n = Load(Param("y").Len(), GP64()).(reg.GPVirtual)
	by := e.number("scale")
	e.loop(func(at int) {
		v := s.new()
		VPMOVSXBD(Mem{Base: codes, Disp: at / 4}, v)
		VCVTDQ2PS(v, v)
		VMULPS(by, v, v)
		s.store(v, e.at("y", at))
		if at+s.bytes == 4*group {
			ADDQ(Imm(group), codes)
		}
	})
	end()
}

func scale(s vectors) {
	e := begin(s, "scale", "is trainKernel.scale.", []string{"y", "x"}, ", by float32", "")
	by := e.number("by")
	e.loop(func(at int) {
		v := s.new()
		VMULPS(e.at("x", at), by, v)
		s.store(v, e.at("y", at))
	})
	end()
}

func byEach(s vectors) {
	e := begin(s, "scaleEach", "is trainKernel.scaleEach.", []string{"y", "x", "by"}, "", "")
	e.loop(func(at int) {
		v := e.fresh("x", at)
		VMULPS(e.at("by", at), v, v)
		s.store(v, e.at("y", at))
	})
	end()
}

func dot(s vectors) {
	e := begin(s, "dotLanes", "is trainKernel.dotLanes.", []string{"x", "y"}, "", floatLanes)
	v := e.lanes()
	e.loop(func(at int) {
		p := e.fresh("x", at)
		VMULPS(e.at("y", at), p, p)
		VADDPS(p, v[at/s.bytes], v[at/s.bytes])
	})
	e.returnLanes(v)
	end()
}

func softmaxBackward(s vectors) {
	e := begin(s, "softmaxBackward", "is trainKernel.softmaxBackward.", []string{"ds", "w"}, ", dot, scale float32", "")
	dot, by := e.number("dot"), e.number("scale")
	e.loop(func(at int) {
		v := e.fresh("ds", at)
		VSUBPS(dot, v, v)
		VMULPS(e.at("w", at), v, v)
		VMULPS(by, v, v)
		s.store(v, e.at("ds", at))
	})
	end()
}
