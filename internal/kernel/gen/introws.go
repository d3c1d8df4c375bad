package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// intRowsAVX2 goes through rows, two at a time, by 32 outputs. It adds products of bytes
// in 16 bits, run groups of them, which cannot overflow, and those sums in 32 bits.
func intRowsAVX2() {
	TEXT("intRowsAVX2", NOSPLIT, "func(rows, groups, run int, x []int8, xRow int, w []uint8, halves int, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int)")
	Pragma("noescape")
	Doc("intRowsAVX2 is intKernel.tile for whole panels, and at least one row. With halves 2 each",
		"block of w is one of the codes' low 4 bits and one of their high ones.")
	xAt, yAt, left, sumsAt, scalesAt := slot(base("x")), slot(base("y")), slot(param("rows")), slot(base("sums")), slot(base("scales"))
	acc := AllocLocal(2 * 4 * panelOuts)
	ones, one := YMM(), GP64()
	MOVQ(U32(0x00010001), one)
	avx2.broadcast(one, ones)

	Label("next")
	zero := YMM()
	VPXOR(zero, zero, zero)
	for at := 0; at < 2*4*panelOuts; at += 32 {
		VMOVDQU(zero, acc.Offset(at))
	}
	half, wStep := GP64(), GP64()
	MOVQ(param("halves"), half)
	MOVQ(half, wStep)
	SHLQ(Imm(7), wStep)
	Label("half")
	DECQ(half)
	w, groups, run, x := base("w"), param("groups"), param("run"), [2]reg.GPVirtual{GP64(), GP64()}
	high := GP64()
	MOVQ(half, high)
	SHLQ(Imm(7), high)
	ADDQ(high, w)
	MOVQ(xAt, x[0])
	MOVQ(x[0], x[1])
	ADDQ(param("xRow"), x[1])
	CMPQ(left, Imm(1))
	JEQ(LabelRef("one"))
	for _, rows := range []int{2, 1} {
		name := map[int]string{1: "one", 2: "two"}[rows]
		Label(name)
		var sum [2][4]reg.VecVirtual
		for i := range rows {
			for q := range 4 {
				sum[i][q] = YMM()
				VPXOR(sum[i][q], sum[i][q], sum[i][q])
			}
		}
		n := GP64()
		MOVQ(run, n)
		CMPQ(n, groups)
		CMOVQGT(groups, n)
		SUBQ(n, groups)
		loop := "loop" + name
		Label(loop)
		const unroll = 4 // divides the groups of a row, and of a run
		for u := range unroll {
			v := [2]reg.VecVirtual{YMM(), YMM()}
			for i := range rows {
				VPBROADCASTD(Mem{Base: x[i], Disp: 4 * u}, v[i])
			}
			for q := range 4 {
				b := YMM()
				VMOVDQU(Mem{Base: w, Disp: 32 * q}, b)
				for i := range rows {
					product := YMM()
					VPMADDUBSW(v[i], b, product)
					VPADDW(product, sum[i][q], sum[i][q])
				}
			}
			ADDQ(wStep, w)
		}
		for i := range rows {
			ADDQ(Imm(4*unroll), x[i])
		}
		SUBQ(Imm(unroll), n)
		JNE(LabelRef(loop))
		each := func(f func(i, q int, m Mem)) {
			for i := range rows {
				for q := range 4 {
					f(i, q, acc.Offset(4*panelOuts*i+32*q))
				}
			}
		}
		each(func(i, q int, m Mem) {
			VPMADDWD(ones, sum[i][q], sum[i][q])
			VPADDD(m, sum[i][q], sum[i][q])
			VMOVDQU(sum[i][q], m)
		})
		TESTQ(groups, groups)
		JNE(LabelRef(name))
		TESTQ(half, half)
		JEQ(LabelRef("scale" + name))
		Comment("A high half counts 16.")
		each(func(i, q int, m Mem) {
			VPSLLD(Imm(4), sum[i][q], sum[i][q])
			VMOVDQU(sum[i][q], m)
		})
		JMP(LabelRef("half"))

		Label("scale" + name)
		step, sums, scales, y := param("step"), GP64(), GP64(), GP64()
		MOVQ(sumsAt, sums)
		MOVQ(scalesAt, scales)
		MOVQ(yAt, y)
		factors, bias := base("factors"), base("bias")
		for i := range rows {
			first, start, scale := GP64(), YMM(), YMM()
			MOVLQSX(Mem{Base: sums}, first)
			IMULQ(param("offset"), first)
			avx2.broadcast(first, start)
			VBROADCASTSS(Mem{Base: scales}, scale)
			for q := range 4 {
				v, f, at := sum[i][q], YMM(), 32*q
				VPSUBD(start, v, v)
				VCVTDQ2PS(v, v)
				VMULPS(Mem{Base: factors, Disp: at}, scale, f)
				VMULPS(f, v, v)
				VADDPS(Mem{Base: bias, Disp: at}, v, v)
				VMOVUPS(v, Mem{Base: y, Disp: at})
			}
			LEAQ(Mem{Base: sums, Index: step, Scale: 4}, sums)
			LEAQ(Mem{Base: scales, Index: step, Scale: 4}, scales)
			yRow := param("yRow")
			LEAQ(Mem{Base: y, Index: yRow, Scale: 4}, y)
		}
		if rows == 2 {
			MOVQ(sums, sumsAt)
			MOVQ(scales, scalesAt)
			MOVQ(y, yAt)
			xRow := param("xRow")
			ADDQ(xRow, xRow)
			ADDQ(xRow, xAt)
			SUBQ(Imm(2), left)
			JNE(LabelRef("next"))
		}
		VZEROUPPER()
		RET()
	}
}
