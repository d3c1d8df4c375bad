//go:build !purego

package kernel

//go:generate go -C gen run . -set int -out ../gen_int_amd64.s -stubs ../gen_int_amd64.go -pkg kernel

var intAVX512 = intKernel{
	tile:        intTileAVX512,
	unpack:      unpackPanelAVX512,
	open:        [...]openKernel{1: intOpen1AVX512, 2: intOpen2AVX512, 4: intOpen4AVX512},
	row:         intLayerRowAVX512,
	packColumns: packColumnsAVX512,
}

func unpackPanelAVX512(dst, src []uint8, bits int) {
	switch bits {
	case 1:
		unpack1AVX512(dst, src)
	case 2:
		unpack2AVX512(dst, src)
	case 4:
		unpack4AVX512(dst, src)
	}
}

func intLayerRowAVX512(l *IntLayer, y []float32, x []int8, sum int32, scale float32) {
	row := intRow8AVX512
	switch l.fields {
	case 8:
		row = intRow1AVX512
	case 4:
		row = intRow2AVX512
	case 2:
		row = intRow4AVX512
	}
	step := 4 * panelOuts
	if l.uniform {
		step = 0 // one panel's factors are all panels', and stay in the first cache
	}
	row(l.out, IntStride(l.in)/rowPad, x, l.panels, -l.offset()*int(sum), scale, l.scales, step, l.bias, y)
}

// intAVX2 multiplies bytes in pairs, whose sums fit 16 bits: int8 codes in two halves
// of 4 bits.
var intAVX2 = intKernel{
	tile:        intTileAVX2,
	unpack:      unpackPanelAVX2,
	packColumns: packColumnsAVX2,
}

func unpackPanelAVX2(dst, src []uint8, bits int) {
	switch bits {
	case 1:
		unpack1AVX2(dst, src)
	case 2:
		unpack2AVX2(dst, src)
	case 4:
		unpack4AVX2(dst, src)
	}
}

// The largest numbers of groups whose sums fit 16 bits: of 2*127 and of 15*127, two a
// group.
const (
	runOfTwo     = 64
	runOfFifteen = 8
)

func intTileAVX2(rows, cols, groups int, x []int8, xRow int, w []uint8, sums []int32, offset int, scales []float32, step int, factors, bias, y []float32, yRow int) {
	run, halves := runOfFifteen, 1
	switch offset {
	case 1:
		run = runOfTwo
	case 128:
		halves = 2
		buf := borrowBytes(2 * groups * blockSize)
		defer byteScratch.Put(buf)
		unpack4AVX2(*buf, w[:groups*blockSize])
		w = *buf
	}
	if cols == panelOuts {
		intRowsAVX2(rows, groups, run, x, xRow, w, halves, sums, offset, scales, step, factors, bias, y, yRow)
		return
	}
	buf := borrow(rows * panelOuts)
	defer scratch.Put(buf)
	intRowsAVX2(rows, groups, run, x, xRow, w, halves, sums, offset, scales, step, factors, bias, *buf, panelOuts)
	for i := range rows {
		copy(y[i*yRow:i*yRow+cols], (*buf)[i*panelOuts:])
	}
}
