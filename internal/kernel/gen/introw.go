package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// intRow is what one row's sums are computed with.
type intRow struct {
	all                          []field
	blocks                       int // in a round
	outs, rounds, x0, w          reg.GPVirtual
	factors, factorStep, bias, y reg.GPVirtual
	start, scale                 reg.VecVirtual
	masks                        []reg.VecVirtual
	acc                          [8][2]reg.VecVirtual
}

// intRowAVX512 computes one row of all outputs: the fields of a byte are masked, not
// shifted, and have accumulators of their own, which are shifted at the end.
func intRowAVX512(width int) {
	name := fmt.Sprintf("intRow%dAVX512", width)
	TEXT(name, NOSPLIT, "func(outs, rounds int, x []int8, w []uint8, start int, scale float32, factors []float32, factorStep int, bias, y []float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes one row of outs outputs, of rounds of 32 inputs, from panels with %d bits a code.", name, width),
		"The factors of a panel's outputs lie factorStep bytes behind those of the one before.")
	r := &intRow{
		all:  fields(width),
		outs: param("outs"), rounds: param("rounds"), x0: base("x"), w: base("w"),
		factors: base("factors"), factorStep: param("factorStep"), bias: base("bias"), y: base("y"),
		start: ZMM(), scale: ZMM(),
	}
	r.blocks = 8 / len(r.all)
	VPBROADCASTD(param("start").As32(), r.start)
	VBROADCASTSS(Load(Param("scale"), XMM()), r.scale)
	for _, f := range r.all {
		mask := ZMM()
		avx512.byteOf(f.mask, mask)
		r.masks = append(r.masks, mask)
	}
	for i := range r.acc {
		r.acc[i] = [2]reg.VecVirtual{ZMM(), ZMM()}
	}
	if len(r.all) == 4 {
		r.pairs()
	}
	r.panels()
}

// pairs goes through the panels two at a time, and leaves what it does not take.
func (r *intRow) pairs() {
	Comment("Two panels at a time have a sum for each field, and share the inputs.")
	size := GP64()
	IMUL3Q(U32(uint32(r.blocks*blockSize)), r.rounds, size)
	Comment("Large ones come from memory, which is slower in two places.")
	CMPQ(size, U32(16<<10))
	JGT(LabelRef("panel"))
	Label("pair")
	CMPQ(r.outs, Imm(2*panelOuts))
	JLT(LabelRef("panel"))
	second, x, n := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: r.w, Index: size, Scale: 1}, second)
	MOVQ(r.x0, x)
	MOVQ(r.rounds, n)
	var sums [4][4]reg.VecVirtual // of fields, of vectors
	for i := range sums {
		for j := range sums[i] {
			sums[i][j] = r.acc[2*i+j/2][j%2]
			VPXORD(sums[i][j], sums[i][j], sums[i][j])
		}
	}
	Label("pairRound")
	for u := range r.blocks {
		var v [4]reg.VecVirtual
		for j := range v {
			v[j] = ZMM()
			VMOVDQU64(Mem{Base: []reg.GPVirtual{r.w, second}[j/2], Disp: u*blockSize + 64*(j%2)}, v[j])
		}
		for i := range r.all {
			four := ZMM()
			VPBROADCASTD(Mem{Base: x, Disp: 4 * (u*len(r.all) + i)}, four)
			for j := range v {
				codes := ZMM()
				VPANDD(r.masks[i], v[j], codes)
				VPDPBUSD(four, codes, sums[i][j])
			}
		}
	}
	ADDQ(Imm(32), x)
	for _, p := range []reg.GPVirtual{r.w, second} {
		ADDQ(U32(uint32(r.blocks*blockSize)), p)
	}
	DECQ(n)
	JNE(LabelRef("pairRound"))
	MOVQ(second, r.w)
	for j := range 4 {
		v, f := sums[0][j], ZMM()
		for i := 1; i < len(r.all); i++ {
			VPSRAD(Imm(uint64(r.all[i].shift)), sums[i][j], sums[i][j])
			VPADDD(sums[i][j], v, v)
		}
		VPADDD(r.start, v, v)
		if j == 2 {
			ADDQ(r.factorStep, r.factors)
		}
		VMULPS(Mem{Base: r.factors, Disp: 64 * (j % 2)}, r.scale, f)
		VCVTDQ2PS(v, v)
		VMULPS(f, v, v)
		VADDPS(Mem{Base: r.bias, Disp: 64 * j}, v, v)
		VMOVUPS(v, Mem{Base: r.y, Disp: 64 * j})
	}
	ADDQ(r.factorStep, r.factors)
	for _, p := range []reg.GPVirtual{r.bias, r.y} {
		ADDQ(U32(2*4*panelOuts), p)
	}
	SUBQ(Imm(2*panelOuts), r.outs)
	JGT(LabelRef("pair"))
	VZEROUPPER()
	RET()
}

// panels goes through the panels.
func (r *intRow) panels() {
	Label("panel")
	for _, a := range r.acc {
		VPXORD(a[0], a[0], a[0])
		VPXORD(a[1], a[1], a[1])
	}
	x, n := GP64(), GP64()
	MOVQ(r.x0, x)
	MOVQ(r.rounds, n)
	Label("round")
	for u := range r.blocks {
		v := [2]reg.VecVirtual{ZMM(), ZMM()}
		for half := range 2 {
			VMOVDQU64(Mem{Base: r.w, Disp: u*blockSize + 64*half}, v[half])
		}
		for i := range r.all {
			four, at := ZMM(), u*len(r.all)+i
			VPBROADCASTD(Mem{Base: x, Disp: 4 * at}, four)
			for half := range 2 {
				codes := v[half]
				if len(r.all) > 1 {
					codes = ZMM()
					VPANDD(r.masks[i], v[half], codes)
				}
				VPDPBUSD(four, codes, r.acc[at][half])
			}
		}
	}
	ADDQ(Imm(32), x)
	if len(r.all) == 4 {
		Comment("These are the large panels: what comes 8 KiB later is asked for.")
		for at := 0; at < r.blocks*blockSize; at += 64 {
			PREFETCHT0(Mem{Base: r.w, Disp: 8<<10 + at})
		}
	}
	ADDQ(U32(uint32(r.blocks*blockSize)), r.w)
	DECQ(n)
	JNE(LabelRef("round"))

	for half := range 2 {
		var sum reg.VecVirtual
		for i, f := range r.all {
			v := r.acc[i][half]
			for u := 1; u < r.blocks; u++ {
				VPADDD(r.acc[u*len(r.all)+i][half], v, v)
			}
			switch {
			case f.shift > 0:
				VPSRAD(Imm(uint64(f.shift)), v, v)
			case f.shift < 0:
				VPADDD(v, v, v)
			}
			if sum == nil {
				sum = v
			} else {
				VPADDD(v, sum, sum)
			}
		}
		VPADDD(r.start, sum, sum)
	}
	cols := GP64()
	MOVQ(r.outs, cols)
	limit := GP64()
	MOVQ(U32(panelOuts), limit)
	CMPQ(cols, limit)
	CMOVQGT(limit, cols)
	for half, mask := range columnMasks(cols) {
		v, f := r.acc[0][half], ZMM()
		VMULPS(Mem{Base: r.factors, Disp: 64 * half}, r.scale, f)
		VCVTDQ2PS(v, v)
		VMULPS(f, v, v)
		VADDPS(Mem{Base: r.bias, Disp: 64 * half}, v, v)
		VMOVUPS(v, mask, Mem{Base: r.y, Disp: 64 * half})
	}
	ADDQ(r.factorStep, r.factors)
	for _, p := range []reg.GPVirtual{r.bias, r.y} {
		ADDQ(U32(4*panelOuts), p)
	}
	SUBQ(Imm(panelOuts), r.outs)
	JGT(LabelRef("panel"))
	VZEROUPPER()
	RET()
}
