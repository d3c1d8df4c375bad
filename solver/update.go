package solver

import "math"

// factors is what one step has in common for all elements.
type factors struct {
	clip          float64 // scales the gradient; 1 where it is not clipped
	beta1, fresh1 float32 // fresh1 = 1 - beta1
	beta2, fresh2 float32
	invRoot       float32 // 1/sqrt(1 - beta2^t)
	eps           float32
	size          float32 // lr/(1 - beta1^t)
	decay         float32 // lr*decay
}

// apply steps the weights of one parameter. The slices are of one length.
//
// Every product is rounded by a conversion before it is added: Go would fuse
// the two on some CPUs, and the weights would differ there in their last bit.
func (f *factors) apply(w, g, m, v []float32, decays bool) {
	decay := f.decay
	if !decays {
		decay = 0
	}
	k := *f
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i, wi := range w {
		gi := float32(float64(g[i]) * k.clip)
		mi := float32(k.beta1*m[i]) + float32(k.fresh1*gi)
		vi := float32(k.beta2*v[i]) + float32(float32(k.fresh2*gi)*gi)
		if math.Abs(float64(mi)) < minNormal {
			mi = 0 // where gradients stay 0, m would crawl through the slow numbers for ever
		}
		root := float32(math.Sqrt(float64(vi)))
		wi -= float32(decay * wi)
		wi -= float32(k.size*mi) / (float32(root*k.invRoot) + k.eps)
		w[i], m[i], v[i] = wi, mi, vi
	}
}

// sumSquares sums the squares of x in float64, in four strands whose order
// does not depend on the machine. The square of a float32 is exact in float64.
func sumSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(c * c)
		s3 += float64(d * d)
	}
	for _, e := range x {
		s0 += float64(float64(e) * float64(e))
	}
	return (s0 + s2) + (s1 + s3)
}

// power is x to the n by repeated squaring. Unlike math.Pow, which some CPUs
// compute by other means, it is the same everywhere; unlike a running product,
// it depends on n alone, so that a restored run repeats it.
func power(x float64, n int) float64 {
	r := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r = float64(r * x)
		}
		x = float64(x * x)
	}
	return r
}
