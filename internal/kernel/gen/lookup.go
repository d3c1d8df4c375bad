package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The shapes of a lookup, as package kernel has them.
const (
	lookupRows  = 6
	lookupTable = 64      // bytes of a table
	lookupQuad  = 4 * 64  // bytes of the index for four numbers
	lookupNext  = 6 * 64  // bytes from a number's tables to the next one's
	lookupSigns = 1 << 31 // of a vector
)

// lookupDigit is digit j of the number whose sum lies at i of a table.
func lookupDigit(i, j, digits int) float32 {
	if digits == 3 {
		return float32((i+13)/[3]int{1, 3, 9}[j]%3 - 1)
	}
	return float32((i|16)>>j&1*2 - 1)
}

// lookupTables has a loop for each number of digits.
func lookupTables(t *table) {
	TEXT("lookupTablesAVX512", NOSPLIT, "func(dst, src []float32, digits int)")
	Pragma("noescape")
	Doc("lookupTablesAVX512 is lookupKernel.tables.")
	dst, src, digits := base("dst"), base("src"), param("digits")
	n := Load(Param("src").Len(), GP64()).(reg.GPVirtual)
	CMPQ(digits, Imm(3))
	JEQ(LabelRef("ternary"))
	for _, digits := range []int{5, 3} {
		if digits == 3 {
			Label("ternary")
		}
		coefficients := make([]reg.VecVirtual, digits)
		for j := range coefficients {
			coefficients[j] = ZMM()
			lanes := make([]uint32, 16)
			for i := range lanes {
				if digits == 5 || i < 14 {
					lanes[i] = math.Float32bits(lookupDigit(i, j, digits))
				}
			}
			VMOVUPS(t.words(lanes...), coefficients[j])
		}
		loop := fmt.Sprint("loop", digits)
		Label(loop)
		sum, x := ZMM(), ZMM()
		VBROADCASTSS(Mem{Base: src}, x)
		VMULPS(coefficients[0], x, sum)
		for j := 1; j < digits; j++ {
			x := ZMM()
			VBROADCASTSS(Mem{Base: src, Disp: 4 * j}, x)
			VFMADD231PS(coefficients[j], x, sum)
		}
		VMOVUPS(sum, Mem{Base: dst})
		ADDQ(U32(lookupNext), dst)
		ADDQ(Imm(uint64(4*digits)), src)
		SUBQ(Imm(uint64(digits)), n)
		JG(LabelRef(loop))
		end()
	}
}

// lookupTile has a loop for each number of rows.
func lookupTile(t *table) {
	TEXT("lookupTileAVX512", NOSPLIT, "func(rows, cols, quads int, tables []float32, index []uint8, c []float32, cRow int, add bool)")
	Pragma("noescape")
	Doc("lookupTileAVX512 is lookupKernel.tile.")
	rows, cols, quads := param("rows"), param("cols"), param("quads")
	tables, index, c, cRow := base("tables"), base("index"), base("c"), param("cRow")
	add := Load(Param("add"), GP8()).(reg.GPVirtual)
	SHLQ(Imm(2), cRow)
	Comment("The masks say which columns there are.")
	mask := GP64()
	MOVQ(I32(-1), mask)
	full := GP64()
	XORQ(full, full)
	MOVQ(cols, reg.RCX)
	SHLQ(reg.CL, mask)
	CMPQ(cols, Imm(64))
	CMOVQEQ(full, mask)
	NOTQ(mask)
	var masks [4]reg.OpmaskVirtual
	for v := range masks {
		masks[v] = K()
		KMOVW(mask.As32(), masks[v])
		SHRQ(Imm(16), mask)
	}
	sign := ZMM()
	VMOVUPS(t.bits(lookupSigns), sign)
	var acc [lookupRows][4]reg.VecVirtual
	for r := range acc {
		for v := range acc[r] {
			acc[r][v] = ZMM()
		}
	}
	where := [4]reg.VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	plus, minus, sum := ZMM(), ZMM(), ZMM()
	for n := lookupRows - 1; n > 0; n-- {
		CMPQ(rows, Imm(uint64(n)))
		JEQ(LabelRef(fmt.Sprint("rows", n)))
	}
	each := func(n int, f func(v int, m Mem, acc reg.VecVirtual)) {
		p := GP64()
		MOVQ(c, p)
		for r := range n {
			for v := range 4 {
				f(v, Mem{Base: p, Disp: 64 * v}, acc[r][v])
			}
			if r+1 < n {
				ADDQ(cRow, p)
			}
		}
	}
	for n := lookupRows; n > 0; n-- {
		start, loop := fmt.Sprint("start", n), fmt.Sprint("loop", n)
		Label(fmt.Sprint("rows", n))
		for _, row := range acc[:n] {
			for _, v := range row {
				VPXORD(v, v, v)
			}
		}
		TESTB(add, add)
		JEQ(LabelRef(start))
		each(n, func(v int, m Mem, acc reg.VecVirtual) { VMOVUPS_Z(m, masks[v], acc) })
		Label(start)
		Label(loop)
		for v := range where {
			VMOVDQU64(Mem{Base: index, Disp: 64 * v}, where[v])
		}
		for number := range 4 {
			if number > 0 {
				for _, w := range where {
					VPSRLD(Imm(8), w, w)
				}
			}
			for r := range n {
				VMOVUPS(Mem{Base: tables, Disp: number*lookupNext + r*lookupTable}, plus)
				VPXORD(sign, plus, minus)
				for v, w := range where {
					VMOVDQA64(w, sum)
					VPERMI2PS(minus, plus, sum)
					VADDPS(sum, acc[r][v], acc[r][v])
				}
			}
		}
		ADDQ(U32(lookupQuad), index)
		ADDQ(U32(4*lookupNext), tables)
		DECQ(quads)
		JNE(LabelRef(loop))
		each(n, func(v int, m Mem, acc reg.VecVirtual) { VMOVUPS(acc, masks[v], m) })
		end()
	}
}

// lookupIndex has a loop for each number of digits.
func lookupIndex(t *table) {
	TEXT("lookupIndexAVX512", NOSPLIT, "func(dst []uint8, codes []float32, digits int)")
	Pragma("noescape")
	Doc("lookupIndexAVX512 is lookupKernel.index.")
	dst, codes, digits := base("dst"), base("codes"), param("digits")
	n := Load(Param("codes").Len(), GP64()).(reg.GPVirtual)
	CMPQ(digits, Imm(3))
	JEQ(LabelRef("ternary"))

	Comment("The signs of twenty codes, five a byte.")
	sign, spread := ZMM(), GP64()
	VMOVUPS(t.bits(lookupSigns), sign)
	MOVQ(U32(0x1f1f1f1f), spread)
	Label("loop5")
	z, x, k := ZMM(), XMM(), K()
	low, high, minus := GP64(), GP64(), GP64()
	VMOVUPS(Mem{Base: codes}, z)
	VPTESTMD(sign, z, k)
	KMOVW(k, low.As32())
	VMOVUPS(Mem{Base: codes, Disp: 64}, x)
	VMOVMSKPS(x, high.As32())
	SHLL(Imm(16), high.As32())
	ORL(high.As32(), low.As32())
	PDEPL(spread.As32(), low.As32(), low.As32())
	Comment("low has 1 for -1. The last digit says which half; where it is -1, the others are those of the opposite.")
	MOVL(low.As32(), minus.As32())
	SHRL(Imm(4), minus.As32())
	ANDL(U32(0x01010101), minus.As32())
	fifteen := GP64()
	MOVL(minus.As32(), fifteen.As32())
	SHLL(Imm(4), fifteen.As32())
	SUBL(minus.As32(), fifteen.As32())
	XORL(fifteen.As32(), low.As32())
	XORL(U32(0x0f0f0f0f), low.As32())
	MOVL(low.As32(), Mem{Base: dst})
	ADDQ(U32(lookupQuad), dst)
	ADDQ(Imm(80), codes)
	SUBQ(Imm(20), n)
	JG(LabelRef("loop5"))
	end()

	Label("ternary")
	Comment("Twelve codes, three in four bytes of a vector; their products with 1, 3 and 9 added up.")
	twelve, bits := K(), GP64()
	MOVQ(U32(0xfff), bits)
	KMOVW(bits.As32(), twelve)
	weights, ones, places, firsts := XMM(), XMM(), XMM(), XMM()
	VMOVDQU(t.bits(0x00090301), weights)
	VMOVDQU(t.bits(0x00010001), ones)
	VMOVDQU(t.words(0x80020100, 0x80050403, 0x80080706, 0x800b0a09), places)
	VMOVDQU(t.words(0x0c080400, 0x80808080, 0x80808080, 0x80808080), firsts)
	Label("loop3")
	z, x = ZMM(), XMM()
	VMOVUPS_Z(Mem{Base: codes}, twelve, z)
	VCVTPS2DQ(z, z)
	VPMOVDB(z, x)
	VPSHUFB(places, x, x)
	VPMADDUBSW(x, weights, x)
	VPMADDWD(ones, x, x)
	size := XMM()
	VPABSD(x, size)
	VPSRLD(Imm(31), x, x)
	VPSLLD(Imm(4), x, x)
	VPOR(x, size, x)
	VPSHUFB(firsts, x, x)
	VMOVD(x, Mem{Base: dst})
	ADDQ(U32(lookupQuad), dst)
	ADDQ(Imm(48), codes)
	SUBQ(Imm(12), n)
	JG(LabelRef("loop3"))
	end()
}
