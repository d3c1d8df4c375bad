package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transposeAVX2 turns 8 rows of blocks of 8 elements into columns.
func transposeAVX2() {
	TEXT("transposeAVX2", NOSPLIT, "func(dst []float32, dstRow int, src []float32, srcRow, n int)")
	Pragma("noescape")
	Doc("transposeAVX2 is packKernel.transpose.")
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	dstRow, srcRow := Load(Param("dstRow"), GP64()), Load(Param("srcRow"), GP64())
	n := Load(Param("n"), GP64())
	SHLQ(Imm(2), dstRow)
	SHLQ(Imm(2), srcRow)
	dst3, src3 := GP64(), GP64()
	LEAQ(Mem{Base: dstRow, Index: dstRow, Scale: 2}, dst3)
	LEAQ(Mem{Base: srcRow, Index: srcRow, Scale: 2}, src3)
	far := GP64() // row 4 of src
	LEAQ(Mem{Base: src, Index: srcRow, Scale: 4}, far)
	row := func(base, stride, three reg.Register, i int) Mem {
		switch i {
		case 0:
			return Mem{Base: base}
		case 3:
			return Mem{Base: base, Index: three, Scale: 1}
		}
		return Mem{Base: base, Index: stride, Scale: uint8(i)}
	}

	Label("block")
	// Rows i and i+4 share a register, so that the rest is shuffles within halves.
	var lo, hi [4]reg.VecVirtual // columns 0..3, columns 4..7
	for i := range 4 {
		lo[i], hi[i] = YMM(), YMM()
		near, away := row(src, srcRow, src3, i), row(far, srcRow, src3, i)
		VMOVUPS(near, lo[i].AsX())
		VINSERTF128(Imm(1), away, lo[i], lo[i])
		near.Disp, away.Disp = 16, 16
		VMOVUPS(near, hi[i].AsX())
		VINSERTF128(Imm(1), away, hi[i], hi[i])
	}
	out := func(quad [4]reg.VecVirtual) {
		pairs := [4]reg.VecVirtual{YMM(), YMM(), YMM(), YMM()}
		VUNPCKLPS(quad[1], quad[0], pairs[0]) // columns 0 and 1 of rows 0 and 1
		VUNPCKHPS(quad[1], quad[0], pairs[1])
		VUNPCKLPS(quad[3], quad[2], pairs[2]) // of rows 2 and 3
		VUNPCKHPS(quad[3], quad[2], pairs[3])
		for i := range 4 {
			v, from := YMM(), i/2
			VSHUFPS(Imm(uint64(0x44+0xaa*(i%2))), pairs[from+2], pairs[from], v)
			VMOVUPS(v, row(dst, dstRow, dst3, i))
		}
	}
	out(lo)
	LEAQ(Mem{Base: dst, Index: dstRow, Scale: 4}, dst)
	out(hi)
	LEAQ(Mem{Base: dst, Index: dstRow, Scale: 4}, dst)
	ADDQ(Imm(32), src)
	ADDQ(Imm(32), far)
	SUBQ(Imm(8), n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}
