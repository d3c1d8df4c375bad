package infer

import (
	"slices"
	"sync"

	"github.com/qat-go/qat/internal/kernel"
)

// workspace is the memory of one call, kept for the next.
type workspace struct {
	input  []float32 // [n, E], made by the pipeline
	stream []float32 // [n, H], from block to block
	branch []float32 // [n, H]
	wide   []float32 // [n, 3H]
	up     []float32 // [n, 4H]
	mean   []float32 // [H]
	caches [1]cache

	attention kernel.Attention

	scales []float32 // [n], of a layer's input
	codes  []int8    // of its rows
	sums   []int32   // of those, [n]
	values []float32 // [n, in]
	one    kernel.IntRows

	part  part // of a batch, where there is one
	group sync.WaitGroup
}

// room returns the first n elements of *s, which grows where it is shorter and keeps
// what it holds.
func room[T any](s *[]T, n int) []T {
	if len(*s) < n {
		*s = slices.Grow(*s, n-len(*s))[:n]
	}
	return (*s)[:n]
}

// borrow returns a workspace that no other call uses; giveBack returns it.
func (m *Model) borrow() *workspace {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		w := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return w
	}
	return new(workspace)
}

func (m *Model) giveBack(w *workspace) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, w)
}
