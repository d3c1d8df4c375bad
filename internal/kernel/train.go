package kernel

// trainKernel is how a variant computes what only training needs, by whole groups of
// 16 elements, with the bits of the portable code. Where a function is nil that does all.
//
// A function of several slices takes them of one length, a positive multiple of 16.
type trainKernel struct {
	siluBackward func(dx, x, dy []float32)
	// normSums adds to dgain and dbias, and returns the partial sums of the gradient of
	// what the gain multiplies, and of its products with that.
	normSums  func(dgain, dbias, dy, x, gain []float32, mean, rstd float32) [2 * lanes]float32
	normInput func(dx, dy, x, gain []float32, mean, rstd, sum, dot float32)
	// dropout's state is what Key mixes for the 64-bit number of the first two elements.
	dropout         func(y, x []float32, state uint64, threshold uint32, scale float32)
	dequantize      func(y []float32, codes []int8, scale float32)
	scale           func(y, x []float32, by float32)
	scaleEach       func(y, x, by []float32)
	dotLanes        func(x, y []float32) [lanes]float32
	softmaxBackward func(ds, w []float32, dot, scale float32) // ds = w * (ds - dot) * scale
	codes           func(y, w []float32, scale, limit float32)
	codesEach       func(y, w, scales []float32, limit float32)
	signs           func(y, w []float32)
	absLanes        func(x []float32) [lanes]float64
	addAbs          func(sum []float64, w []float32)
	largestEach     func(most []uint32, w []float32) // bits of magnitudes
	squareLanes64   func(x []float32) [lanes]float64
	adamW           func(w, g, m, v []float32, clip float64, beta1, fresh1, beta2, fresh2, invRoot, eps, size, decay float32)
}
