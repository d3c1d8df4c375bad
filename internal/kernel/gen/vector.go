package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func vectorSet() {
	t := newTable("vectorConstants")
	masks := t.bits(1<<32 - 1) // and the zeros behind them
	t.bits(0)
	for _, s := range []vectors{avx512, avx2} {
		silu(s, t)
		softmax(s, t, 1)
		softmax(s, t, 2)
		norm(s, t, masks)
		normPair(s, t)
		add(s)
		rescale(s)
		largestBits(s, t)
		quantize(s)
	}
}

func silu(s vectors, t *table) {
	e := begin(s, "silu", "is vectorKernel.silu.", []string{"y", "x"}, "", "")
	held := s.hold(t)
	e.loop(func(at int) {
		x, minus := s.new(), s.new()
		s.load(e.at("x", at), x)
		s.xorMem(t.bits(1<<31), x, minus)
		p := s.exp(t, held, minus)
		VADDPS(held(1), p, p)
		VDIVPS(p, x, x)
		s.store(x, e.at("y", at))
	})
	end()
}

// softmax scales, and makes weights of what comes out. A row's loops wait for what the ones
// before them reduce: two rows at a time wait for each other's.
func softmax(s vectors, t *table, rows int) {
	name, doc := "softmax", "is vectorKernel.softmax."
	if rows == 2 {
		name, doc = "softmaxPair", "is vectorKernel.softmaxPair."
	}
	e := begin(s, name, doc, []string{"y"}, ", scale, epsilon float32", "")
	names := []string{"y", "second"}[:rows]
	rewind := func() {
		delete(e.slice, "second")
		e.again()
		if rows == 2 {
			SHRQ(Imm(1), e.n)
			e.slice["second"] = GP64()
			LEAQ(Mem{Base: e.slice["y"], Index: e.n, Scale: 4}, e.slice["second"])
		}
	}
	scale := e.number("scale")
	var most, sum [2][]reg.VecVirtual
	for i := range names {
		most[i], sum[i] = e.lanes(), e.lanes()
		for _, m := range most[i] {
			s.load(t.bits(0xff800000), m)
		}
	}
	rewind()
	e.loop(func(at int) {
		for i, name := range names {
			v := s.new()
			VMULPS(e.at(name, at), scale, v)
			s.store(v, e.at(name, at))
			VMAXPS(v, most[i][at/s.bytes], most[i][at/s.bytes])
		}
	})
	var m, by [2]reg.VecVirtual
	for i := range names {
		m[i] = e.everywhere(e.reduce(most[i], VMAXPS))
	}
	held := s.hold(t)
	rewind()
	e.loop(func(at int) {
		for i, name := range names {
			x := s.new()
			s.load(e.at(name, at), x)
			VSUBPS(m[i], x, x)
			p := s.exp(t, held, x)
			s.store(p, e.at(name, at))
			VADDPS(p, sum[i][at/s.bytes], sum[i][at/s.bytes])
		}
	})
	for i := range names {
		total := e.reduce(sum[i], VADDPS)
		VADDSS(Load(Param("epsilon"), XMM()).(reg.VecVirtual), total, total)
		by[i] = e.everywhere(total)
	}
	rewind()
	e.loop(func(at int) {
		for i, name := range names {
			v := s.new()
			s.load(e.at(name, at), v)
			VDIVPS(by[i], v, v)
			s.store(v, e.at(name, at))
		}
	})
	end()
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

// normPair is norm of two rows of whole groups, which wait for each other's sums.
func normPair(s vectors, t *table) {
	e := begin(s, "normPair", "is vectorKernel.normPair.", []string{"gain", "bias", "y", "x"}, ", eps float32", " (stats [4]float32)")
	rewind := func() {
		delete(e.slice, "y1")
		delete(e.slice, "x1")
		e.again() // whose number is the gain's
		for _, name := range []string{"x", "y"} {
			e.slice[name+"1"] = GP64()
			LEAQ(Mem{Base: e.slice[name], Index: e.n, Scale: 4}, e.slice[name+"1"])
		}
	}
	xs, ys := []string{"x", "x1"}, []string{"y", "y1"}
	cols := XMM()
	VXORPS(cols, cols, cols)
	VCVTSI2SSQ(e.n, cols, cols)
	stats, err := Return("stats").Index(0).Resolve()
	if err != nil {
		panic(err)
	}
	to := GP64()
	LEAQ(stats.Addr, to)
	var sum, squares [2][]reg.VecVirtual
	var mean, rstd [2]reg.VecVirtual
	for i := range xs {
		sum[i], squares[i] = e.lanes(), e.lanes()
	}
	rewind()
	e.loop(func(at int) {
		for i, x := range xs {
			VADDPS(e.at(x, at), sum[i][at/s.bytes], sum[i][at/s.bytes])
		}
	})
	for i := range xs {
		first := e.reduce(sum[i], VADDPS)
		VDIVSS(cols, first, first)
		VMOVSS(first, Mem{Base: to, Disp: 4 * i})
		mean[i] = e.everywhere(first)
	}
	rewind()
	e.loop(func(at int) {
		for i, x := range xs {
			d := e.fresh(x, at)
			VSUBPS(mean[i], d, d)
			VMULPS(d, d, d)
			VADDPS(d, squares[i][at/s.bytes], squares[i][at/s.bytes])
		}
	})
	for i := range xs {
		first := e.reduce(squares[i], VADDPS)
		VDIVSS(cols, first, first)
		VADDSS(Load(Param("eps"), XMM()), first, first)
		VSQRTSS(first, first, first)
		one := XMM()
		VMOVSS(t.float(1), one)
		VDIVSS(first, one, one)
		VMOVSS(one, Mem{Base: to, Disp: 8 + 4*i})
		rstd[i] = e.everywhere(one)
	}
	rewind()
	e.loop(func(at int) {
		gain, bias := e.fresh("gain", at), e.fresh("bias", at)
		for i, x := range xs {
			d := e.fresh(x, at)
			VSUBPS(mean[i], d, d)
			VMULPS(rstd[i], d, d)
			VMULPS(gain, d, d)
			VADDPS(bias, d, d)
			s.store(d, e.at(ys[i], at))
		}
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
