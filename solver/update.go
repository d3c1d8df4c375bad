package solver

import "github.com/qat-go/qat/internal/kernel"

// grain is the number of elements whose work pays for a goroutine.
const grain = 1 << 14

// tasks are what a step does to all elements of the model, or to its parameters, for
// kernel.Parallel: made once, so that a step allocates nothing.
type tasks struct{ square, update, clear func(lo, hi int) }

func (a *AdamW) newTasks() tasks {
	return tasks{
		square: func(lo, hi int) {
			for i := range a.model[lo:hi] {
				o := &a.model[lo+i]
				o.squares = kernel.SumSquares(o.g)
			}
		},
		update: func(lo, hi int) {
			a.each(lo, hi, func(o *operand, lo, hi int) {
				k := a.now
				if !o.decays {
					k.Decay = 0
				}
				k.Step(o.w[lo:hi], o.g[lo:hi], o.m[lo:hi], o.v[lo:hi])
			})
		},
		clear: func(lo, hi int) {
			a.each(lo, hi, func(o *operand, lo, hi int) {
				if !o.keep {
					clear(o.g[lo:hi])
				}
			})
		},
	}
}

// each calls f for the parts of parameters that are elements [lo, hi) of the model.
func (a *AdamW) each(lo, hi int, f func(o *operand, lo, hi int)) {
	for i := range a.model {
		o := &a.model[i]
		if from, to := max(lo-o.first, 0), min(hi-o.first, len(o.w)); from < to {
			f(o, from, to)
		}
	}
}

// power is x to the n by repeated squaring. Unlike math.Pow, which some CPUs
// compute by other means, it is the same everywhere; unlike a running product,
// it depends on n alone, so that a restored run repeats it.
func power(x float64, n int) float64 {
	r := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r = float64(r * x)
		}
		x = float64(x * x)
	}
	return r
}
