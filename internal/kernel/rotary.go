package kernel

// Rotary holds the cosines and sines of rotary position embeddings: dimension i
// of a head's first half and its partner in the second half are turned by
// position * 10000^(-2i/headSize).
// Source: Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 34, in the half-split
// layout.
type Rotary struct {
	half     int
	cos, sin []float32 // [positions, half]
}

// NewRotary makes the tables for positions 0 to positions-1 of heads of an even
// size. The values have the same bits on every CPU.
func NewRotary(positions, headSize int) *Rotary {
	r := &Rotary{half: headSize / 2}
	for p := range positions {
		for i := range r.half {
			theta := expExact(-float64(2*i) / float64(headSize) * lnRotaryBase)
			s, c := sinCosExact(float64(float64(p) * theta))
			r.cos = append(r.cos, float32(c))
			r.sin = append(r.sin, float32(s))
		}
	}
	return r
}

// Tables returns the cosines and sines, [positions, headSize/2].
func (r *Rotary) Tables() (cos, sin []float32) { return r.cos, r.sin }

// lnRotaryBase is ln 10000.
const lnRotaryBase = 9.210340371976184

// turn writes x, turned by position, to y. A nil Rotary copies.
func (r *Rotary) turn(y, x []float32, position int) {
	if r == nil {
		copy(y, x)
		return
	}
	c, s := r.cos[position*r.half:(position+1)*r.half], r.sin[position*r.half:(position+1)*r.half]
	for i := range r.half {
		a, b := x[i], x[i+r.half]
		y[i] = float32(a*c[i]) - float32(b*s[i])
		y[i+r.half] = float32(b*c[i]) + float32(a*s[i])
	}
}

// turnBack writes x, turned by the opposite angle, to y: the gradient of turn.
func (r *Rotary) turnBack(y, x []float32, position int) {
	if r == nil {
		copy(y, x)
		return
	}
	c, s := r.cos[position*r.half:(position+1)*r.half], r.sin[position*r.half:(position+1)*r.half]
	for i := range r.half {
		a, b := x[i], x[i+r.half]
		y[i] = a*c[i] + b*s[i]
		y[i+r.half] = b*c[i] - a*s[i]
	}
}

// expExact is e^x for x <= 0 in float64 without fused operations: a Taylor series
// of e^y - 1 at y = x/2^10, squared ten times. Keeping the 1 apart keeps the last
// ten bits: (1+d)^2 - 1 = 2d + d*d.
func expExact(x float64) float64 {
	x /= 1 << 10
	term, d := 1.0, 0.0
	for k := 1; k <= 12; k++ {
		term = float64(term * x / float64(k))
		d += term
	}
	for range 10 {
		d = float64(2*d) + float64(d*d)
	}
	return 1 + d
}

// Two parts of 2*pi: the first has 33 significant bits, so that its product with
// a count of turns below 2^20 is exact.
const (
	twoPiHi = 6.2831853069365025
	twoPiLo = 2.430840202602477e-10
)

// sinCosExact returns sine and cosine of x >= 0 in float64 without fused
// operations: reduction by multiples of 2*pi in two parts, then Taylor series.
func sinCosExact(x float64) (sin, cos float64) {
	n := float64(int64(x/(twoPiHi+twoPiLo) + 0.5))
	x = x - float64(n*twoPiHi)
	x -= float64(n * twoPiLo)
	x /= 8 // three doublings below
	x2 := float64(x * x)
	sinTerm, cosTerm := x, 1.0
	sin, cos = x, 1.0
	for k := 1; k <= 9; k++ {
		cosTerm = float64(-cosTerm * x2 / float64((2*k-1)*(2*k)))
		sinTerm = float64(-sinTerm * x2 / float64((2*k)*(2*k+1)))
		cos += cosTerm
		sin += sinTerm
	}
	for range 3 {
		sin, cos = float64(2*float64(sin*cos)), float64(cos*cos)-float64(sin*sin)
	}
	return sin, cos
}
