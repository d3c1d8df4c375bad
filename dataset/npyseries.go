package dataset

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// NPYTask says what the second array of an NPY file is.
type NPYTask string

// The values of an NPYTask.
const (
	NPYAuto    NPYTask = ""        // targets if it holds floats, classes otherwise
	NPYClasses NPYTask = "classes" // floats too, if they are whole
	NPYTargets NPYTask = "targets"
)

// NPYOptions name the arrays that go with the values, each with an element or
// a row for each series. One whose Open is nil is not there.
type NPYOptions struct {
	Y       Input // classes: integers, booleans or text; or targets: numbers, [N] or [N, K]
	Lengths Input // [N] integers: steps from the start; what follows them is padding
	Groups  Input // [N] integers or text
	Task    NPYTask
}

// ReadNPY opens arrays that NumPy saved, the values streaming, the rest at once.
//
// Shapes: x [N, T] or [N, T, E], of float32, float64, integers or booleans, row
// by row; NaN is a missing value.
// Errors: FormatError, at once for headers and small arrays, while it is read
// for the values.
func ReadNPY(x Input, o NPYOptions) (*Stream, error) {
	a, err := openNPY(x)
	if err != nil {
		return nil, err
	}
	a.shut()
	if a.isText() {
		return nil, &FormatError{File: x.Name, Saw: "text", Want: "numbers"}
	}
	if len(a.shape) < 2 || len(a.shape) > 3 || slices.Contains(a.shape, 0) {
		return nil, &FormatError{File: x.Name, Saw: fmt.Sprintf("the shape %v", a.shape),
			Want: "series, steps and perhaps channels, [N, T] or [N, T, E], none of them 0"}
	}
	p := &npyParts{x: x, n: a.shape[0], steps: a.shape[1], channels: 1}
	if len(a.shape) == 3 {
		p.channels = a.shape[2]
	}
	if p.channels > npyChannelsMost {
		return nil, &FormatError{File: x.Name, Saw: plural(p.channels, "channel"), Want: fmt.Sprintf("at most %d", npyChannelsMost)}
	}
	s := &Stream{Name: x.base(), Channels: numbered("channel", p.channels), all: p.series}
	if err := p.readY(o, s); err != nil {
		return nil, err
	}
	if p.lengths, err = p.readLengths(o.Lengths); err != nil {
		return nil, err
	}
	p.groups, err = p.readNames(o.Groups)
	return s, err
}

// npyChannelsMost bounds what a header alone can ask memory for.
const npyChannelsMost = 1 << 20

// npyParts are the arrays of a data set, the small ones in memory.
type npyParts struct {
	x                  Input
	n, steps, channels int
	labels, groups     []string
	targets            []float32 // [N, outputs]
	outputs            int
	lengths            []int
}

// openRows opens an array that must have a row for each series.
func (p *npyParts) openRows(in Input, axes int) (*npyArray, error) {
	a, err := openNPY(in)
	if err != nil {
		return nil, err
	}
	if len(a.shape) < 1 || len(a.shape) > axes || a.shape[0] != p.n || slices.Contains(a.shape, 0) {
		a.shut()
		want := fmt.Sprintf("[%d]", p.n)
		if axes == 2 {
			want += fmt.Sprintf(" or [%d, K]", p.n)
		}
		return nil, &FormatError{File: in.Name, Saw: fmt.Sprintf("the shape %v", a.shape), Want: want + " for the series of " + p.x.Name}
	}
	return a, nil
}

// readY reads classes or targets.
func (p *npyParts) readY(o NPYOptions, s *Stream) error {
	if !slices.Contains([]NPYTask{NPYAuto, NPYClasses, NPYTargets}, o.Task) {
		return fmt.Errorf("dataset: %s: task %q, want classes, targets or nothing", p.x.Name, o.Task)
	}
	if o.Y.Open == nil {
		if o.Task != NPYAuto {
			return fmt.Errorf("dataset: %s: task %q without an array of them", p.x.Name, o.Task)
		}
		return nil
	}
	a, err := p.openRows(o.Y, 2)
	if err != nil {
		return err
	}
	defer a.shut()
	isTargets := o.Task == NPYTargets || (o.Task == NPYAuto && a.kind == 'f')
	if isTargets && a.isText() {
		return &FormatError{File: o.Y.Name, Saw: "text", Want: "numbers to learn"}
	}
	p.outputs = a.elements() / p.n
	if !isTargets {
		if p.outputs != 1 {
			return &FormatError{File: o.Y.Name, Saw: fmt.Sprintf("the shape %v", a.shape),
				Want: fmt.Sprintf("[%d]: one class for each series; or the task targets", p.n)}
		}
		if p.labels, err = p.readClasses(a); err != nil {
			return err
		}
		return a.end()
	}
	if o.Task == NPYAuto {
		s.Notes = append(s.Notes, "y holds floats: they are targets, not classes")
	}
	if p.targets, err = a.floats(a.elements()); err != nil {
		return err
	}
	if i := slices.IndexFunc(p.targets, func(v float32) bool { return v != v }); i >= 0 {
		return a.notFinite(i, float64(nan))
	}
	s.Outputs = p.outputs
	return a.end()
}

// readClasses reads names, or floats that are whole.
func (p *npyParts) readClasses(a *npyArray) ([]string, error) {
	if a.kind != 'f' {
		return a.names(p.n)
	}
	values, err := a.floats(p.n)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(values))
	for i, v := range values {
		if v != float32(int32(v)) {
			return nil, &FormatError{File: a.in.Name, Part: fmt.Sprintf("element [%d]", i), Saw: fmt.Sprint(v), Want: "a class: a whole number"}
		}
		out[i] = fmt.Sprint(int32(v))
	}
	return out, nil
}

func (p *npyParts) readLengths(in Input) ([]int, error) {
	if in.Open == nil {
		return nil, nil
	}
	a, err := p.openRows(in, 1)
	if err != nil {
		return nil, err
	}
	defer a.shut()
	if !a.isInteger() || a.kind == 'b' {
		return nil, &FormatError{File: in.Name, Saw: "elements of type " + a.dtype(), Want: "integers"}
	}
	var out []int
	err = a.integers(p.n, func(i int, text string, v float64) error {
		if v < 1 || v > float64(p.steps) {
			return &FormatError{File: in.Name, Part: fmt.Sprintf("element [%d]", i), Saw: text, Want: fmt.Sprintf("1 to %d steps", p.steps)}
		}
		out = append(out, int(v))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, a.end()
}

func (p *npyParts) readNames(in Input) ([]string, error) {
	if in.Open == nil {
		return nil, nil
	}
	a, err := p.openRows(in, 1)
	if err != nil {
		return nil, err
	}
	defer a.shut()
	if a.kind == 'f' {
		return nil, &FormatError{File: in.Name, Saw: "elements of type " + a.dtype(), Want: "integers or text"}
	}
	out, err := a.names(p.n)
	if err != nil {
		return nil, err
	}
	return out, a.end()
}

// series reads the values for each range.
func (p *npyParts) series(yield func(Series, error) bool) {
	for one, err := range p.values() {
		if !yield(one, err) {
			return
		}
	}
}

func (p *npyParts) values() iter.Seq2[Series, error] {
	return func(yield func(Series, error) bool) {
		a, err := openNPY(p.x)
		if err != nil {
			yield(Series{}, err)
			return
		}
		defer a.shut()
		if a.isText() || a.elements() != p.n*p.steps*p.channels {
			yield(Series{}, p.x.fault(errors.New("the file has changed since it was opened")))
			return
		}
		for i := range p.n {
			one, err := p.next(a, i)
			if !yield(one, err) || err != nil {
				return
			}
		}
		if err := a.end(); err != nil {
			yield(Series{}, err)
		}
	}
}

func (p *npyParts) next(a *npyArray, i int) (Series, error) {
	one := Series{Steps: p.steps, Where: fmt.Sprintf("%s[%d]", p.x.Name, i)}
	var err error
	if one.Values, err = a.floats(p.steps * p.channels); err != nil {
		return one, err
	}
	if p.lengths != nil {
		one.Steps = p.lengths[i]
		one.Values = slices.Clip(one.Values[:one.Steps*p.channels])
	}
	if p.labels != nil {
		one.Label = p.labels[i]
	}
	if p.groups != nil {
		one.Group = p.groups[i]
	}
	if p.targets != nil {
		one.Targets = slices.Clone(p.targets[i*p.outputs : (i+1)*p.outputs])
	}
	return one, nil
}
