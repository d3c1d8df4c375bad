package kernel

// vectorKernel is how a variant computes forward kernels, by whole groups of 16
// elements, in the canonical order. Where one is nil the portable code does all.
//
// A function of several slices takes them of one length, a positive multiple of 16.
type vectorKernel struct {
	silu        func(y, x []float32)
	softmax     func(y []float32, scale, epsilon float32)
	softmaxPair func(y []float32, scale, epsilon float32)                          // of each half of y
	norm        func(y, x, gain, bias []float32, eps float32) (mean, rstd float32) // of any length from 1
	// normPair is norm of two rows, of gain's length; it returns both means and then rstds.
	normPair    func(gain, bias, y, x []float32, eps float32) (stats [4]float32)
	add         func(y, a, b []float32)
	rescale     func(y, bias []float32, scale float32)
	largestBits func(x []float32) uint32
	quantize    func(codes []int8, x []float32, scale float32) int32 // returns their sum
}

// whole is how many of n elements vector kernels do.
func whole(n int) int { return n &^ (lanes - 1) }
