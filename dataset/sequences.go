package dataset

import (
	"errors"
	"fmt"
	"slices"
)

// Sequences is what a model trains on: sequences of its own window, zeros in
// front of those that are shorter, with classes or targets.
//
// Shapes: Values [N, Steps, Channels], row-major; Lengths, Labels, Groups [N];
// Targets [N, Outputs].
type Sequences struct {
	Name     string
	Steps    int // T
	Channels int // E, the features of each step
	Outputs  int // K; 0 with classes
	Values   []float32
	Lengths  []int     // steps that are the sequence's own, at its end: 1 to Steps
	Classes  []string  // nil with targets
	Labels   []int     // indices into Classes; nil with targets
	Targets  []float32 // in the units of the data; nil with classes
	Groups   []string  // nil if there are none
}

// Sequences runs p over the collection. The labels are numbered by classes: the
// training data's, also for its test data.
//
// Errors: no series; a series with other channels; a class that classes does not
// have, with its place in the file.
func (c *Collection) Sequences(p *Preprocess, classes []string) (*Sequences, error) {
	if c.Len() == 0 {
		return nil, fmt.Errorf("dataset: %s: %w", c.Name, errNoSeries)
	}
	if len(c.Channels) != len(p.Channels) {
		return nil, fmt.Errorf("dataset: %s: %s, want %d as the training data has", c.Name, plural(len(c.Channels), "channel"), len(p.Channels))
	}
	size := p.Window * p.Features()
	s := &Sequences{Name: c.Name, Steps: p.Window, Channels: p.Features(), Outputs: c.Outputs}
	if s.Outputs == 0 && len(classes) > 0 {
		s.Classes = slices.Clone(classes)
	}
	number := make(map[string]int, len(classes))
	for i, name := range classes {
		number[name] = i
	}
	s.Values = make([]float32, c.Len()*size)
	for i, one := range c.Series {
		n, err := p.ApplyPadded(s.Values[i*size:(i+1)*size], one.Values, one.Steps)
		if err != nil {
			return nil, fmt.Errorf("%w (%s)", err, one.Where)
		}
		s.Lengths = append(s.Lengths, n)
		if s.Classes != nil {
			label, ok := number[one.Label]
			if !ok {
				return nil, fmt.Errorf("dataset: %s: class %q, want one of %s", one.Where, one.Label, listed(classes))
			}
			s.Labels = append(s.Labels, label)
		}
		if len(one.Targets) != s.Outputs {
			return nil, fmt.Errorf("dataset: %s: %s, want %d", one.Where, plural(len(one.Targets), "target"), s.Outputs)
		}
		s.Targets = append(s.Targets, one.Targets...)
		if one.Group != "" {
			s.Groups = append(s.Groups, one.Group)
		}
	}
	return s, s.Validate()
}

// Len returns the number of sequences, N.
func (s *Sequences) Len() int { return len(s.Lengths) }

// At returns sequence i as a view, with the zeros before it.
//
// Shapes: [Steps, Channels].
func (s *Sequences) At(i int) []float32 {
	size := s.Steps * s.Channels
	return s.Values[i*size : (i+1)*size : (i+1)*size]
}

// Subset copies the sequences at indices, in that order. An index may come more
// than once.
//
// Errors: no indices, or one outside 0..Len()-1.
func (s *Sequences) Subset(indices []int) (*Sequences, error) {
	if len(indices) == 0 {
		return nil, s.fault("a subset of no sequences, want 1 or more")
	}
	out := *s
	out.Classes = slices.Clone(s.Classes)
	out.Values, out.Lengths, out.Labels, out.Targets, out.Groups = nil, nil, nil, nil, nil
	for k, i := range indices {
		if i < 0 || i >= s.Len() {
			return nil, s.fault("indices[%d] is %d, want 0 to %d", k, i, s.Len()-1)
		}
		out.Values = append(out.Values, s.At(i)...)
		out.Lengths = append(out.Lengths, s.Lengths[i])
		out.Targets = append(out.Targets, s.Targets[i*s.Outputs:(i+1)*s.Outputs]...)
		if s.Labels != nil {
			out.Labels = append(out.Labels, s.Labels[i])
		}
		if s.Groups != nil {
			out.Groups = append(out.Groups, s.Groups[i])
		}
	}
	return &out, nil
}

// Batch copies the sequences at indices into a batch.
//
// Shapes: values [len(indices), Steps, Channels]; lengths [len(indices)].
// Errors: lengths that do not fit; it panics on an index outside 0..Len()-1.
func (s *Sequences) Batch(values, lengths []float32, indices []int) error {
	size := s.Steps * s.Channels
	if len(values) != len(indices)*size || len(lengths) != len(indices) {
		return s.fault("room for %d values and %d lengths, want %d and %d", len(values), len(lengths), len(indices)*size, len(indices))
	}
	for k, i := range indices {
		copy(values[k*size:(k+1)*size], s.At(i))
		lengths[k] = float32(s.Lengths[i])
	}
	return nil
}

// Set is the labelled sequences. It shares nothing with s.
//
// Errors: targets, or no classes.
func (s *Sequences) Set() (*Set, error) {
	if s.Labels == nil {
		return nil, s.fault("no classes: a Set has them")
	}
	set := &Set{
		Name: s.Name, Steps: s.Steps, Channels: s.Channels, Classes: slices.Clone(s.Classes),
		Values: slices.Clone(s.Values), Labels: slices.Clone(s.Labels),
	}
	if slices.ContainsFunc(s.Lengths, func(n int) bool { return n != s.Steps }) {
		set.Lengths = slices.Clone(s.Lengths)
	}
	return set, set.Validate()
}

// SequencesOf is a Set with the lengths that it leaves unsaid. It shares the
// values.
func SequencesOf(set *Set) *Sequences {
	s := &Sequences{
		Name: set.Name, Steps: set.Steps, Channels: set.Channels, Values: set.Values,
		Lengths: set.Lengths, Classes: set.Classes, Labels: set.Labels,
	}
	if s.Lengths == nil {
		s.Lengths = slices.Repeat([]int{set.Steps}, set.Len())
	}
	return s
}

// Validate reports every kind of fault that s has, joined.
func (s *Sequences) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, s.fault(format, args...)) }
	n := s.Len()
	if n < 1 || s.Steps < 1 || s.Channels < 1 || s.Outputs < 0 {
		fault("%d sequences of %d steps and %d channels, want 1 or more of each", n, s.Steps, s.Channels)
		return faults[0]
	}
	if len(s.Values)%n != 0 || len(s.Values)/n%s.Steps != 0 || len(s.Values)/n/s.Steps != s.Channels {
		fault("%d values, want %d sequences x %d steps x %d channels", len(s.Values), n, s.Steps, s.Channels)
	}
	if i := slices.IndexFunc(s.Lengths, func(n int) bool { return n < 1 || n > s.Steps }); i >= 0 {
		fault("sequence %d has %d steps, want 1 to %d", i, s.Lengths[i], s.Steps)
	}
	if i := slices.IndexFunc(s.Values, notFinite); i >= 0 {
		fault("value %d is %v, want a finite value%s", i, s.Values[i], andMore(s.Values, notFinite))
	}
	if len(s.Targets)%n != 0 || len(s.Targets)/n != s.Outputs {
		fault("%d targets, want %d sequences x %d", len(s.Targets), n, s.Outputs)
	}
	if i := slices.IndexFunc(s.Targets, notFinite); i >= 0 {
		fault("target %d is %v, want a finite value", i, s.Targets[i])
	}
	if s.Groups != nil && len(s.Groups) != n {
		fault("%d groups, want %d or none", len(s.Groups), n)
	}
	if s.Labels == nil {
		return errors.Join(faults...)
	}
	if len(s.Labels) != n || s.Outputs > 0 {
		fault("%d labels and %d outputs, want %d labels or outputs", len(s.Labels), s.Outputs, n)
	}
	if i := slices.IndexFunc(s.Labels, func(l int) bool { return l < 0 || l >= len(s.Classes) }); i >= 0 {
		fault("label of sequence %d is %d, want 0 to %d", i, s.Labels[i], len(s.Classes)-1)
	}
	return errors.Join(faults...)
}

func (s *Sequences) fault(format string, args ...any) error {
	return fmt.Errorf("dataset: %s: %w", s.Name, fmt.Errorf(format, args...))
}
