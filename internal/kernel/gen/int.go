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

// maxRows is how many rows a tile has.
const maxRows = 12

// intTile is what a tile by 32 outputs is computed with.
type intTile struct {
	acc          [][2]reg.VecVirtual
	b            [2]reg.VecVirtual
	xRow         reg.GPVirtual
	x            [4]reg.GPVirtual // rows 0, 3, 6, 9
	offset, sums reg.GPVirtual
	step         reg.GPVirtual // bytes between sums, and between scales
}

func newIntTile() *intTile {
	t := &intTile{offset: param("offset"), sums: base("sums"), step: param("step")}
	NEGQ(t.offset)
	SHLQ(Imm(2), t.step)
	for range maxRows {
		t.acc = append(t.acc, [2]reg.VecVirtual{ZMM(), ZMM()})
	}
	t.b = [2]reg.VecVirtual{ZMM(), ZMM()}
	return t
}

// at begins a tile, whose first row is at x.
func (t *intTile) at(x Op) {
	t.xRow = param("xRow")
	for i := range t.x {
		t.x[i] = GP64()
	}
	MOVQ(x, t.x[0])
	three := GP64()
	LEAQ(Mem{Base: t.xRow, Index: t.xRow, Scale: 2}, three)
	for i := 1; i < 4; i++ {
		LEAQ(Mem{Base: t.x[i-1], Index: three, Scale: 1}, t.x[i])
	}
}

// start begins the sums of n rows with what the offset adds to them.
func (t *intTile) start(n int) {
	for _, row := range t.acc[:n] {
		start := GP64()
		MOVLQSX(Mem{Base: t.sums}, start)
		IMULQ(t.offset, start)
		VPBROADCASTD(start.As32(), row[0])
		VMOVDQA64(row[0], row[1])
		ADDQ(t.step, t.sums)
	}
}

// multiply adds the products of b and four inputs of n rows, which lie so many bytes on.
func (t *intTile) multiply(n, disp int) {
	for i, row := range t.acc[:n] {
		four := Mem{Base: t.x[i/3], Disp: disp}
		if i%3 > 0 {
			four.Index, four.Scale = t.xRow, uint8(i%3)
		}
		v := ZMM() // broadcast once: a load of its own costs as much as a product
		VPBROADCASTD(four, v)
		VPDPBUSD(v, t.b[0], row[0])
		VPDPBUSD(v, t.b[1], row[1])
	}
}

// advance goes on by so many inputs of n rows.
func (t *intTile) advance(n, inputs int) {
	for i := 0; 3*i < n; i++ {
		ADDQ(Imm(uint64(inputs)), t.x[i])
	}
}

// finish writes n rows of outputs, and returns where the next one's scale and outputs are.
func (t *intTile) finish(n int, scalesAt, yAt Op) (scales, y reg.GPVirtual) {
	masks := columnMasks(param("cols"))
	factors, bias, yRow := base("factors"), base("bias"), param("yRow")
	scales, y = GP64(), GP64()
	MOVQ(scalesAt, scales)
	MOVQ(yAt, y)
	SHLQ(Imm(2), yRow)
	f, add, s := [2]reg.VecVirtual{ZMM(), ZMM()}, [2]reg.VecVirtual{ZMM(), ZMM()}, ZMM()
	for half := range 2 {
		VMOVUPS_Z(Mem{Base: factors, Disp: 64 * half}, masks[half], f[half])
		VMOVUPS_Z(Mem{Base: bias, Disp: 64 * half}, masks[half], add[half])
	}
	for _, row := range t.acc[:n] {
		for half := range 2 {
			v := row[half]
			VMULPS_BCST(Mem{Base: scales}, f[half], s)
			VCVTDQ2PS(v, v)
			VMULPS(s, v, v)
			VADDPS(add[half], v, v)
			VMOVUPS(v, masks[half], Mem{Base: y, Disp: 64 * half})
		}
		ADDQ(t.step, scales)
		ADDQ(yRow, y)
	}
	return scales, y
}

// slot keeps a register's value in the frame.
func slot(r reg.GPVirtual) Mem {
	m := AllocLocal(8)
	MOVQ(r, m)
	return m
}

// intTileAVX512 goes through tiles of up to 12 rows by 32 outputs.
func intTileAVX512() {
	TEXT("intTileAVX512", NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc("intTileAVX512 is intKernel.tile for any number of rows, at least one.")
	// Where the next tile begins, and how many rows are left.
	xAt, yAt, scalesAt, left := slot(base("x")), slot(base("y")), slot(base("scales")), slot(param("rows"))
	t := newIntTile()

	Label("tile")
	groups, w, rows := param("groups"), base("w"), GP64()
	t.at(xAt)
	MOVQ(left, rows)
	for n := maxRows - 1; n > 0; n-- {
		CMPQ(rows, Imm(uint64(n)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", n)))
	}
	for n := maxRows; n > 0; n-- {
		Label(fmt.Sprintf("rows%d", n))
		t.start(n)
		loop := fmt.Sprintf("loop%d", n)
		Label(loop)
		for half := range 2 {
			VMOVDQU64(Mem{Base: w, Disp: 64 * half}, t.b[half])
		}
		t.multiply(n, 0)
		t.advance(n, 4)
		ADDQ(U32(blockSize), w)
		DECQ(groups)
		JNE(LabelRef(loop))

		scales, y := t.finish(n, scalesAt, yAt)
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

// intOpen is one tile of a packed panel, which it unpacks besides: that costs next to
// nothing where the products wait for other units.
func intOpen(bits int) {
	name := fmt.Sprintf("intOpen%dAVX512", bits)
	TEXT(name, NOSPLIT, "func(cols int, x []int8, xRow int, open, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is intKernel.open for %d bits a code.", name, bits))
	xAt := slot(base("x"))
	t := newIntTile()
	all, low := fields(bits), ZMM()
	avx512.byteOf(lowMask(all), low)
	open, w, n := base("open"), base("w"), Load(Param("w").Len(), GP64()).(reg.GPVirtual)
	t.at(xAt)
	t.start(maxRows)
	v := [2]reg.VecVirtual{ZMM(), ZMM()}
	Label("loop")
	for half := range 2 {
		VMOVDQU64(Mem{Base: w, Disp: 64 * half}, v[half])
	}
	for i, f := range all {
		for half := range 2 {
			avx512.codes(f, low, v[half], t.b[half])
			VMOVDQU64(t.b[half], Mem{Base: open, Disp: i*blockSize + 64*half})
		}
		t.multiply(maxRows, 4*i)
	}
	t.advance(maxRows, 4*len(all))
	ADDQ(U32(uint32(blockSize*len(all))), open)
	ADDQ(U32(blockSize), w)
	SUBQ(U32(blockSize), n)
	JNE(LabelRef("loop"))
	t.finish(maxRows, base("scales"), base("y"))
	VZEROUPPER()
	RET()
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

// lowMask is that of a code in its own byte.
func lowMask(all []field) uint64 {
	if all[0].shift < 0 {
		return all[0].mask << 1
	}
	return all[0].mask
}

// codes makes bytes of their own of a field of v's.
func (s vectors) codes(f field, low, v, u reg.VecVirtual) {
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
	s.byteOf(lowMask(all), low)
	Label("loop")
	for at := 0; at < blockSize; at += s.bytes {
		v := s.new()
		s.load(Mem{Base: src, Disp: at}, v)
		for i, f := range all {
			u := s.new()
			s.codes(f, low, v, u)
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
