package kernel

import (
	"math/bits"
	"sync"
)

// scratch holds buffers between calls, so that kernels allocate nothing once warm.
var scratch pools

// pools has the buffers of 1<<i elements at i, so that a small one never stands in
// the way of a large one.
type pools [bits.UintSize]sync.Pool

func sizeClass(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// Put takes back what borrow lent.
func (p *pools) Put(buf *[]float32) { p[sizeClass(cap(*buf))].Put(buf) }

// borrow returns a buffer of n elements with unknown contents; the caller gives
// it back with scratch.Put.
func borrow(n int) *[]float32 {
	class := sizeClass(n)
	if p, ok := scratch[class].Get().(*[]float32); ok {
		*p = (*p)[:n]
		return p
	}
	s := make([]float32, n, 1<<class)
	return &s
}
