package kernel

import "math"

// lanes is the number of strided partial sums of a canonical reduction.
const lanes = 16

// InfBits is the bit pattern of +Inf: [MaxAbsBits] at or above it means that an
// element is NaN or infinite.
const InfBits = 0x7f800000

// Sum returns the canonical sum of x: lane i adds x[i], x[i+16], x[i+32], ... in
// order, and the halving tree adds the lanes. Source: the project's ARCHITECTURE.md.
func Sum(x []float32) float32 {
	var s [lanes]float32
	i := 0
	for ; i+lanes <= len(x); i += lanes {
		v := x[i : i+lanes : i+lanes]
		for j := range s {
			s[j] += v[j]
		}
	}
	for j, v := range x[i:] {
		s[j] += v
	}
	return tree(&s)
}

// sumSquares returns the canonical sum of (x-mean)^2.
func sumSquares(x []float32, mean float32) float32 {
	var s [lanes]float32
	i := 0
	for ; i+lanes <= len(x); i += lanes {
		v := x[i : i+lanes : i+lanes]
		for j := range s {
			d := v[j] - mean
			s[j] += float32(d * d)
		}
	}
	for j, v := range x[i:] {
		d := v - mean
		s[j] += float32(d * d)
	}
	return tree(&s)
}

func tree(s *[lanes]float32) float32 {
	a0, a1, a2, a3 := s[0]+s[8], s[1]+s[9], s[2]+s[10], s[3]+s[11]
	a4, a5, a6, a7 := s[4]+s[12], s[5]+s[13], s[6]+s[14], s[7]+s[15]
	return ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))
}

// MeanAbs returns the mean of |x|: 16 strided float64 partial sums, the halving
// tree, a division in float64, rounded once to float32. It is 0 for no elements.
func MeanAbs(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	var s [lanes]float64
	i := 0
	if n := whole(len(x)); n > 0 && chosen.train.absLanes != nil {
		s, i = chosen.train.absLanes(x[:n]), n
	}
	for ; i+lanes <= len(x); i += lanes {
		v := x[i : i+lanes : i+lanes]
		for j := range s {
			s[j] += math.Abs(float64(v[j]))
		}
	}
	for j, v := range x[i:] {
		s[j] += math.Abs(float64(v))
	}
	return float32(tree64(&s) / float64(len(x)))
}

// SumSquares returns the sum of squares of x in float64, where they are exact: as
// [MeanAbs], 16 strided partial sums and the halving tree.
func SumSquares(x []float32) float64 {
	var s [lanes]float64
	i := 0
	if n := whole(len(x)); n > 0 && chosen.train.squareLanes64 != nil {
		s, i = chosen.train.squareLanes64(x[:n]), n
	}
	for ; i+lanes <= len(x); i += lanes {
		v := x[i : i+lanes : i+lanes]
		for j := range s {
			s[j] += float64(float64(v[j]) * float64(v[j]))
		}
	}
	for j, v := range x[i:] {
		s[j] += float64(float64(v) * float64(v))
	}
	return tree64(&s)
}

func tree64(s *[lanes]float64) float64 {
	for half := lanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

// MaxAbsBits returns the largest bit pattern of |x|: the bits of the largest
// magnitude when every element is finite, at least [InfBits] otherwise, and 0
// for no elements.
func MaxAbsBits(x []float32) uint32 {
	var a, b, c, d uint32
	i := 0
	if n := whole(len(x)); n > 0 && chosen.vector.largestBits != nil {
		a, i = chosen.vector.largestBits(x[:n]), n
	}
	for ; i+4 <= len(x); i += 4 {
		v := x[i : i+4 : i+4]
		a = max(a, math.Float32bits(v[0])&^(1<<31))
		b = max(b, math.Float32bits(v[1])&^(1<<31))
		c = max(c, math.Float32bits(v[2])&^(1<<31))
		d = max(d, math.Float32bits(v[3])&^(1<<31))
	}
	for _, v := range x[i:] {
		a = max(a, math.Float32bits(v)&^(1<<31))
	}
	return max(a, b, c, d)
}

// FirstNotFinite returns the index of the first NaN or infinity in x, or -1.
func FirstNotFinite(x []float32) int {
	if MaxAbsBits(x) < InfBits {
		return -1
	}
	for i, v := range x {
		if math.Float32bits(v)&^(1<<31) >= InfBits {
			return i
		}
	}
	return -1
}
