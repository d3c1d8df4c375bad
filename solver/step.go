package solver

import (
	"errors"
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
)

// operand is one parameter of the step under way.
type operand struct {
	name string
	*param
	shapeNow []int // of the weight
	w, g     []float32
	keep     bool    // the gradient
	first    int     // elements of the parameters before it
	squares  float64 // of the gradient, their sum
}

// Step updates every weight of model in place and zeroes its gradient, unless that has a
// method Overwritten.
//
// Elements of model must also be a gorgonia.Namer, as a *gorgonia.Node is. The
// order of model fixes the order in which the norm is summed.
// Errors: a parameter without a name, named twice, without a value or a
// gradient, of another type than float32, or of another shape than its gradient
// or its moments; a gradient that is not finite (ErrNotFinite). After an error
// nothing has changed: no weight, no gradient, no moment, not the step count.
func (a *AdamW) Step(model []gorgonia.ValueGrad) error {
	a.attempt++
	defer a.release()
	if err := a.gather(model); err != nil {
		return err
	}
	norm, err := a.norm()
	if err != nil {
		return err
	}
	now, rate, err := a.factors(norm)
	if err != nil {
		return err
	}

	// Everything is judged; from here on nothing fails.
	for i := range a.model {
		o := &a.model[i]
		if o.m == nil {
			*o.param = newParam(o.shapeNow, a.decays(o.name, len(o.shapeNow)))
		}
	}
	a.now = now
	kernel.Parallel(a.elements(), grain, a.tasks.update)
	kernel.Parallel(a.elements(), grain, a.tasks.clear) // last, in case two nodes share a gradient
	a.steps++
	a.learnRate, a.gradNorm = rate, norm
	return nil
}

// elements is the number of elements of the model.
func (a *AdamW) elements() int {
	last := a.model[len(a.model)-1]
	return last.first + len(last.w)
}

func newParam(shape []int, decays bool) param {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return param{
		shape:  append([]int{}, shape...),
		m:      make([]float32, n),
		v:      make([]float32, n),
		decays: decays,
	}
}

// release drops what the scratch refers to, so that a graph out of use can be
// collected.
func (a *AdamW) release() {
	clear(a.model)
	a.model = a.model[:0]
}

// gather fills a.model, and judges everything but the gradients' elements.
func (a *AdamW) gather(model []gorgonia.ValueGrad) error {
	if len(model) == 0 {
		return errors.New("solver: no parameters to step")
	}
	for i, vg := range model {
		name, err := nameOf(vg)
		if err != nil {
			return fmt.Errorf("solver: parameter %d of the model %w", i, err)
		}
		p := a.params[name]
		if p == nil {
			p = new(param)
			a.params[name] = p
		}
		if p.met == a.attempt {
			return fmt.Errorf("solver: %s: two parameters of the model have this name", name)
		}
		p.met = a.attempt
		o, err := newOperand(vg, p)
		if err != nil {
			return fmt.Errorf("solver: %s: %w", name, err)
		}
		o.name = name
		if len(a.model) > 0 {
			o.first = a.elements()
		}
		a.model = append(a.model, o)
	}
	return nil
}

// norm is the global norm of the gradients, the squares summed in float64.
//
// A sum of squares of finite float32s cannot overflow float64, so the elements
// need a look of their own only where the sum is not finite.
func (a *AdamW) norm() (float64, error) {
	kernel.Parallel(len(a.model), max(1, len(a.model)*grain/max(1, a.elements())), a.tasks.square)
	total := 0.0
	for _, o := range a.model {
		sum := o.squares
		if !finite64(sum) {
			for i, x := range o.g {
				if !finite64(float64(x)) {
					return 0, fmt.Errorf("solver: %s: %w: element %d of shape %v is %v",
						o.name, ErrNotFinite, i, o.shapeNow, x)
				}
			}
		}
		total += sum
	}
	return math.Sqrt(total), nil
}

// factors computes what the next step has in common for all elements.
func (a *AdamW) factors(norm float64) (k kernel.AdamW, rate float64, err error) {
	t := a.steps + 1
	rate = a.schedule.Rate(t)
	if !finite64(rate) || rate < 0 {
		return k, 0, fmt.Errorf("solver: step %d: schedule gives learning rate %v, not a finite number of at least 0",
			t, rate)
	}
	clip := 1.0
	if a.clipNorm > 0 && norm > a.clipNorm {
		clip = a.clipNorm / (norm + clipEps)
	}
	if err := a.judgeSize(norm, clip); err != nil {
		return k, 0, err
	}
	size := rate / (1 - power(a.beta1, t))
	decay := float64(rate * a.weightDecay)
	if !finite32(size) || !finite32(decay) {
		return k, 0, fmt.Errorf("solver: step %d: learning rate %v, corrected to %v, decay %v: more than float32 holds",
			t, rate, size, decay)
	}
	return kernel.AdamW{
		Clip:    clip,
		Beta1:   float32(a.beta1),
		Fresh1:  float32(1 - a.beta1),
		Beta2:   float32(a.beta2),
		Fresh2:  float32(1 - a.beta2),
		InvRoot: float32(1 / math.Sqrt(1-power(a.beta2, t))),
		Eps:     float32(a.eps),
		Size:    float32(size),
		Decay:   float32(decay),
	}, rate, nil
}

// judgeSize refuses a gradient that would make the second moment infinite,
// which would freeze its weight for good.
func (a *AdamW) judgeSize(norm, clip float64) error {
	if float64(norm*clip) <= maxGradient { // no element is larger than the norm
		return nil
	}
	for _, o := range a.model {
		for i, x := range o.g {
			if math.Abs(float64(x)*clip) > maxGradient {
				return fmt.Errorf("solver: %s: %w: element %d of shape %v is %v, of magnitude above %v",
					o.name, ErrNotFinite, i, o.shapeNow, x, float64(maxGradient))
			}
		}
	}
	return nil
}
