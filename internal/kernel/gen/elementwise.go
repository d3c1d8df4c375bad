package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Elementwise functions work on whole groups of 16 elements, and at least one; what is
// left is for the portable code.

// group is how many elements they take at a time.
const group = 16

// elementwise is a function of slices of one length, n, the first one's.
type elementwise struct {
	vectors
	first string
	name  string
	slice map[string]reg.GPVirtual
	n     reg.GPVirtual
	loops int
}

// begin declares a function of slices and other parameters.
func begin(s vectors, name, doc string, slices []string, others, result string) *elementwise {
	e := &elementwise{vectors: s, first: slices[0], name: name + s.name, slice: map[string]reg.GPVirtual{}}
	TEXT(e.name, NOSPLIT, "func("+strings.Join(slices, ", ")+" []float32"+others+")"+result)
	Pragma("noescape")
	Doc(e.name + " " + doc)
	for _, name := range slices {
		e.slice[name] = base(name)
	}
	e.n = Load(Param(slices[0]).Len(), GP64()).(reg.GPVirtual)
	return e
}

// number is a parameter in every element of a vector.
func (e *elementwise) number(name string) reg.VecVirtual {
	v := e.new()
	VBROADCASTSS(Load(Param(name), XMM()), v)
	return v
}

// again lets another loop begin at the beginning.
func (e *elementwise) again() {
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		e.slice[name] = base(name)
	}
	e.n = Load(Param(e.first).Len(), GP64()).(reg.GPVirtual)
}

// loop runs f on each group's vectors, at displacements.
func (e *elementwise) loop(f func(disp int)) {
	e.loops++
	label := fmt.Sprint("loop", e.loops)
	Label(label)
	for at := 0; at < 4*group; at += e.bytes {
		f(at)
	}
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		ADDQ(Imm(4*group), e.slice[name])
	}
	SUBQ(Imm(group), e.n)
	JNE(LabelRef(label))
}

// at is a vector of a slice.
func (e *elementwise) at(name string, disp int) Mem { return Mem{Base: e.slice[name], Disp: disp} }

func end() {
	VZEROUPPER()
	RET()
}

// lanes are 16 partial sums.
func (e *elementwise) lanes() (v []reg.VecVirtual) {
	for at := 0; at < 4*group; at += e.bytes {
		v = append(v, e.new())
		e.zero(v[len(v)-1])
	}
	return v
}

// returnLanes returns them.
func (e *elementwise) returnLanes(v []reg.VecVirtual) {
	first, err := Return("lanes").Index(0).Resolve()
	if err != nil {
		panic(err)
	}
	p := GP64()
	LEAQ(first.Addr, p)
	for i, x := range v {
		e.store(x, Mem{Base: p, Disp: i * e.bytes})
	}
}

// reduce returns what op makes of 16 lanes, by the halving tree, in a first element.
func (e *elementwise) reduce(v []reg.VecVirtual, op func(ops ...Op)) reg.VecVirtual {
	half := YMM()
	if e.bytes == 64 {
		VEXTRACTI64X4(Imm(1), v[0], half)
	} else {
		VMOVDQU(v[1], half)
	}
	x, low := XMM(), XMM()
	op(half, v[0].AsY(), half)
	VEXTRACTI128(Imm(1), half, x)
	op(half.AsX(), x, low)
	for _, order := range []uint64{0x0e, 0x01} {
		VPSHUFD(Imm(order), low, x)
		op(x, low, low)
	}
	return low
}

// returnReduced returns it.
func (e *elementwise) returnReduced(v []reg.VecVirtual, op func(ops ...Op)) {
	r := GP32()
	VMOVD(e.reduce(v, op), r)
	p := GP64()
	to, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	LEAQ(to.Addr, p)
	MOVL(r, Mem{Base: p})
}

// everywhere is a first element in every element of a vector.
func (e *elementwise) everywhere(x reg.VecVirtual) reg.VecVirtual {
	v := e.new()
	VBROADCASTSS(x, v)
	return v
}

// floatLanes is a result of 16 partial sums.
const floatLanes = " (lanes [16]float32)"

// some is how a function touches the elements there are in a vector.
type some struct {
	at    int                                 // of the vector in its group, in bytes
	load  func(name string) reg.VecVirtual    // with 0 where there is no element
	store func(v reg.VecVirtual, name string) // the elements there are
	keep  func(v reg.VecVirtual)              // puts 0 where there is no element
}

// ragged runs f on every group's vectors, from the slices' beginnings, and on what is left.
func (e *elementwise) ragged(masks Mem, f func(some)) {
	e.again()
	e.loops++
	label := func(what string) string { return fmt.Sprint(what, e.loops) }
	SUBQ(Imm(group), e.n)
	JLT(LabelRef(label("rest")))
	Label(label("whole"))
	for at := 0; at < 4*group; at += e.bytes {
		f(some{
			at,
			func(name string) reg.VecVirtual { return e.fresh(name, at) },
			func(v reg.VecVirtual, name string) { e.store(v, e.at(name, at)) },
			func(reg.VecVirtual) {},
		})
	}
	for _, name := range slices.Sorted(maps.Keys(e.slice)) {
		ADDQ(Imm(4*group), e.slice[name])
	}
	SUBQ(Imm(group), e.n)
	JGE(LabelRef(label("whole")))
	Label(label("rest"))
	ADDQ(Imm(group), e.n)
	JEQ(LabelRef(label("done")))
	if e.bytes == 64 {
		f(e.masked512())
	} else {
		Comment("The masks of the elements there are begin as many before the zeros.")
		SHLQ(Imm(2), e.n)
		p := GP64()
		LEAQ(masks.Offset(4*group), p)
		SUBQ(e.n, p)
		for at := 0; at < 4*group; at += e.bytes {
			f(e.masked256(at, Mem{Base: p, Disp: at}))
		}
	}
	Label(label("done"))
}

func (e *elementwise) masked512() some {
	bits, mask := GP32(), K()
	MOVQ(e.n, reg.RCX)
	MOVL(U32(1), bits)
	SHLL(reg.CL, bits)
	DECL(bits)
	KMOVW(bits, mask)
	return some{
		0,
		func(name string) reg.VecVirtual {
			v := ZMM()
			VMOVUPS_Z(e.at(name, 0), mask, v)
			return v
		},
		func(v reg.VecVirtual, name string) { VMOVUPS(v, mask, e.at(name, 0)) },
		func(v reg.VecVirtual) { VMOVAPS_Z(v, mask, v) },
	}
}

func (e *elementwise) masked256(at int, m Mem) some {
	mask := YMM()
	VMOVUPS(m, mask)
	return some{
		at,
		func(name string) reg.VecVirtual {
			v := YMM()
			VMASKMOVPS(e.at(name, at), mask, v)
			return v
		},
		func(v reg.VecVirtual, name string) { VMASKMOVPS(v, mask, e.at(name, at)) },
		func(v reg.VecVirtual) { VANDPS(mask, v, v) },
	}
}
