package kernel

import "sync"

// scratch holds buffers between calls, so that kernels allocate nothing once warm.
var scratch sync.Pool

// borrow returns a buffer of n elements with unknown contents; the caller gives
// it back with scratch.Put.
func borrow(n int) *[]float32 {
	if p, ok := scratch.Get().(*[]float32); ok && cap(*p) >= n {
		*p = (*p)[:n]
		return p
	}
	s := make([]float32, n)
	return &s
}
