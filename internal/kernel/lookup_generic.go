package kernel

// lookupGeneric is what a Lookup means; the others have its bits.
var lookupGeneric = lookupKernel{tables: lookupTables, tile: lookupTile}

// lookupDigit is digit j of the number whose sum lies at i of the table: of the
// balanced-ternary number i, or where five are binary, of the odd number 2i+1.
func lookupDigit(i, j, digits int) float32 {
	if digits == 3 {
		return float32((i+13)/[3]int{1, 3, 9}[j]%3 - 1)
	}
	return float32((i|16)>>j&1*2 - 1)
}

// lookupIndex writes the bytes of one column's numbers, four each lookupCols*4 bytes.
func lookupIndex(dst []uint8, codes []float32, digits int) {
	for g := 0; g*digits < len(codes); g++ {
		number := 0
		for j, weight := 0, 1; j < digits; j++ {
			digit := digits / 5 // beyond the last code: 0, or 1 where there is no 0
			if k := g*digits + j; k < len(codes) {
				digit = int(codes[k])
			}
			number += digit * weight
			weight *= 3 - digits/5
		}
		where := max(number, -number) >> (digits / 5)
		if number < 0 {
			where |= lookupLanes
		}
		dst[g/4*4*lookupCols+g%4] = uint8(where)
	}
}

func lookupTables(dst, src []float32, digits int) {
	for g := 0; g*digits < len(src); g++ {
		for i := range lookupLanes {
			sum := float32(0)
			if digits == 5 || i < 14 {
				sum = src[g*digits] * lookupDigit(i, 0, digits)
				for j := 1; j < digits; j++ {
					sum += float32(src[g*digits+j] * lookupDigit(i, j, digits))
				}
			}
			dst[g*lookupRows*lookupLanes+i] = sum
		}
	}
}

func lookupTile(rows, cols, quads int, tables []float32, index []uint8, c []float32, cRow int, add bool) {
	for r := range rows {
		for j := range cols {
			sum := float32(0)
			if add {
				sum = c[r*cRow+j]
			}
			for g := range 4 * quads {
				where := index[(g/4*lookupCols+j)*4+g%4]
				v := tables[(g*lookupRows+r)*lookupLanes+int(where)%lookupLanes]
				if where >= lookupLanes {
					v = -v
				}
				sum += v
			}
			c[r*cRow+j] = sum
		}
	}
}
