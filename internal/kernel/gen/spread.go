package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// spread copies n pieces by whole vectors.
func spread(name string, lanes int, vector func() reg.VecVirtual) {
	TEXT(name, NOSPLIT, "func(dst []float32, pitch int, src []float32, width, n, ahead int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is packKernel.spread by vectors of %d, one or two a piece, for n > 0.", name, lanes))
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	pitch, width, n := Load(Param("pitch"), GP64()), Load(Param("width"), GP64()), Load(Param("n"), GP64())
	ahead := Load(Param("ahead"), GP64())
	SHLQ(Imm(2), pitch)
	SHLQ(Imm(2), width)
	CMPQ(width, Imm(uint64(4*lanes)))
	JGT(LabelRef("two"))
	for vectors, label := range []string{"one", "two"} {
		Label(label)
		for i := range vectors + 1 {
			PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 4, Disp: 4 * lanes * i})
			v := vector()
			VMOVUPS(Mem{Base: src, Disp: 4 * lanes * i}, v)
			VMOVUPS(v, Mem{Base: dst, Disp: 4 * lanes * i})
		}
		ADDQ(width, src)
		ADDQ(pitch, dst)
		DECQ(n)
		JNE(LabelRef(label))
		VZEROUPPER()
		RET()
	}
}
