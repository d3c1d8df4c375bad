package solver

import (
	"errors"
	"fmt"
	"math"
)

// Schedule gives the learning rate of each step. Steps count from 1.
//
// If a Schedule also has a method Validate() error, NewAdamW calls it and
// returns what it finds. A rate that is negative, NaN or Inf is an error from
// Step.
type Schedule interface {
	Rate(step int) float64
}

type shape int

const (
	flat shape = iota
	linear
	cosine
)

// schedule is a linear warm-up followed by one of the shapes.
type schedule struct {
	after         shape
	lr            float64
	warmup, total int
}

// Constant is lr at every step, after a warm-up.
//
//	Rate(t) = lr * t / warmup    for t < warmup
//	Rate(t) = lr                 for t >= warmup
//
// A warmup of 0 or 1 is none.
// Errors: NewAdamW refuses an lr that is not positive and finite, and a
// negative warmup.
func Constant(lr float64, warmup int) Schedule {
	return schedule{after: flat, lr: lr, warmup: warmup}
}

// Linear rises to lr at step warmup, then falls on a line to 0 at step total.
//
//	Rate(t) = lr * t / warmup                        for t < warmup
//	Rate(t) = lr * (total - t) / (total - warmup)    for warmup <= t < total
//	Rate(t) = 0                                      for t >= total
//
// The first rate of a warm-up is lr/warmup. Without one (warmup 0) the line
// starts from lr at an imagined step 0, so the first rate is lr*(1 - 1/total);
// with a warmup of 1 the first rate is lr. Step total itself has rate 0: for n
// steps that all change the weights, total is n+1.
// Errors: NewAdamW refuses an lr that is not positive and finite, a negative
// warmup, and a total that is not greater than warmup.
func Linear(lr float64, warmup, total int) Schedule {
	return schedule{after: linear, lr: lr, warmup: warmup, total: total}
}

// Cosine rises to lr at step warmup, then falls on half a cosine to 0 at step
// total.
//
//	Rate(t) = lr * t / warmup                      for t < warmup
//	Rate(t) = lr * (1 + cos(pi*p))/2               for warmup <= t < total,
//	          p = (t - warmup) / (total - warmup)
//	Rate(t) = 0                                    for t >= total
//
// Warm-up, total and errors are as in Linear.
// Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, one period.
func Cosine(lr float64, warmup, total int) Schedule {
	return schedule{after: cosine, lr: lr, warmup: warmup, total: total}
}

// Rate is the learning rate of a step; a step below 1 reads as 1.
func (s schedule) Rate(step int) float64 {
	step = max(step, 1)
	if step < s.warmup {
		return s.lr * float64(step) / float64(s.warmup)
	}
	if s.after == flat {
		return s.lr
	}
	if step >= s.total {
		return 0
	}
	// The factor is exactly 1 at step warmup: the peak is lr to the bit.
	n := float64(s.total - s.warmup)
	if s.after == linear {
		return s.lr * (float64(s.total-step) / n)
	}
	return s.lr * halfCosine(float64(step-s.warmup)/n)
}

// Validate reports every fault at once.
func (s schedule) Validate() error {
	var faults []error
	if !(s.lr > 0) || !finite64(s.lr) {
		faults = append(faults, fmt.Errorf("solver: learning rate %v is not a positive finite number", s.lr))
	} else if !finite32(s.lr) {
		faults = append(faults, fmt.Errorf("solver: learning rate %v is more than float32 holds", s.lr))
	}
	if s.warmup < 0 {
		faults = append(faults, fmt.Errorf("solver: schedule warm-up %d is negative", s.warmup))
	}
	if rise := max(s.warmup, 0); s.after != flat && s.total <= rise {
		faults = append(faults, fmt.Errorf("solver: schedule total %d is not greater than warm-up %d", s.total, rise))
	}
	return errors.Join(faults...)
}

// halfCosine is (1 + cos(pi*p))/2 for p in [0, 1], exact at both ends.
//
// It is computed as the square of cos(pi*p/2), by a Taylor series on [0, pi/4]
// (the term left out is below 2e-18), and not by math.Cos: that one compiles to
// fused products on some CPUs, and the learning rate would differ there in its
// last bit.
func halfCosine(p float64) float64 {
	if p > 0.5 {
		return 1 - halfCosine(1-p) // 1-p is exact
	}
	x := float64(p * (math.Pi / 2))
	z := float64(x * x)
	c := 1.0
	for k := 16.0; k >= 2; k -= 2 {
		c = 1 - float64(float64(z/(k*(k-1)))*c)
	}
	return float64(c * c)
}
