package kernel

import (
	"math/bits"
	"runtime"
	"sync"
)

// scratch holds buffers between calls, so that kernels allocate nothing once warm.
// A sync.Pool would now and then: it keeps a buffer for each processor, and drops
// them all at a collection.
var (
	scratch     shelves[float32]
	byteScratch shelves[uint8]
)

// shelves have the buffers of 1<<i elements at i, so that a small one never stands
// in the way of a large one.
type shelves[T any] [bits.UintSize]shelf[T]

type shelf[T any] struct {
	mu   sync.Mutex
	free []*[]T
}

func sizeClass(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// Put takes back what borrow lent, as many of a size as there are threads.
func (s *shelves[T]) Put(buf *[]T) {
	f := &s[sizeClass(cap(*buf))]
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) < runtime.GOMAXPROCS(0) {
		f.free = append(f.free, buf)
	}
}

// borrow returns a buffer of n elements with unknown contents; the caller gives
// it back with scratch.Put.
func borrow(n int) *[]float32 { return scratch.borrow(n) }

// borrowBytes is borrow, of byteScratch.
func borrowBytes(n int) *[]uint8 { return byteScratch.borrow(n) }

func (s *shelves[T]) borrow(n int) *[]T {
	class := sizeClass(n)
	f := &s[class]
	f.mu.Lock()
	if last := len(f.free) - 1; last >= 0 {
		buf := f.free[last]
		f.free = f.free[:last]
		f.mu.Unlock()
		*buf = (*buf)[:n]
		return buf
	}
	f.mu.Unlock()
	buf := make([]T, n, 1<<class)
	return &buf
}
