package kernel

import (
	"math/bits"
	"runtime"
	"sync"
)

// scratch holds buffers between calls, so that kernels allocate nothing once warm.
// A sync.Pool would now and then: it keeps a buffer for each processor, and drops
// them all at a collection.
var scratch shelves

// shelves have the buffers of 1<<i elements at i, so that a small one never stands
// in the way of a large one.
type shelves [bits.UintSize]shelf

type shelf struct {
	mu   sync.Mutex
	free []*[]float32
}

func sizeClass(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// Put takes back what borrow lent, as many of a size as there are threads.
func (s *shelves) Put(buf *[]float32) {
	f := &s[sizeClass(cap(*buf))]
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) < runtime.GOMAXPROCS(0) {
		f.free = append(f.free, buf)
	}
}

// borrow returns a buffer of n elements with unknown contents; the caller gives
// it back with scratch.Put.
func borrow(n int) *[]float32 {
	class := sizeClass(n)
	f := &scratch[class]
	f.mu.Lock()
	if last := len(f.free) - 1; last >= 0 {
		buf := f.free[last]
		f.free = f.free[:last]
		f.mu.Unlock()
		*buf = (*buf)[:n]
		return buf
	}
	f.mu.Unlock()
	s := make([]float32, n, 1<<class)
	return &s
}
