package kernel

import "math"

func QuantizeRowInt8(codes []int8, x []float32) (scale float32, sum int32, ok bool) {
	bits := MaxAbsBits(x)
	if bits >= InfBits {
		return 0, 0, false
	}
	s := RowScale(math.Float32frombits(bits))
	for i, v := range x {
		c := int8(RoundHalfEven(v / s))
		codes[i] = c
		sum += int32(c)
	}
	return s, sum, true
}
