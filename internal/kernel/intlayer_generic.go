package kernel

var intGeneric = intKernel{tile: intTile, unpack: unpackCodes}

// intTile is intKernel.tile.
func intTile(rows, cols, groups int, x []int8, xRow int, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int) {
	for i := range rows {
		var acc [panelOuts]int32
		for j := range acc {
			acc[j] = -int32(offset) * sums[i*step]
		}
		row := x[i*xRow : i*xRow+groups*panelIns]
		for g := range groups {
			q := (*[panelIns]int8)(row[g*panelIns:])
			x0, x1, x2, x3 := int32(q[0]), int32(q[1]), int32(q[2]), int32(q[3])
			if x0|x1|x2|x3 == 0 {
				continue
			}
			b := (*[blockSize]uint8)(w[g*blockSize:])
			for j := range acc {
				acc[j] += x0*int32(b[4*j]) + x1*int32(b[4*j+1]) + x2*int32(b[4*j+2]) + x3*int32(b[4*j+3])
			}
		}
		rescaleInts(y[i*yRow:i*yRow+cols], &acc, scales[i*step], factors, bias)
	}
}

// rescaleInts makes outputs of a row's sums.
func rescaleInts(y []float32, acc *[panelOuts]int32, scale float32, factors, bias []float32) {
	factors, bias = factors[:len(y)], bias[:len(y)]
	for j := range y {
		y[j] = float32(float32(acc[j])*float32(scale*factors[j])) + bias[j]
	}
}

// unpackCodes is intKernel.unpack.
func unpackCodes(dst, src []uint8, bits int) {
	fields := 8 / bits
	for b := 0; b < len(src); b += blockSize {
		block := src[b : b+blockSize]
		for f := range fields {
			to := dst[b*fields+f*blockSize:][:blockSize]
			if bits == 1 {
				for i, v := range block {
					to[i] = v >> f & 1 * 2
				}
				continue
			}
			mask, shift := uint8(1)<<bits-1, f*bits
			for i, v := range block {
				to[i] = v >> shift & mask
			}
		}
	}
}
