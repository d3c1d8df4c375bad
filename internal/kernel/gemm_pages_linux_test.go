package kernel

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// cornered places a matrix between pages that may not be touched: right after the
// first, or right before the second.
func cornered(t *testing.T, atEnd bool) place {
	return func(data []float32, rows, cols int) Matrix {
		page := os.Getpagesize()
		room := ceilDiv(4*len(data), page) * page
		mem, err := syscall.Mmap(-1, 0, room+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, syscall.Munmap(mem)) })
		require.NoError(t, syscall.Mprotect(mem[:page], syscall.PROT_NONE))
		require.NoError(t, syscall.Mprotect(mem[page+room:], syscall.PROT_NONE))
		from := page
		if atEnd {
			from += room - 4*len(data)
		}
		m := unsafe.Slice((*float32)(unsafe.Pointer(&mem[from])), len(data))
		copy(m, data)
		return Dense(m, rows, cols)
	}
}

// TestGemmStaysInside: nothing is read outside the operands either.
func TestGemmStaysInside(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {13, 37, 11}, {29, 97, 17}, {packStride + 7, 3*32 + 5, 19}, {12, 32, 16}, {packStride, 4 * 32, 24}}
	for _, atEnd := range []bool{false, true} {
		eachVariant(t, func(t *testing.T) {
			for _, s := range shapes {
				at := cornered(t, atEnd)
				newProblem(s[0], s[1], s[2]).check(t, at, at, at)
			}
		})
	}
}
