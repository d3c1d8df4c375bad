package solver_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/qat-go/qat/solver"
)

// rateTolerance is relative to the peak: some roundings of float64.
const rateTolerance = 4e-16

func TestScheduleEndpoints(t *testing.T) {
	lr := 0.3 // not a constant: want rounds as the code does
	for name, c := range map[string]struct {
		s    solver.Schedule
		want map[int]float64
	}{
		"constant":         {solver.Constant(lr, 0), map[int]float64{1: lr, 2: lr, 1e9: lr}},
		"constant_warm_up": {solver.Constant(lr, 11), map[int]float64{1: lr / 11, 2: lr * 2 / 11, 11: lr, 12: lr}},
		"constant_one":     {solver.Constant(lr, 1), map[int]float64{1: lr, 2: lr}},
		"linear":           {solver.Linear(lr, 0, 4), map[int]float64{1: lr * 0.75, 2: lr * 0.5, 3: lr * 0.25, 4: 0, 5: 0, 1e9: 0}},
		"linear_warm_up":   {solver.Linear(lr, 11, 101), map[int]float64{1: lr / 11, 11: lr, 56: lr * 0.5, 101: 0, 102: 0}},
		"linear_one":       {solver.Linear(lr, 1, 3), map[int]float64{1: lr, 2: lr * 0.5, 3: 0}},
		"cosine":           {solver.Cosine(lr, 0, 1), map[int]float64{1: 0, 2: 0}},
		"cosine_warm_up":   {solver.Cosine(lr, 11, 101), map[int]float64{1: lr / 11, 11: lr, 101: 0, 102: 0, 1e9: 0}},
		"before_the_first": {solver.Linear(lr, 11, 101), map[int]float64{0: lr / 11, -5: lr / 11}},
	} {
		t.Run(name, func(t *testing.T) {
			for step, want := range c.want {
				assert.Equal(t, want, c.s.Rate(step), "step %d", step)
			}
		})
	}
}

func TestScheduleShapes(t *testing.T) {
	const lr, warmup, total = 0.3, 13, 211
	line, wave := solver.Linear(lr, warmup, total), solver.Cosine(lr, warmup, total)
	for step := 1; step <= total+2; step++ {
		up := lr * float64(step) / warmup
		p := min(1, max(0, float64(step-warmup)/(total-warmup)))
		down, half := lr*(1-p), lr*(1+math.Cos(math.Pi*p))/2
		assert.InDelta(t, min(up, down), line.Rate(step), lr*rateTolerance, "linear, step %d", step)
		assert.InDelta(t, min(up, half), wave.Rate(step), lr*rateTolerance, "cosine, step %d", step)
		if step > warmup && step <= total {
			assert.Less(t, line.Rate(step), line.Rate(step-1))
			assert.Less(t, wave.Rate(step), wave.Rate(step-1))
		}
	}
}

// The rate of the last step is the schedule's at that step, counted from 1.
func TestLearnRateFollowsSchedule(t *testing.T) {
	sched := solver.Cosine(0.3, 3, 11)
	s, m := newSolver(t, solver.WithSchedule(sched)), newModel(67)
	for step := 1; step <= 12; step++ {
		before := m.weights()
		run(t, s, m, 67, step, step)
		assert.Equal(t, sched.Rate(step), s.LearnRate(), "step %d", step)
		if step >= 11 {
			assert.Equal(t, before, m.weights(), "rate 0 moved a weight")
		}
	}
}
