// Command gen writes the assembly of package kernel. It is a module of its own, so
// that the library does not depend on what it needs.
//
//	go generate ./internal/kernel
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("!purego")
	gemmAVX512()
	gemmAVX2()
	transposeAVX2()
	Generate()
}
