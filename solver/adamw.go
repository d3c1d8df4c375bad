// Package solver steps a Gorgonia model by AdamW.
//
// An AdamW is a gorgonia.Solver. Beside the stock solvers it decays weights
// decoupled from the gradient, clips by the norm of all gradients together,
// follows a learning-rate schedule, hands out its whole state and takes it
// back, and allocates nothing per step. Its state is keyed by parameter name,
// so that one solver can step graphs that share their weights, such as one for
// full batches and one for the last, smaller batch.
//
// A run is repeatable to the bit: the arithmetic is fixed in precision and
// order on every CPU, and a solver restored from a State goes on exactly as the
// one the State was taken from.
package solver

import (
	"errors"

	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// ErrNotFinite is the cause of the error from Step when a gradient holds NaN
// or Inf, or is too large to square in float32. The step changed nothing, so a
// caller may go on with the next batch after zeroing the gradients.
var ErrNotFinite = errors.New("gradient is not finite")

var _ gorgonia.Solver = (*AdamW)(nil)

// AdamW is Adam with decoupled weight decay. It is made by NewAdamW, and is not
// safe for concurrent use.
//
//	g    = g * clip/(norm + 1e-6)            if norm > clip, over all parameters
//	w    = w - lr*decay*w                    for parameters that decay
//	m    = beta1*m + (1-beta1)*g
//	v    = beta2*v + (1-beta2)*g*g
//	w    = w - lr * mhat/(sqrt(vhat) + eps)  mhat = m/(1-beta1^t), vhat = v/(1-beta2^t)
//
// Elements are float32, every product and sum rounded on its own; the norm, the
// clip factor and what is the same for all elements are computed in float64. An
// m too small for a normal float32 becomes 0. New weights are not judged.
// There is one t for all parameters: the number of steps of the solver. A
// parameter missing from a step keeps its moments as they are.
// Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2, with the
// decay scaled by the learning rate as in PyTorch's AdamW.
type AdamW struct {
	config
	steps     int
	learnRate float64
	gradNorm  float64

	params  map[string]*param
	attempt uint64    // counts calls of Step: marks the parameters met in this one
	model   []operand // scratch of Step
	now     kernel.AdamW
	tasks   tasks
}

// param is what the solver keeps of one parameter. Its moments are nil until
// a step has accepted the parameter.
type param struct {
	shape  []int
	m, v   []float32
	decays bool
	met    uint64 // the attempt that last met the parameter
}

// NewAdamW makes a solver with no steps behind it.
//
// Errors: all faults of the options, joined.
func NewAdamW(opts ...Option) (*AdamW, error) {
	c := defaultConfig()
	var nilOption error
	for _, o := range opts {
		if o == nil {
			nilOption = errors.New("solver: an option is nil")
			continue
		}
		o(&c)
	}
	if err := errors.Join(nilOption, c.validate()); err != nil {
		return nil, err
	}
	a := &AdamW{config: c, params: make(map[string]*param)}
	a.tasks = a.newTasks()
	return a, nil
}

// Steps is the number of steps taken, those before a restored State included.
func (a *AdamW) Steps() int { return a.steps }

// LearnRate is the learning rate of the last step; 0 before the first step,
// and after Restore until the next.
func (a *AdamW) LearnRate() float64 { return a.learnRate }

// GradNorm is the global norm of the gradients of the last step, before
// clipping; 0 before the first step, and after Restore until the next.
func (a *AdamW) GradNorm() float64 { return a.gradNorm }
