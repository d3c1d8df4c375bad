package kernel

import "slices"

// softmax replaces x, whole groups of lanes, by the softmax of x*scale with a denominator
// that is epsilon larger. With NaN or +Inf in x it makes NaN.
func softmax(x []float32, scale, epsilon float32) {
	if chosen.vector.softmax != nil {
		chosen.vector.softmax(x, scale, epsilon)
		return
	}
	for i := range x {
		x[i] *= scale
	}
	divide(x, expSum(x, x, slices.Max(x))+epsilon)
}

// softmaxRows is softmax of each row of x, all of one length.
func softmaxRows(x []float32, rows int, scale, epsilon float32) {
	width := len(x) / max(rows, 1)
	if f := chosen.vector.softmaxPair; f != nil {
		for ; rows >= 2; rows -= 2 {
			f(x[:2*width], scale, epsilon)
			x = x[2*width:]
		}
	}
	for ; rows > 0; rows-- {
		softmax(x[:width], scale, epsilon)
		x = x[width:]
	}
}

// expSum writes Exp(x - most) to y and returns its canonical sum.
func expSum(y, x []float32, most float32) float32 {
	var s [lanes]float32
	for j, v := range x {
		e := Exp(v - most)
		y[j] = e
		s[j%lanes] += e
	}
	return tree(&s)
}

// divide divides y.
func divide(y []float32, by float32) {
	for i := range y {
		y[i] /= by
	}
}
