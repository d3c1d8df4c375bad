// Package kernel holds the numeric kernels that the training graph and the
// packed runtime both call, so that the two cannot differ.
//
// # The canonical order
//
// A forward kernel promises the same bits on every CPU and for every number of
// threads. It keeps three rules:
//
//   - No fused multiply-add: a product is rounded before it is added. Go fuses
//     a*b + c on some architectures, so products are written float32(a*b).
//   - Statistics and softmax denominators are 16 strided partial sums and the
//     halving tree (i with i+8, then +4, +2, +1), counted from the first real
//     element; see [Sum].
//   - Attention's two products, dense layers and mean pooling are one ascending
//     chain per output, starting from +0.
//
// Backward kernels, the logarithm in [CrossEntropy], and [Gemm] with operands that
// are not small integers, give up equality across CPUs. Nothing gives up equality
// across thread counts: an item is computed alone, or work is split in parts that
// depend on the sizes alone and reductions add the parts in order.
//
// # Variants
//
// Most kernels have several implementations, and [Variant] names the ones in use:
// generic (portable Go, which is their meaning, and all there is with the build tag
// purego), avx2 or avx512, the best that the CPU has, and on arm64 neon, which has the float32
// products. On amd64, generic leaves the products that need not be exact to gonum. A forward
// kernel has the same bits in each. The environment's QAT_KERNEL asks for another, for tests
// and reports; a name that this build or CPU does not have changes nothing. The
// assembly is written by the program in gen.
//
// Kernels check lengths where they are entered and panic on a mismatch, which is
// a programming error; what users can get wrong is judged above this package.
package kernel
