package kernel

import (
	"runtime"
	"sync"
)

// gemmTask is a product that several goroutines compute. It is used again, so that a
// product allocates nothing.
type gemmTask struct {
	gemm
	work func(lo, hi int) // its part
}

var gemmTasks struct {
	mu   sync.Mutex
	idle []*gemmTask
}

func takeGemmTask() *gemmTask {
	gemmTasks.mu.Lock()
	defer gemmTasks.mu.Unlock()
	if last := len(gemmTasks.idle) - 1; last >= 0 {
		t := gemmTasks.idle[last]
		gemmTasks.idle = gemmTasks.idle[:last]
		return t
	}
	t := new(gemmTask)
	t.work = t.part
	return t
}

// release keeps as many tasks as there are threads, without what they refer to.
func (t *gemmTask) release() {
	t.gemm = gemm{}
	gemmTasks.mu.Lock()
	defer gemmTasks.mu.Unlock()
	if len(gemmTasks.idle) < runtime.GOMAXPROCS(0) {
		gemmTasks.idle = append(gemmTasks.idle, t)
	}
}
