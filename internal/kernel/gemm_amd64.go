//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate go -C gen run . -set gemm -out ../gen_gemm_amd64.s -stubs ../gen_gemm_amd64.go -pkg kernel

func fastVariants() (v []variant) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	v = append(v, variant{name: "avx2", ints: &intAVX2, gemm: gemmKernel{
		tile: gemmAVX2, high: 6, wide: 16, grain: 1 << 20,
		pack: packKernel{spread: spreadAVX2, lanes: 8, transpose: transposeAVX2},
	}})
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW {
		ints := intAVX2
		if cpu.X86.HasAVX512VNNI {
			ints = intAVX512
		}
		v = append(v, variant{name: "avx512", ints: &ints, gemm: gemmKernel{
			tile: gemmAVX512, high: 12, wide: 32, grain: 1 << 21,
			pack: packKernel{spread: spreadAVX512, lanes: 16, transpose: transposeAVX2},
		}})
	}
	return v
}
