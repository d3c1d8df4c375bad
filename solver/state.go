package solver

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// State is all that an AdamW remembers between steps. Its options are not
// part of it.
type State struct {
	Step    int      // steps taken
	Moments []Moment // sorted by name
}

// Moment holds the two moments of one parameter, row-major.
type Moment struct {
	Name  string
	Shape []int // empty for a scalar
	M, V  []float32
}

// State copies out the solver's state. Nothing in it is shared with the solver.
func (a *AdamW) State() State {
	s := State{Step: a.steps}
	for name, p := range a.params {
		if p.m == nil { // met only by a step that failed
			continue
		}
		s.Moments = append(s.Moments, Moment{
			Name:  name,
			Shape: append([]int{}, p.shape...),
			M:     slices.Clone(p.m),
			V:     slices.Clone(p.v),
		})
	}
	slices.SortFunc(s.Moments, func(x, y Moment) int { return cmp.Compare(x.Name, y.Name) })
	return s
}

// Restore replaces the solver's state by a copy of s, in any order of moments.
// From there a solver with the same options goes on exactly as the one s was
// taken from.
//
// Errors: all faults of s, joined, the first of each moment: a negative step; a
// moment without a name, named twice, of other lengths than its shape's, or
// not finite; a second moment below 0. After an error nothing has changed.
func (a *AdamW) Restore(s State) error {
	var faults []error
	if s.Step < 0 {
		faults = append(faults, fmt.Errorf("solver: state: step %d is negative", s.Step))
	}
	params := make(map[string]*param, len(s.Moments))
	for i, mo := range s.Moments {
		switch _, twice := params[mo.Name]; {
		case mo.Name == "":
			faults = append(faults, fmt.Errorf("solver: state: moment %d has no name", i))
			continue
		case twice:
			faults = append(faults, fmt.Errorf("solver: state: %s: two moments have this name", mo.Name))
			continue
		}
		params[mo.Name] = nil
		if err := mo.validate(); err != nil {
			faults = append(faults, fmt.Errorf("solver: state: %s: %w", mo.Name, err))
			continue
		}
		p := newParam(mo.Shape, a.decays(mo.Name, len(mo.Shape)))
		copy(p.m, mo.M)
		copy(p.v, mo.V)
		params[mo.Name] = &p
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	a.params, a.steps = params, s.Step
	a.learnRate, a.gradNorm = 0, 0
	return nil
}

func (mo Moment) validate() error {
	n := 1
	for _, d := range mo.Shape {
		if d < 1 || n > math.MaxInt/d {
			return fmt.Errorf("shape %v is not a shape", mo.Shape)
		}
		n *= d
	}
	if len(mo.M) != n || len(mo.V) != n {
		return fmt.Errorf("%d first and %d second moments for shape %v, which has %d", len(mo.M), len(mo.V), mo.Shape, n)
	}
	for i := range n {
		if !finite64(float64(mo.M[i])) {
			return fmt.Errorf("first moment %d is %v, not a finite number", i, mo.M[i])
		}
		if v := mo.V[i]; !finite64(float64(v)) || v < 0 {
			return fmt.Errorf("second moment %d is %v, not a finite number of at least 0", i, v)
		}
	}
	return nil
}
