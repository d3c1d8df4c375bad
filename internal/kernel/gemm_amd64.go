//go:build !purego

package kernel

import (
	"golang.org/x/sys/cpu"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

//go:generate go -C gen run . -set gemm -out ../gen_gemm_amd64.s -stubs ../gen_gemm_amd64.go -pkg kernel
//go:generate go -C gen run . -set lookup -out ../gen_lookup_amd64.s -stubs ../gen_lookup_amd64.go -pkg kernel

// gemmPortable is for a CPU without AVX2: gonum's assembly, of SSE, makes the chains of
// portable Go three times as fast. Of products of this size it starts no goroutines.
var gemmPortable = gemmKernel{tile: gonumTile, high: 64, wide: 192, grain: 1 << 18}

// gonumTile is gemmTile.
func gonumTile(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool) {
	x, trans := blas32.General{Rows: rows, Cols: k, Stride: aRow, Data: a}, blas.NoTrans
	if rows == 1 {
		x.Stride = max(aRow, k) // it may be a column's, 1
	}
	if aStep != 1 {
		x, trans = blas32.General{Rows: k, Cols: rows, Stride: aStep, Data: a}, blas.Trans
	}
	beta := float32(0)
	if add {
		beta = 1
	}
	y := blas32.General{Rows: k, Cols: cols, Stride: bStep, Data: b}
	blas32.Gemm(trans, blas.NoTrans, 1, x, y, beta, blas32.General{Rows: rows, Cols: cols, Stride: cRow, Data: c})
}

func fastVariants() (v []variant) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	x := variant{name: "avx2", lookup: lookupGeneric, ints: &intAVX2, vector: vectorAVX2, train: trainAVX2}
	x.gemm = gemmKernel{
		tile: gemmAVX2, high: 6, wide: 16, grain: 1 << 20,
		pack: packKernel{spread: spreadAVX2, lanes: 8, transpose: transposeAVX2},
	}
	x.chain = x.gemm
	x.chain.tile = chainAVX2
	v = append(v, x)
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW {
		return v
	}
	x.name, x.vector, x.train = "avx512", vectorAVX512, trainAVX512
	if !cpu.X86.HasAVX512DQ { // which has the 64-bit product
		x.train.dropout = dropoutAVX2
	}
	if cpu.X86.HasAVX512VNNI {
		x.ints = &intAVX512
	}
	x.gemm = gemmKernel{
		tile: gemmAVX512, high: 12, wide: 32, grain: 1 << 21,
		pack: packKernel{spread: spreadAVX512, lanes: 16, transpose: transposeAVX2},
	}
	if cpu.X86.HasBMI2 {
		x.lookup = lookupKernel{fast: true, tables: lookupTablesAVX512, tile: lookupTileAVX512, index: lookupIndexAVX512}
	}
	x.chain = x.gemm
	x.chain.tile, x.chain.row = chainAVX512, chainRowAVX512
	return append(v, x)
}
