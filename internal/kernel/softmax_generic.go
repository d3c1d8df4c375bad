package kernel

// The parts of a softmax.

// largest returns the largest of x, at least one element. Which it is where one is NaN
// is not said: Exp of the differences is then NaN somewhere, and so is their sum.
func largest(x []float32) float32 {
	m, i := x[0], 0
	if n := whole(len(x)); n > 0 && chosen.vector.largest != nil {
		m, i = chosen.vector.largest(x[:n]), n
	}
	for _, v := range x[i:] {
		m = max(m, v)
	}
	return m
}

// expSum writes Exp(x - most) to y and returns its canonical sum.
func expSum(y, x []float32, most float32) float32 {
	var s [lanes]float32
	i := 0
	if n := whole(len(x)); n > 0 && chosen.vector.expSum != nil {
		s, i = chosen.vector.expSum(y[:n], x[:n], most), n
	}
	for j, v := range x[i:] {
		e := Exp(v - most)
		y[i+j] = e
		s[j%lanes] += e
	}
	return tree(&s)
}

// divide divides y.
func divide(y []float32, by float32) {
	i := 0
	if n := whole(len(y)); n > 0 && chosen.vector.divide != nil {
		chosen.vector.divide(y[:n], by)
		i = n
	}
	for ; i < len(y); i++ {
		y[i] /= by
	}
}

// multiply multiplies y.
func multiply(y []float32, by float32) {
	i := 0
	if n := whole(len(y)); n > 0 && chosen.vector.multiply != nil {
		chosen.vector.multiply(y[:n], by)
		i = n
	}
	for ; i < len(y); i++ {
		y[i] *= by
	}
}
