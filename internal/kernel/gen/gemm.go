package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const signature = "func(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool)"

// tile is the code of one micro-kernel: rows by two vectors of accumulators, each
// one ascending chain of fused multiply-adds.
type tile struct {
	name    string
	maxRows int
	lanes   int // of one vector

	a           [4]reg.GPVirtual // a's rows 0, 3, 6, 9
	aRow, aStep reg.GPVirtual
	b, bStep    reg.GPVirtual
	c, cRow     reg.GPVirtual
	k, add      reg.GPVirtual
	rows, cols  reg.GPVirtual
}

func (t *tile) load() {
	param := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	base := func(name string) reg.GPVirtual { return Load(Param(name).Base(), GP64()).(reg.GPVirtual) }
	t.rows, t.cols, t.k = param("rows"), param("cols"), param("k")
	t.a[0], t.aRow, t.aStep = base("a"), param("aRow"), param("aStep")
	t.b, t.bStep = base("b"), param("bStep")
	t.c, t.cRow = base("c"), param("cRow")
	t.add = Load(Param("add"), GP8()).(reg.GPVirtual)
	for _, stride := range []reg.GPVirtual{t.aRow, t.aStep, t.bStep, t.cRow} {
		SHLQ(Imm(2), stride) // bytes
	}
	three := GP64()
	LEAQ(Mem{Base: t.aRow, Index: t.aRow, Scale: 2}, three)
	for i := 1; 3*i < t.maxRows; i++ {
		t.a[i] = GP64()
		LEAQ(Mem{Base: t.a[i-1], Index: three, Scale: 1}, t.a[i])
	}
}

// dispatch jumps to the code of the number of rows; the largest comes first.
func (t *tile) dispatch(suffix string) {
	for rows := t.maxRows - 1; rows > 0; rows-- {
		CMPQ(t.rows, Imm(uint64(rows)))
		JEQ(LabelRef(t.label("rows", rows, suffix)))
	}
}

func (t *tile) label(what string, rows int, suffix string) string {
	return fmt.Sprintf("%s%d%s", what, rows, suffix)
}

// element is a's element in row i at the current step.
func (t *tile) element(i int) Mem {
	m := Mem{Base: t.a[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = t.aRow, uint8(i%3)
	}
	return m
}

// body is the code for one number of rows. move copies between c, or b, and the
// registers of half a row; multiply adds the product of a half row and a number.
func (t *tile) body(rows int, suffix string, acc [][2]reg.VecVirtual, zero func(v reg.VecVirtual), step func(), loadC, storeC func(half int, m Mem, v reg.VecVirtual)) {
	start, loop := t.label("start", rows, suffix), t.label("loop", rows, suffix)
	Label(t.label("rows", rows, suffix))
	for _, row := range acc[:rows] {
		zero(row[0])
		zero(row[1])
	}
	TESTB(t.add, t.add)
	JEQ(LabelRef(start))
	t.eachC(rows, acc, loadC)
	Label(start)
	t.prefetch(rows)
	Label(loop)
	step()
	for i := 0; 3*i < rows; i++ {
		ADDQ(t.aStep, t.a[i])
	}
	ADDQ(t.bStep, t.b)
	DECQ(t.k)
	JNE(LabelRef(loop))
	t.eachC(rows, acc, storeC)
	VZEROUPPER()
	RET()
}

// prefetch asks for c's rows of the next tile below a whole one, which would wait for them.
func (t *tile) prefetch(rows int) {
	if rows < t.maxRows {
		return
	}
	p := GP64()
	IMUL3Q(Imm(uint64(rows)), t.cRow, p)
	ADDQ(t.c, p)
	for i := range rows {
		for at := 0; at < 2*4*t.lanes; at += 64 {
			PREFETCHT0(Mem{Base: p, Disp: at})
		}
		if i+1 < rows {
			ADDQ(t.cRow, p)
		}
	}
}

// eachC calls f with the address of each half row of c.
func (t *tile) eachC(rows int, acc [][2]reg.VecVirtual, f func(half int, m Mem, v reg.VecVirtual)) {
	p := GP64()
	MOVQ(t.c, p)
	for i := range rows {
		for half := range 2 {
			f(half, Mem{Base: p, Disp: half * 4 * t.lanes}, acc[i][half])
		}
		if i+1 < rows {
			ADDQ(t.cRow, p)
		}
	}
}

// multiplyAdd adds a*b to acc: rounded once, or where product is given twice.
func multiplyAdd(a, b, acc, product reg.VecVirtual) {
	if product == nil {
		VFMADD231PS(a, b, acc)
		return
	}
	VMULPS(a, b, product)
	VADDPS(product, acc, acc)
}

// rounding is how a tile's name says which it is.
func rounding(fused bool) (name, doc string) {
	if fused {
		return "gemm", "each product fused with its sum"
	}
	return "chain", "each product rounded before it is added"
}

func gemmAVX512(fused bool) {
	name, doc := rounding(fused)
	t := tile{name: name + "AVX512", maxRows: 12, lanes: 16}
	TEXT(t.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(t.name + " is gemmTile for up to 12 rows and 32 columns, " + doc + ".")
	t.load()

	Comment("k1 and k2 say which columns there are.")
	mask := GP64()
	MOVQ(I32(-1), mask)
	MOVQ(t.cols, reg.RCX)
	SHLQ(reg.CL, mask)
	NOTQ(mask)
	masks := [2]reg.OpmaskVirtual{K(), K()}
	KMOVW(mask.As32(), masks[0])
	SHRQ(Imm(16), mask)
	KMOVW(mask.As32(), masks[1])

	acc := make([][2]reg.VecVirtual, t.maxRows)
	for i := range acc {
		acc[i] = [2]reg.VecVirtual{ZMM(), ZMM()}
	}
	b, x := [2]reg.VecVirtual{ZMM(), ZMM()}, ZMM()
	var product [2]reg.VecVirtual
	if !fused {
		product = [2]reg.VecVirtual{ZMM(), ZMM()}
	}
	zero := func(v reg.VecVirtual) { VPXORD(v, v, v) }
	loadC := func(half int, m Mem, v reg.VecVirtual) { VMOVUPS_Z(m, masks[half], v) }
	storeC := func(half int, m Mem, v reg.VecVirtual) { VMOVUPS(v, masks[half], m) }
	t.dispatch("")
	for rows := t.maxRows; rows > 0; rows-- {
		t.body(rows, "", acc, zero, func() {
			for half := range 2 {
				VMOVUPS_Z(Mem{Base: t.b, Disp: half * 64}, masks[half], b[half])
			}
			for i := range rows {
				VBROADCASTSS(t.element(i), x)
				multiplyAdd(b[0], x, acc[i][0], product[0])
				multiplyAdd(b[1], x, acc[i][1], product[1])
			}
		}, loadC, storeC)
	}
}

// chainRowAVX512 is one row of up to 64 columns: as many chains side by side as there are
// columns for.
func chainRowAVX512() {
	TEXT("chainRowAVX512", NOSPLIT, "func(cols, k int, a, b []float32, bStep int, c []float32)")
	Pragma("noescape")
	Doc("chainRowAVX512 is gemmKernel.row, each product rounded before it is added.")
	cols, k, a, b, bStep, c := param("cols"), param("k"), base("a"), base("b"), param("bStep"), base("c")
	SHLQ(Imm(2), bStep)
	Comment("last says which columns the last vector has.")
	mask, last := GP64(), K()
	MOVQ(I32(-1), mask)
	MOVQ(cols, reg.RCX)
	NEGQ(reg.RCX)
	ANDQ(Imm(15), reg.RCX)
	SHRL(reg.CL, mask.As32())
	SHRL(Imm(16), mask.As32())
	KMOVW(mask.As32(), last)
	for vectors := 1; vectors < 4; vectors++ {
		CMPQ(cols, Imm(uint64(16*vectors)))
		JLE(LabelRef(fmt.Sprint("vectors", vectors)))
	}
	for vectors := 4; vectors > 0; vectors-- {
		Label(fmt.Sprint("vectors", vectors))
		acc := make([]reg.VecVirtual, vectors)
		for i := range acc {
			acc[i] = ZMM()
			VPXORD(acc[i], acc[i], acc[i])
		}
		loop := fmt.Sprint("loop", vectors)
		Label(loop)
		x := ZMM()
		VBROADCASTSS(Mem{Base: a}, x)
		for i, v := range acc {
			product, from := ZMM(), Mem{Base: b, Disp: 64 * i}
			if i == vectors-1 {
				VMULPS_Z(from, x, last, product)
			} else {
				VMULPS(from, x, product)
			}
			VADDPS(product, v, v)
		}
		ADDQ(Imm(4), a)
		ADDQ(bStep, b)
		DECQ(k)
		JNE(LabelRef(loop))
		for i, v := range acc {
			to := Mem{Base: c, Disp: 64 * i}
			if i == vectors-1 {
				VMOVUPS(v, last, to)
			} else {
				VMOVUPS(v, to)
			}
		}
		VZEROUPPER()
		RET()
	}
}

func gemmAVX2(fused bool, masks Mem) {
	name, doc := rounding(fused)
	t := tile{name: name + "AVX2", maxRows: 6, lanes: 8}
	TEXT(t.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(t.name + " is gemmTile for up to 6 rows and 16 columns, " + doc + ".")
	t.load()
	acc := make([][2]reg.VecVirtual, t.maxRows)
	for i := range acc {
		acc[i] = [2]reg.VecVirtual{YMM(), YMM()}
	}
	b, x := [2]reg.VecVirtual{YMM(), YMM()}, YMM()
	var product reg.VecVirtual
	if !fused {
		product = YMM()
	}
	zero := func(v reg.VecVirtual) { VPXOR(v, v, v) }
	step := func(rows int, load func(half int, m Mem, v reg.VecVirtual)) {
		for half := range 2 {
			load(half, Mem{Base: t.b, Disp: half * 32}, b[half])
		}
		for i := range rows {
			VBROADCASTSS(t.element(i), x)
			multiplyAdd(b[0], x, acc[i][0], product)
			multiplyAdd(b[1], x, acc[i][1], product)
		}
	}
	CMPQ(t.cols, Imm(uint64(2*t.lanes)))
	JNE(LabelRef("edge"))
	t.dispatch("")
	load := func(_ int, m Mem, v reg.VecVirtual) { VMOVUPS(m, v) }
	store := func(_ int, m Mem, v reg.VecVirtual) { VMOVUPS(v, m) }
	for rows := t.maxRows; rows > 0; rows-- {
		t.body(rows, "", acc, zero, func() { step(rows, load) }, load, store)
	}

	Label("edge")
	Comment("The masks of the columns there are begin as many elements before the zeros.")
	at := GP64()
	LEAQ(masks.Offset(4*2*t.lanes), at)
	SHLQ(Imm(2), t.cols)
	SUBQ(t.cols, at)
	mask := func(half int) Mem { return Mem{Base: at, Disp: half * 32} }
	maskedLoad := func(half int, m Mem, v reg.VecVirtual) {
		VMOVUPS(mask(half), x)
		VMASKMOVPS(m, x, v)
	}
	maskedStore := func(half int, m Mem, v reg.VecVirtual) {
		VMOVUPS(mask(half), x)
		VMASKMOVPS(v, x, m)
	}
	t.dispatch("edge")
	for rows := t.maxRows; rows > 0; rows-- {
		t.body(rows, "edge", acc, zero, func() { step(rows, maskedLoad) }, maskedLoad, maskedStore)
	}
}

// maskTable is n words of ones and n of zeros.
func maskTable(n int) Mem {
	table := GLOBL("gemmMasks", RODATA|NOPTR)
	for i := range 2 * n {
		v := ^uint32(0)
		if i >= n {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	return table
}
