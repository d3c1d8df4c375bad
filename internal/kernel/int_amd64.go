//go:build !purego

package kernel

//go:generate go -C gen run . -set int -out ../gen_int_amd64.s -stubs ../gen_int_amd64.go -pkg kernel

var intAVX512 = intKernel{
	tile: intTileAVX512, high: 12,
	unpack:      unpackPanelAVX512,
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
	row(l.out, IntStride(l.in)/rowPad, x, l.panels, -l.offset()*int(sum), scale, l.scales, l.bias, y)
}
