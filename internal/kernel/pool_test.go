package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Several goroutines at once, whose parts call Parallel too: every item once.
func TestParallelTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				var items atomic.Int32
				Parallel(13, 1, func(lo, hi int) {
					Parallel(hi-lo, 1, func(lo, hi int) { items.Add(int32(hi - lo)) })
				})
				if !assert.EqualValues(t, 13, items.Load()) {
					return
				}
			}
		})
	}
	group.Wait()
}

// What a part wrote is there when Parallel returns.
func TestParallelWrites(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	x := make([]int, 101)
	for range 2000 {
		Parallel(len(x), 1, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				x[i] += i
			}
		})
	}
	for i, v := range x {
		assert.Equal(t, 2000*i, v)
	}
}

// Helpers go away by themselves.
func TestHelpersEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	Parallel(4, 1, func(_, _ int) {})
	assert.Eventually(t, func() bool {
		team.mu.Lock()
		defer team.mu.Unlock()
		return len(team.idle) == 0
	}, 5*time.Second, time.Millisecond)
}

// A job that is done is used again, and holds nothing of its caller's.
func TestJobsAreReused(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for range 100 {
		Parallel(2, 1, func(_, _ int) {})
	}
	assert.Eventually(t, func() bool {
		team.mu.Lock()
		defer team.mu.Unlock()
		for _, j := range team.jobs {
			if j.f != nil {
				return false
			}
		}
		return len(team.jobs) > 0 && len(team.jobs) <= jobsKept
	}, 5*time.Second, time.Millisecond)
}

func BenchmarkParallel(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	b.ReportAllocs()
	f := func(_, _ int) {}
	for b.Loop() {
		Parallel(2, 1, f)
	}
}
