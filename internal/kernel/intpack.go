package kernel

import (
	"encoding/binary"
	"unsafe"
)

// pack fills packed panels from codes [out, in].
func (l *IntLayer) pack(codes []int8) {
	if l.in == 0 || l.out == 0 {
		return
	}
	bytes := unsafe.Slice((*uint8)(unsafe.Pointer(&codes[0])), l.out*l.in)
	row := make([]uint8, IntStride(l.in))
	for o := range l.out {
		one := bytes[o*l.in : (o+1)*l.in]
		if len(one) < len(row) {
			copy(row, one)
			one = row
		}
		l.packRow(o, one)
	}
}

// packRow writes one output's codes, 4 inputs at a time, to its places.
func (l *IntLayer) packRow(o int, row []uint8) {
	panel := l.panel(o / panelOuts)[o%panelOuts*panelIns:]
	span := panelIns * l.fields
	switch l.bits {
	case 1:
		for b := 0; b*span < len(row); b++ {
			var v uint32
			for f := range 8 {
				u := binary.LittleEndian.Uint32(row[b*span+f*panelIns:])
				v |= ^u >> 7 & 0x01010101 << f
			}
			binary.LittleEndian.PutUint32(panel[b*blockSize:], v)
		}
	case 2:
		for b := 0; b*span < len(row); b++ {
			var v uint32
			for f := range 4 {
				u := binary.LittleEndian.Uint32(row[b*span+f*panelIns:])
				v |= (u&0x03030303 + 0x01010101) & 0x03030303 << (2 * f) // 3, 0, 1 to 0, 1, 2
			}
			binary.LittleEndian.PutUint32(panel[b*blockSize:], v)
		}
	case 4:
		for b := 0; b*span < len(row); b++ {
			lo := binary.LittleEndian.Uint32(row[b*span:])&0x0f0f0f0f ^ 0x08080808
			hi := binary.LittleEndian.Uint32(row[b*span+panelIns:])&0x0f0f0f0f ^ 0x08080808
			binary.LittleEndian.PutUint32(panel[b*blockSize:], lo|hi<<4)
		}
	default:
		for b := 0; b*span < len(row); b++ {
			u := binary.LittleEndian.Uint32(row[b*span:])
			binary.LittleEndian.PutUint32(panel[b*blockSize:], u^0x80808080)
		}
	}
}

// SetColumns fills panels of one code a byte from codes [in, out], which are whole
// numbers of the layer's bits.
func (l *IntLayer) SetColumns(codes Matrix) {
	codes.need("layer's codes")
	need("layer's codes' rows", codes.Rows, l.in)
	need("layer's codes' columns", codes.Cols, l.out)
	panels := ceilDiv(l.out, panelOuts)
	Parallel(panels, rowGrain(panelOuts*l.in), func(lo, hi int) {
		for p := lo; p < hi; p++ {
			o := p * panelOuts
			packColumns(l.panel(p), codes.Data[o:], codes.Stride, l.in, min(panelOuts, l.out-o), l.offset())
		}
	})
}

// packColumns fills one panel of columns of src, whose rows are srcRow apart.
func packColumns(panel []uint8, src []float32, srcRow, rows, cols, offset int) {
	done := 0
	if f := chosen.ints.packColumns; f != nil && cols == panelOuts && rows >= panelIns {
		done = rows &^ (panelIns - 1)
		f(panel, src, srcRow, done/panelIns, offset)
	}
	for k := done; k < rows; k++ {
		block := panel[k/panelIns*blockSize+k%panelIns:]
		for j, v := range src[k*srcRow : k*srcRow+cols] {
			block[j*panelIns] = uint8(int(v) + offset)
		}
	}
}
