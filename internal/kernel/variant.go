package kernel

import "os"

// variant is one implementation of the kernels that have several.
type variant struct {
	name string
	// gemm and chain are products of float32: with each product fused with its sum,
	// where the CPU can, and with each rounded before.
	gemm, chain gemmKernel
	lookup      lookupKernel
	ints        *intKernel
	vector      vectorKernel
	train       trainKernel
}

// variants are those that this build has and this CPU can run, the best last.
var variants = append([]variant{{name: "generic", gemm: gemmPortable, chain: gemmGeneric, lookup: lookupGeneric, ints: &intGeneric}}, fastVariants()...)

// chosen is the variant in use. The environment's QAT_KERNEL (generic, avx2,
// avx512, neon) names another than the best; a name that cannot be had changes nothing.
var chosen = choose(os.Getenv("QAT_KERNEL"))

func choose(name string) variant {
	for _, v := range variants {
		if v.name == name {
			return v
		}
	}
	return variants[len(variants)-1]
}

// Variant names the implementation in use: generic, avx2, avx512 or neon. See the
// package comment for what it may change.
func Variant() string { return chosen.name }

// Variants names the implementations that this build has and this CPU can run, the
// best last.
func Variants() []string {
	names := make([]string, len(variants))
	for i, v := range variants {
		names[i] = v.name
	}
	return names
}

// Use puts another implementation in use, while no kernel runs: for measurements.
func Use(name string) { chosen = choose(name) }
