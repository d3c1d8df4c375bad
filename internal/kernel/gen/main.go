// Command gen writes the assembly of package kernel, one set of functions a run. It
// is a module of its own, so that the library does not depend on what it needs.
//
//	go generate ./internal/kernel
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// sets are what can be written, each to a file of its own.
var sets = map[string]func(){
	"gemm": func() {
		masks := maskTable(16)
		for _, fused := range []bool{true, false} {
			gemmAVX512(fused)
			gemmAVX2(fused, masks)
		}
		chainRowAVX512()
		transposeAVX2()
		spread("spreadAVX512", 16, func() reg.VecVirtual { return ZMM() })
		spread("spreadAVX2", 8, func() reg.VecVirtual { return YMM() })
	},
	"lookup": func() {
		t := newTable("lookupConstants")
		lookupTables(t)
		lookupTile(t)
		lookupIndex(t)
	},
	"vector": vectorSet,
	"train":  trainSet,
	"int": func() {
		intTileAVX512()
		for _, bits := range []int{1, 2, 4} {
			intOpen(bits)
		}
		for _, bits := range []int{1, 2, 4, 8} {
			intRowAVX512(bits)
		}
		intRowsAVX2()
		for _, v := range []vectors{avx512, avx2} {
			for _, bits := range []int{1, 2, 4} {
				unpack(v, bits)
			}
			packColumns(v)
		}
	},
}

func main() {
	name := flag.String("set", "", "the functions to write")
	flag.Parse()
	if *name == "neon" {
		writeNEON(flag.Lookup("out").Value.String(), flag.Lookup("stubs").Value.String())
		return
	}
	set := sets[*name]
	if set == nil {
		log.Fatalf("there is no set %q", *name)
	}
	ConstraintExpr("!purego")
	set()
	Generate()
}
