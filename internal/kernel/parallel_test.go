package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParallel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 3, 4, 7} {
		runtime.GOMAXPROCS(procs)
		for _, n := range []int{0, 1, 2, 3, 11, 13, 16, 17, 67, 1009} {
			for _, grain := range []int{-1, 0, 1, 3, 16, 17, 1009, 1 << 20} {
				seen := make([]atomic.Int32, n)
				var parts atomic.Int32
				var mu sync.Mutex
				least := n
				Parallel(n, grain, func(lo, hi int) {
					parts.Add(1)
					mu.Lock()
					least = min(least, hi-lo)
					mu.Unlock()
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				for i := range seen {
					require.EqualValues(t, 1, seen[i].Load(), "procs %d, n %d, grain %d: index %d", procs, n, grain, i)
				}
				assert.LessOrEqual(t, int(parts.Load()), procs, "procs %d, n %d, grain %d: parts", procs, n, grain)
				assert.GreaterOrEqual(t, least, min(grain, n), "procs %d, n %d, grain %d: smallest part", procs, n, grain)
				if n == 0 {
					assert.Zero(t, parts.Load(), "nothing to do is not called")
				}
			}
		}
	}
}

// TestParallelUsesThreads: large work is shared.
func TestParallelUsesThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var parts atomic.Int32
	Parallel(1009, 11, func(_, _ int) { parts.Add(1) })
	assert.EqualValues(t, 4, parts.Load())
}

// TestChunks: the parts of a reduction are the same for every number of threads.
func TestChunks(t *testing.T) {
	type part struct{ lo, hi int }
	for _, n := range []int{0, 1, 15, 16, 17, 67, 1009} {
		var want [reduceChunks]part
		chunks(n, false, func(c, lo, hi int) { want[c] = part{lo, hi} })
		next := 0
		for c, p := range want {
			require.Equal(t, next, p.lo, "n %d: start of chunk %d", n, c)
			next = p.hi
		}
		require.Equal(t, n, next, "n %d: end", n)
		withProcs(func(procs int) {
			var got [reduceChunks]part
			chunks(n, true, func(c, lo, hi int) { got[c] = part{lo, hi} })
			assert.Equal(t, want, got, "n %d, procs %d", n, procs)
		})
	}
}

func TestNeed(t *testing.T) {
	panicsWith(t, "need", 12, 13, func() { need("thing", 12, 13) })
	assert.NotPanics(t, func() { need("thing", 13, 13) })
	assert.NotPanics(t, func() { need("thing", 14, 13) }, "a longer slice is fine")
}
