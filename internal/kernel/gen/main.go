// Command gen writes the assembly of package kernel. It is a module of its own, so
// that the library does not depend on what it needs.
//
//	go generate ./internal/kernel
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	gemmAVX512()
	gemmAVX2()
	transposeAVX2()
	spread("spreadAVX512", 16, func() reg.VecVirtual { return ZMM() })
	spread("spreadAVX2", 8, func() reg.VecVirtual { return YMM() })
	Generate()
}
