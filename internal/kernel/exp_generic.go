package kernel

import "math"

// Constants of Exp. The polynomial is the degree-6 Taylor-like minimax form that
// the Cephes library uses for single precision on |r| <= ln(2)/2.
const (
	ExpHi    = 88.72283   // above this e^x overflows float32
	ExpLo    = -87.33654  // below this e^x is subnormal; Exp gives +0
	Log2E    = 1.44269504 // 1/ln 2
	Ln2Hi    = 0.693359375
	Ln2Lo    = -2.12194440e-4
	roundBit = 12582912 // 1.5 * 2^23: adding and subtracting it rounds half to even
	expP0    = 1.9875691500e-4
	expP1    = 1.3981999507e-3
	expP2    = 8.3334519073e-3
	expP3    = 4.1665795894e-2
	expP4    = 1.6666665459e-1
	expP5    = 5.0000001201e-1
)

// ExpCoefficients are those of the polynomial, the highest power's first.
func ExpCoefficients() []float32 { return []float32{expP0, expP1, expP2, expP3, expP4, expP5} }

// Exp returns e^x in float32 with the same bits on every CPU: range reduction by
// multiples of ln 2 in two parts, a polynomial in Horner form with every product
// rounded on its own, and a scaling by a power of two. It is within 2 ulp of the
// correctly rounded value; results that would be subnormal are +0, and x above
// 88.72283 gives +Inf. NaN gives NaN.
// Source: Cephes Math Library, expf.c (S. L. Moshier).
func Exp(x float32) float32 {
	if !(x <= ExpHi) {
		if x != x {
			return x
		}
		return float32(math.Inf(1))
	}
	if x < ExpLo {
		return 0
	}
	n := float32(x*Log2E) + roundBit - roundBit
	r := x - float32(n*Ln2Hi)
	r -= float32(n * Ln2Lo)
	p := float32(expP0)
	p = float32(p*r) + expP1
	p = float32(p*r) + expP2
	p = float32(p*r) + expP3
	p = float32(p*r) + expP4
	p = float32(p*r) + expP5
	p = float32(p * float32(r*r))
	p = float32(p+r) + 1
	// n may be 128, whose power of two float32 lacks: scale in two halves.
	k := int32(n)
	h := k >> 1
	p = float32(p * math.Float32frombits(uint32(h+127)<<23))
	return float32(p * math.Float32frombits(uint32(k-h+127)<<23))
}
