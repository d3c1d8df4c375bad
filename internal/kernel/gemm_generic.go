package kernel

var gemmGeneric = gemmKernel{tile: gemmTile, high: 4, wide: 4, grain: 1 << 16}

// gemmTile writes the product of rows of a and columns of b to c, or adds it where
// add is set: per output one ascending chain over k, from +0 or from what is there.
// Here a product is rounded before it is added; the other variants fuse the two.
//
// Elements of a lie aRow apart down and aStep along k, those of b bStep along k,
// those of c cRow down.
func gemmTile(rows, cols, k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool) {
	if rows == 4 && cols == 4 {
		gemmTile4x4(k, a, aRow, aStep, b, bStep, c, cRow, add)
		return
	}
	for i := range rows {
		out := c[i*cRow : i*cRow+cols]
		for j := range out {
			var sum float32
			if add {
				sum = out[j]
			}
			for p := range k {
				sum += float32(a[i*aRow+p*aStep] * b[p*bStep+j])
			}
			out[j] = sum
		}
	}
}

// gemmTile4x4 is gemmTile for a whole tile, two rows at a time in registers.
func gemmTile4x4(k int, a []float32, aRow, aStep int, b []float32, bStep int, c []float32, cRow int, add bool) {
	for i := 0; i < 4; i += 2 {
		out0, out1 := (*[4]float32)(c[i*cRow:]), (*[4]float32)(c[(i+1)*cRow:])
		var s00, s01, s02, s03, s10, s11, s12, s13 float32
		if add {
			s00, s01, s02, s03 = out0[0], out0[1], out0[2], out0[3]
			s10, s11, s12, s13 = out1[0], out1[1], out1[2], out1[3]
		}
		a0, a1 := a[i*aRow:], a[(i+1)*aRow:]
		for p := range k {
			w, x0, x1 := (*[4]float32)(b[p*bStep:]), a0[p*aStep], a1[p*aStep]
			s00 += float32(x0 * w[0])
			s01 += float32(x0 * w[1])
			s02 += float32(x0 * w[2])
			s03 += float32(x0 * w[3])
			s10 += float32(x1 * w[0])
			s11 += float32(x1 * w[1])
			s12 += float32(x1 * w[2])
			s13 += float32(x1 * w[3])
		}
		*out0, *out1 = [4]float32{s00, s01, s02, s03}, [4]float32{s10, s11, s12, s13}
	}
}
