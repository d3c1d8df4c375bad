package kernel

import (
	"fmt"
	"runtime"
)

// Parallel calls f on consecutive parts [lo, hi) that together cover [0, n), on
// up to GOMAXPROCS goroutines of which the caller is one. A part holds at least
// grain items, so that small work stays on the caller's goroutine: what takes about 10
// microseconds or less.
//
// The parts depend on GOMAXPROCS: f must compute each item on its own. A
// reduction goes through [chunks] instead.
func Parallel(n, grain int, f func(lo, hi int)) {
	workers := min(runtime.GOMAXPROCS(0), n/max(grain, 1))
	if workers <= 1 {
		if n > 0 {
			f(0, n)
		}
		return
	}
	j := team.begin(n, workers, f)
	j.run()
	j.wait()
}

// reduceChunks is how many parts a reduction over rows has, whatever the number
// of threads: enough for the cores of a large machine, few enough that adding
// the parts costs nothing.
const reduceChunks = 16

// chunks calls f for each of the reduceChunks fixed parts of [0, n), possibly at
// the same time; f(c, lo, hi) writes only what belongs to part c. parallel says
// whether the work pays for goroutines.
func chunks(n int, parallel bool, f func(c, lo, hi int)) {
	run := func(from, to int) {
		for c := from; c < to; c++ {
			f(c, c*n/reduceChunks, (c+1)*n/reduceChunks)
		}
	}
	if !parallel {
		run(0, reduceChunks)
		return
	}
	Parallel(reduceChunks, 1, run)
}

// rowGrain is the number of rows whose work pays for a goroutine, when one row
// costs about cost operations.
func rowGrain(cost int) int { return max(1, 1<<16/max(cost, 1)) }

// need panics unless a slice has the length that the caller promised.
func need(what string, got, want int) {
	if got < want {
		panic(fmt.Sprintf("kernel: %s has %d elements, needs %d", what, got, want))
	}
}
