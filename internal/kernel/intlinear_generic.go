package kernel

import "fmt"

// MaxInt8In is the largest number of inputs whose product of int8 weight codes and
// activation codes in [-127, 127] an int32 always holds: n*128*127 < 2^31.
const MaxInt8In = (1<<31 - 1) / (128 * 127)

// IntLinear writes the product of int8 codes, exact and then rounded once to
// float32, to y, on the caller's goroutine. [RescaleRow] makes a layer's output of a
// row of it.
//
//	y[i][o] = float32(sum over k of x[i][k] * w[o][k])
//
// Shapes: x [y.Rows, in], in [-127, 127]; w [y.Cols, in], a row an output; in at most
// MaxInt8In.
func IntLinear(y Matrix, x, w []int8, in int) {
	y.need("int8 layer's output")
	need("int8 layer's input", len(x), y.Rows*in)
	need("int8 layer's weight", len(w), y.Cols*in)
	if in > MaxInt8In {
		panic(fmt.Sprintf("kernel: int8 layer of %d inputs, an int32 holds the sums of %d", in, MaxInt8In))
	}
	o := 0
	for ; o+4 <= y.Cols; o += 4 { // four outputs, whose rows stay in the first-level cache
		w0, w1 := w[o*in:(o+1)*in], w[(o+1)*in:(o+2)*in]
		w2, w3 := w[(o+2)*in:(o+3)*in], w[(o+3)*in:(o+4)*in]
		for i := range y.Rows {
			a, b, c, d := dotInt8x4(x[i*in:(i+1)*in], w0, w1, w2, w3)
			yr := y.Data[i*y.Stride+o:][:4]
			yr[0], yr[1], yr[2], yr[3] = float32(a), float32(b), float32(c), float32(d)
		}
	}
	for ; o < y.Cols; o++ {
		wr := w[o*in : (o+1)*in]
		for i := range y.Rows {
			y.Data[i*y.Stride+o] = float32(dotInt8(x[i*in:(i+1)*in], wr))
		}
	}
}

// dotInt8x4 returns the dot products of x with four rows.
func dotInt8x4(x, w0, w1, w2, w3 []int8) (a, b, c, d int32) {
	w0, w1, w2, w3 = w0[:len(x)], w1[:len(x)], w2[:len(x)], w3[:len(x)]
	for i, v := range x {
		v := int32(v)
		a += v * int32(w0[i])
		b += v * int32(w1[i])
		c += v * int32(w2[i])
		d += v * int32(w3[i])
	}
	return a, b, c, d
}

func dotInt8(x, w []int8) (acc int32) {
	w = w[:len(x)]
	for i, v := range x {
		acc += int32(v) * int32(w[i])
	}
	return acc
}

// Narrow copies codes that are held as float32 values to int8.
func Narrow(codes []int8, values []float32) {
	need("narrowed codes", len(codes), len(values))
	codes = codes[:len(values)]
	for i, v := range values {
		codes[i] = int8(v)
	}
}
