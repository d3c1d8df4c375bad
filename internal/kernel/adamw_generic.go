package kernel

import "math"

// AdamW is what a step of AdamW has in common for all elements; package solver says
// what it stands for.
type AdamW struct {
	Clip          float64 // scales the gradient; 1 where it is not clipped
	Beta1, Fresh1 float32 // Fresh1 = 1 - beta1
	Beta2, Fresh2 float32
	InvRoot       float32 // 1/sqrt(1 - beta2^t)
	Eps           float32
	Size          float32 // lr/(1 - beta1^t)
	Decay         float32 // lr*decay, or 0
}

// minNormal is the smallest normal float32; below it many CPUs are slower a hundredfold.
const minNormal = 0x1p-126

// Step steps the weights w by the gradient g, and their moments m and v, on the
// caller's goroutine.
//
// Every product is rounded by a conversion before it is added: Go would fuse
// the two on some CPUs, and the weights would differ there in their last bit.
func (k AdamW) Step(w, g, m, v []float32) {
	need("gradient", len(g), len(w))
	need("first moment", len(m), len(w))
	need("second moment", len(v), len(w))
	i := 0
	if n := whole(len(w)); n > 0 && chosen.train.adamW != nil {
		chosen.train.adamW(w[:n], g[:n], m[:n], v[:n], k.Clip, k.Beta1, k.Fresh1, k.Beta2, k.Fresh2, k.InvRoot, k.Eps, k.Size, k.Decay)
		i = n
	}
	for ; i < len(w); i++ {
		wi, gi := w[i], float32(float64(g[i])*k.Clip)
		mi := float32(k.Beta1*m[i]) + float32(k.Fresh1*gi)
		vi := float32(k.Beta2*v[i]) + float32(float32(k.Fresh2*gi)*gi)
		if math.Abs(float64(mi)) < minNormal {
			mi = 0 // where gradients stay 0, m would crawl through the slow numbers for ever
		}
		root := float32(math.Sqrt(float64(vi)))
		wi -= float32(k.Decay * wi)
		wi -= float32(k.Size*mi) / (float32(root*k.InvRoot) + k.Eps)
		w[i], m[i], v[i] = wi, mi, vi
	}
}
