//go:build !purego

package kernel

var gemmPortable = gemmGeneric

// fastVariants has NEON, which every such CPU has, for the products of float32; Go's
// assembler lacks the instructions for the rest.
func fastVariants() []variant {
	x := variant{name: "neon", lookup: lookupGeneric, ints: &intGeneric}
	x.gemm = gemmKernel{tile: gemmNEON, high: 4, wide: 16, grain: 1 << 19}
	x.chain = x.gemm
	x.chain.tile = chainNEON
	return []variant{x}
}

func gemmNEON(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool) {
	j := 0
	for ; j+16 <= cols; j += 16 {
		gemm16NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
	for ; j+4 <= cols; j += 4 {
		gemm4NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
	for ; j < cols; j++ {
		gemm1NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
}

func chainNEON(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool) {
	j := 0
	for ; j+16 <= cols; j += 16 {
		chain16NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
	for ; j+4 <= cols; j += 4 {
		chain4NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
	for ; j < cols; j++ {
		chain1NEON(rows, k, a, aRow, aStep, b[j:], bStep, c[j:], cRow, add)
	}
}
