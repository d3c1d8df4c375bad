package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	panelOuts = 32
	blockSize = 128 // bytes: 32 outputs by 4 inputs
)

const tileSignature = "func(rows, cols, groups int, x []int8, xRow int, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int)"

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
func base(name string) reg.GPVirtual  { return Load(Param(name).Base(), GP64()).(reg.GPVirtual) }

// columnMasks are the masks of two vectors of 16 columns.
func columnMasks(cols reg.GPVirtual) [2]reg.OpmaskVirtual {
	mask := GP64()
	MOVQ(I32(-1), mask)
	MOVQ(cols, reg.RCX)
	SHLQ(reg.CL, mask)
	NOTQ(mask)
	masks := [2]reg.OpmaskVirtual{K(), K()}
	KMOVW(mask.As32(), masks[0])
	SHRQ(Imm(16), mask)
	KMOVW(mask.As32(), masks[1])
	return masks
}

// intTileAVX512 goes through tiles of up to 12 rows by 32 outputs.
func intTileAVX512() {
	const maxRows = 12
	TEXT("intTileAVX512", NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc("intTileAVX512 is intKernel.tile for any number of rows, at least one.")
	// Where the next tile begins, and how many rows are left.
	slot := func(r reg.GPVirtual) Mem {
		m := AllocLocal(8)
		MOVQ(r, m)
		return m
	}
	xAt, yAt, scalesAt, left := slot(base("x")), slot(base("y")), slot(base("scales")), slot(param("rows"))
	offset, sums, step := param("offset"), base("sums"), param("step")
	NEGQ(offset)
	SHLQ(Imm(2), step)
	acc := make([][2]reg.VecVirtual, maxRows)
	for i := range acc {
		acc[i] = [2]reg.VecVirtual{ZMM(), ZMM()}
	}
	b := [2]reg.VecVirtual{ZMM(), ZMM()}

	Label("tile")
	groups, xRow, w, rows := param("groups"), param("xRow"), base("w"), GP64()
	var x [4]reg.GPVirtual
	for i := range x {
		x[i] = GP64()
	}
	MOVQ(xAt, x[0])
	three := GP64()
	LEAQ(Mem{Base: xRow, Index: xRow, Scale: 2}, three)
	for i := 1; i < 4; i++ {
		LEAQ(Mem{Base: x[i-1], Index: three, Scale: 1}, x[i])
	}
	four := func(i int) Mem { // inputs of row i
		m := Mem{Base: x[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = xRow, uint8(i%3)
		}
		return m
	}
	MOVQ(left, rows)
	for n := maxRows - 1; n > 0; n-- {
		CMPQ(rows, Imm(uint64(n)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", n)))
	}
	for n := maxRows; n > 0; n-- {
		Label(fmt.Sprintf("rows%d", n))
		Comment("A sum begins with what the offset adds to it.")
		for _, row := range acc[:n] {
			start := GP64()
			MOVLQSX(Mem{Base: sums}, start)
			IMULQ(offset, start)
			VPBROADCASTD(start.As32(), row[0])
			VMOVDQA64(row[0], row[1])
			ADDQ(step, sums)
		}
		loop := fmt.Sprintf("loop%d", n)
		Label(loop)
		for half := range 2 {
			VMOVDQU64(Mem{Base: w, Disp: 64 * half}, b[half])
		}
		for i, row := range acc[:n] {
			v := ZMM() // broadcast once: a load of its own costs as much as a product
			VPBROADCASTD(four(i), v)
			VPDPBUSD(v, b[0], row[0])
			VPDPBUSD(v, b[1], row[1])
		}
		for i := 0; 3*i < n; i++ {
			ADDQ(Imm(4), x[i])
		}
		ADDQ(U32(blockSize), w)
		DECQ(groups)
		JNE(LabelRef(loop))

		masks := columnMasks(param("cols"))
		factors, bias, yRow, scales, y := base("factors"), base("bias"), param("yRow"), GP64(), GP64()
		MOVQ(scalesAt, scales)
		MOVQ(yAt, y)
		SHLQ(Imm(2), yRow)
		f, add, s := [2]reg.VecVirtual{ZMM(), ZMM()}, [2]reg.VecVirtual{ZMM(), ZMM()}, ZMM()
		for half := range 2 {
			VMOVUPS_Z(Mem{Base: factors, Disp: 64 * half}, masks[half], f[half])
			VMOVUPS_Z(Mem{Base: bias, Disp: 64 * half}, masks[half], add[half])
		}
		for _, row := range acc[:n] {
			for half := range 2 {
				v := row[half]
				VMULPS_BCST(Mem{Base: scales}, f[half], s)
				VCVTDQ2PS(v, v)
				VMULPS(s, v, v)
				VADDPS(add[half], v, v)
				VMOVUPS(v, masks[half], Mem{Base: y, Disp: 64 * half})
			}
			ADDQ(step, scales)
			ADDQ(yRow, y)
		}
		if n == maxRows {
			MOVQ(scales, scalesAt)
			MOVQ(y, yAt)
			twelve := GP64()
			MOVQ(param("xRow"), twelve)
			IMUL3Q(Imm(maxRows), twelve, twelve)
			ADDQ(twelve, xAt)
			SUBQ(Imm(maxRows), left)
			JNE(LabelRef("tile"))
		}
		VZEROUPPER()
		RET()
	}
}

// field is one code in a byte: the mask that it has there, and the shift to the right
// that makes it a number; less than 0 is to the left.
type field struct {
	mask  uint64
	shift int
}

// fields are the codes of a byte. A binary code is a bit, whose double counts.
func fields(bits int) (f []field) {
	for at := 0; at < 8; at += bits {
		shift := at
		if bits == 1 {
			shift--
		}
		f = append(f, field{(1<<bits - 1) << at, shift})
	}
	return f
}

// unpack writes the fields of bytes to bytes of their own.
func unpack(s vectors, bits int) {
	name := fmt.Sprintf("unpack%d%s", bits, s.name)
	TEXT(name, NOSPLIT, "func(dst, src []uint8)")
	Pragma("noescape")
	Doc(name + " is intKernel.unpack.")
	dst, src, n := base("dst"), base("src"), Load(Param("src").Len(), GP64())
	all := fields(bits)
	low := s.new()
	mask := all[0].mask
	if all[0].shift < 0 {
		mask <<= 1
	}
	s.byteOf(mask, low)
	Label("loop")
	for at := 0; at < blockSize; at += s.bytes {
		v := s.new()
		s.load(Mem{Base: src, Disp: at}, v)
		for i, f := range all {
			u := s.new()
			switch {
			case f.shift > 0:
				VPSRLD(Imm(uint64(f.shift)), v, u)
				s.and(low, u, u)
			case f.shift < 0:
				VPSLLD(Imm(1), v, u)
				s.and(low, u, u)
			default:
				s.and(low, v, u)
			}
			s.store(u, Mem{Base: dst, Disp: i*blockSize + at})
		}
	}
	ADDQ(U32(blockSize), src)
	ADDQ(U32(uint32(blockSize*len(all))), dst)
	SUBQ(U32(blockSize), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// intRowAVX512 computes one row of all outputs: the fields of a byte are masked, not
// shifted, and have accumulators of their own, which are shifted at the end.
func intRowAVX512(width int) {
	name := fmt.Sprintf("intRow%dAVX512", width)
	TEXT(name, NOSPLIT, "func(outs, rounds int, x []int8, w []uint8, start int, scale float32, factors []float32, factorStep int, bias, y []float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes one row of outs outputs, of rounds of 32 inputs, from panels with %d bits a code.", name, width),
		"The factors of a panel's outputs lie factorStep bytes behind those of the one before.")
	all := fields(width)
	blocks := 8 / len(all) // in a round
	outs, rounds, x0, w := param("outs"), param("rounds"), base("x"), base("w")
	factors, factorStep, bias, y := base("factors"), param("factorStep"), base("bias"), base("y")
	start, scale := ZMM(), ZMM()
	VPBROADCASTD(param("start").As32(), start)
	VBROADCASTSS(Load(Param("scale"), XMM()), scale)
	masks := make([]reg.VecVirtual, len(all))
	for i, f := range all {
		masks[i] = ZMM()
		avx512.byteOf(f.mask, masks[i])
	}
	acc := make([][2]reg.VecVirtual, 8)
	for i := range acc {
		acc[i] = [2]reg.VecVirtual{ZMM(), ZMM()}
	}
	Label("panel")
	for _, a := range acc {
		VPXORD(a[0], a[0], a[0])
		VPXORD(a[1], a[1], a[1])
	}
	x, n := GP64(), GP64()
	MOVQ(x0, x)
	MOVQ(rounds, n)
	Label("round")
	for u := range blocks {
		v := [2]reg.VecVirtual{ZMM(), ZMM()}
		for half := range 2 {
			VMOVDQU64(Mem{Base: w, Disp: u*blockSize + 64*half}, v[half])
		}
		for i := range all {
			four, at := ZMM(), u*len(all)+i
			VPBROADCASTD(Mem{Base: x, Disp: 4 * at}, four)
			for half := range 2 {
				codes := v[half]
				if len(all) > 1 {
					codes = ZMM()
					VPANDD(masks[i], v[half], codes)
				}
				VPDPBUSD(four, codes, acc[at][half])
			}
		}
	}
	ADDQ(Imm(32), x)
	ADDQ(U32(uint32(blocks*blockSize)), w)
	DECQ(n)
	JNE(LabelRef("round"))

	for half := range 2 {
		var sum reg.VecVirtual
		for i, f := range all {
			v := acc[i][half]
			for u := 1; u < blocks; u++ {
				VPADDD(acc[u*len(all)+i][half], v, v)
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
		VPADDD(start, sum, sum)
	}
	cols := GP64()
	MOVQ(outs, cols)
	limit := GP64()
	MOVQ(U32(panelOuts), limit)
	CMPQ(cols, limit)
	CMOVQGT(limit, cols)
	for half, mask := range columnMasks(cols) {
		v, f := acc[0][half], ZMM()
		VMULPS(Mem{Base: factors, Disp: 64 * half}, scale, f)
		VCVTDQ2PS(v, v)
		VMULPS(f, v, v)
		VADDPS(Mem{Base: bias, Disp: 64 * half}, v, v)
		VMOVUPS(v, mask, Mem{Base: y, Disp: 64 * half})
	}
	ADDQ(factorStep, factors)
	for _, p := range []reg.GPVirtual{bias, y} {
		ADDQ(U32(4*panelOuts), p)
	}
	SUBQ(Imm(panelOuts), outs)
	JGT(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// packColumns makes bytes of four rows of 32 columns at a time.
func packColumns(s vectors) {
	name := "packColumns" + s.name
	TEXT(name, NOSPLIT, "func(panel []uint8, src []float32, srcRow, groups, offset int)")
	Pragma("noescape")
	Doc(name + " is intKernel.packColumns, for groups > 0.")
	dst, src, srcRow, groups := base("panel"), base("src"), param("srcRow"), param("groups")
	offset := s.new()
	s.broadcast(param("offset"), offset)
	SHLQ(Imm(2), srcRow)
	Label("group")
	var sum []reg.VecVirtual
	for i := range 4 {
		for at := 0; at < blockSize; at += s.bytes {
			v := s.new()
			VCVTPS2DQ(Mem{Base: src, Disp: at}, v)
			VPADDD(offset, v, v)
			if i == 0 {
				sum = append(sum, v)
				continue
			}
			VPSLLD(Imm(uint64(8*i)), v, v)
			VPADDD(v, sum[at/s.bytes], sum[at/s.bytes])
		}
		ADDQ(srcRow, src)
	}
	for i, v := range sum {
		s.store(v, Mem{Base: dst, Disp: i * s.bytes})
	}
	ADDQ(U32(blockSize), dst)
	DECQ(groups)
	JNE(LabelRef("group"))
	VZEROUPPER()
	RET()
}
