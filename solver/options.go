package solver

import (
	"errors"
	"fmt"
	"math"
)

// Option sets one field of the solver. Options cannot fail: a later one wins,
// and NewAdamW judges the result.
type Option func(*config)

type config struct {
	schedule     Schedule
	beta1, beta2 float64
	eps          float64
	weightDecay  float64
	clipNorm     float64
	decays       func(name string, dims int) bool
}

func defaultConfig() config {
	return config{
		schedule:    Constant(defaultLearnRate, 0),
		beta1:       defaultBeta1,
		beta2:       defaultBeta2,
		eps:         defaultEps,
		weightDecay: defaultWeightDecay,
		clipNorm:    defaultClipNorm,
		decays:      DefaultDecay,
	}
}

// WithLearnRate sets a constant learning rate; the default is 1e-3. It is
// WithSchedule(Constant(lr, 0)): of the two options the later wins.
func WithLearnRate(lr float64) Option {
	return func(c *config) { c.schedule = Constant(lr, 0) }
}

// WithSchedule sets the learning rate of every step.
func WithSchedule(s Schedule) Option {
	return func(c *config) { c.schedule = s }
}

// WithBetas sets the decay rates of the two moments, each in [0, 1); the
// default is 0.9 and 0.999.
func WithBetas(b1, b2 float64) Option {
	return func(c *config) { c.beta1, c.beta2 = b1, b2 }
}

// WithEps sets the number added to the root of the second moment; the default
// is 1e-8.
func WithEps(eps float64) Option {
	return func(c *config) { c.eps = eps }
}

// WithWeightDecay sets the decoupled weight decay; the default is 0.01, and 0
// turns it off. A step subtracts (learning rate)*decay*w.
func WithWeightDecay(decay float64) Option {
	return func(c *config) { c.weightDecay = decay }
}

// WithClipNorm sets the largest global norm of the gradients; the default, 0,
// turns clipping off.
func WithClipNorm(norm float64) Option {
	return func(c *config) { c.clipNorm = norm }
}

// WithDecay sets which parameters decay; the default is DefaultDecay. The rule
// is called once per parameter, when the solver first meets it, and must not
// change its mind: Restore asks it again.
func WithDecay(rule func(name string, dims int) bool) Option {
	return func(c *config) { c.decays = rule }
}

// validate reports every fault at once.
func (c *config) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("solver: "+format, args...))
		}
	}
	if c.schedule == nil {
		check(false, "schedule is nil")
	} else if s, ok := c.schedule.(interface{ Validate() error }); ok {
		faults = append(faults, s.Validate())
	}
	check(c.beta1 >= 0 && c.beta1 < 1, "beta1 %v is not in [0, 1)", c.beta1)
	check(c.beta2 >= 0 && c.beta2 < 1, "beta2 %v is not in [0, 1)", c.beta2)
	check(c.eps >= minEps && c.eps <= math.MaxFloat32,
		"eps %v is not a positive finite number that float32 holds, at least %v", c.eps, minEps)
	check(finite32(c.weightDecay) && c.weightDecay >= 0,
		"weight decay %v is not a finite number of at least 0", c.weightDecay)
	check(finite64(c.clipNorm) && c.clipNorm >= 0,
		"clip norm %v is not a finite number of at least 0", c.clipNorm)
	check(c.decays != nil, "decay rule is nil")
	return errors.Join(faults...)
}

func finite64(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// finite32 reports whether x rounds to a finite float32.
func finite32(x float64) bool { return finite64(float64(float32(x))) }
