// Package dataset holds sequences with classes or targets: readers of files, splits,
// preprocessing, and one small real data set embedded in the binary.
//
// A reader gives a Stream of Series as they were recorded; a preprocess.Pipeline makes of
// them what a model reads: a Set in memory, or a Streamed one that reads its files
// anew for each epoch. Both are Data, which is what a trainer takes.
//
// Letters in comments: N sequences, T steps, E channels, C classes, K outputs.
package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/qat-go/qat/preprocess"
)

// Set is sequences in memory, with classes or, for a regression, with targets.
// Those that are shorter than Steps have zeros in front, and Lengths say how many
// steps are their own.
//
// Shapes: Values [N, Steps, Channels], row-major; Labels, Lengths [N]; Targets
// [N, Outputs].
type Set struct {
	Name     string
	Steps    int // T
	Channels int // E
	Values   []float32
	Lengths  []int // 1 to Steps; nil: each has Steps
	LastStep bool  // class or targets belong to the last step, or come after it

	// Recorded is what Pipeline made the values of, by sequence; both nil where the
	// values came as they are.
	Recorded [][]float32
	Pipeline *preprocess.Pipeline

	Classes []string // the names of the classes, by label; nil with targets
	Labels  []int    // indices into Classes; nil with targets

	Outputs int       // K; 0 with classes
	Targets []float32 // in the units of the data; nil with classes
}

// Len returns the number of sequences, N.
func (s *Set) Len() int {
	if s.Outputs > 0 {
		return len(s.Targets) / s.Outputs
	}
	return len(s.Labels)
}

// At returns sequence i as a view: writing to it writes to the set.
//
// Shapes: [Steps, Channels], row-major.
// Errors: panics, as an index does, if i is outside 0..Len()-1.
func (s *Set) At(i int) []float32 {
	size := s.Steps * s.Channels
	values := s.Values[:len(s.Values):len(s.Values)] // a slice may reach past its length
	return values[i*size : (i+1)*size : (i+1)*size]
}

// Subset copies the sequences at indices, in that order, into a new set.
// An index may come more than once.
//
// Errors: an invalid set, no indices, or an index outside 0..Len()-1.
func (s *Set) Subset(indices []int) (*Set, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(indices) == 0 {
		return nil, s.fault("a subset of no sequences, want 1 or more")
	}
	for k, i := range indices {
		if i < 0 || i >= s.Len() {
			return nil, s.fault("indices[%d] is %d, want 0 to %d", k, i, s.Len()-1)
		}
	}
	return s.pick(indices), nil
}

// pick is Subset without its checks.
func (s *Set) pick(indices []int) *Set {
	size := s.Steps * s.Channels
	out := &Set{
		Name:     s.Name,
		Steps:    s.Steps,
		Channels: s.Channels,
		Classes:  slices.Clone(s.Classes),
		Values:   make([]float32, 0, len(indices)*size),
		Outputs:  s.Outputs,
		LastStep: s.LastStep,
		Pipeline: s.Pipeline,
	}
	for _, i := range indices {
		out.Values = append(out.Values, s.At(i)...)
		if s.Outputs > 0 {
			out.Targets = append(out.Targets, s.Targets[i*s.Outputs:(i+1)*s.Outputs]...)
		} else {
			out.Labels = append(out.Labels, s.Labels[i])
		}
		if s.Lengths != nil {
			out.Lengths = append(out.Lengths, s.Lengths[i])
		}
		if s.Recorded != nil {
			out.Recorded = append(out.Recorded, s.Recorded[i])
		}
	}
	return out
}

// clone copies the set.
func (s *Set) clone() *Set {
	out := *s
	out.Classes = slices.Clone(s.Classes)
	out.Values = slices.Clone(s.Values)
	out.Labels = slices.Clone(s.Labels)
	out.Lengths = slices.Clone(s.Lengths)
	out.Targets = slices.Clone(s.Targets)
	return &out
}

// Validate reports every kind of fault the set has, joined. A fault that many
// labels or values share is reported once, with the first place and the count.
//
// A valid set has 1 or more sequences, steps and channels, finite values of the
// length that N, Steps and Channels say, and either 1 or more classes with
// distinct names and labels within them, or finite targets.
func (s *Set) Validate() error {
	if s == nil {
		return errors.New("dataset: the set is nil")
	}
	errs := []error{s.validateSizes(), s.validateValues(), s.validateLengths(), s.validateRecorded()}
	if s.Outputs != 0 {
		return errors.Join(append(errs, s.validateTargets())...)
	}
	return errors.Join(append(errs, s.validateClasses(), s.validateLabels())...)
}

func (s *Set) validateTargets() error {
	var faults []error
	if s.Outputs < 0 {
		return s.fault("%d outputs, want 0 or more", s.Outputs)
	}
	if len(s.Targets)%s.Outputs != 0 {
		faults = append(faults, s.fault("%d targets, want %d of each sequence", len(s.Targets), s.Outputs))
	}
	if i := slices.IndexFunc(s.Targets, notFinite); i >= 0 {
		faults = append(faults, s.fault("target %d of sequence %d is %v, want a finite value%s",
			i%s.Outputs, i/s.Outputs, s.Targets[i], andMore(s.Targets, notFinite)))
	}
	if len(s.Classes)+len(s.Labels) > 0 {
		faults = append(faults, s.fault("classes beside targets, want one of them"))
	}
	return errors.Join(faults...)
}

func (s *Set) validateSizes() error {
	var faults []error
	if s.Steps < 1 {
		faults = append(faults, s.fault("%d steps, want 1 or more", s.Steps))
	}
	if s.Channels < 1 {
		faults = append(faults, s.fault("%d channels, want 1 or more", s.Channels))
	}
	if s.Len() == 0 {
		faults = append(faults, s.fault("no sequences, want 1 or more"))
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	// By division, for the product may overflow.
	n := len(s.Values)
	if n%s.Steps != 0 || n/s.Steps%s.Channels != 0 || n/s.Steps/s.Channels != s.Len() {
		return s.fault("%d values, want %d sequences x %d steps x %d channels",
			n, s.Len(), s.Steps, s.Channels)
	}
	return nil
}

func (s *Set) validateClasses() error {
	if len(s.Classes) == 0 {
		return s.fault("no classes, want 1 or more")
	}
	var faults []error
	first := make(map[string]int, len(s.Classes))
	for i, name := range s.Classes {
		if name == "" {
			faults = append(faults, s.fault("class %d has no name", i))
			continue
		}
		if j, ok := first[name]; ok {
			faults = append(faults, s.fault("classes %d and %d are both named %q", j, i, name))
			continue
		}
		first[name] = i
	}
	return errors.Join(faults...)
}

func (s *Set) validateLabels() error {
	if len(s.Classes) == 0 {
		return nil // reported as that
	}
	outside := func(label int) bool { return label < 0 || label >= len(s.Classes) }
	i := slices.IndexFunc(s.Labels, outside)
	if i < 0 {
		return nil
	}
	return s.fault("label of sequence %d is %d, want 0 to %d%s",
		i, s.Labels[i], len(s.Classes)-1, andMore(s.Labels, outside))
}

func (s *Set) validateLengths() error {
	if s.Lengths == nil {
		return nil
	}
	if len(s.Lengths) != s.Len() {
		return s.fault("%d lengths, want %d or none", len(s.Lengths), s.Len())
	}
	outside := func(n int) bool { return n < 1 || n > s.Steps }
	if i := slices.IndexFunc(s.Lengths, outside); i >= 0 {
		return s.fault("sequence %d has %d steps, want 1 to %d%s", i, s.Lengths[i], s.Steps, andMore(s.Lengths, outside))
	}
	return nil
}

func (s *Set) validateRecorded() error {
	if (s.Recorded == nil) != (s.Pipeline == nil) {
		return s.fault("what was recorded and its pipeline go together, want both or none")
	}
	if s.Recorded != nil && len(s.Recorded) != s.Len() {
		return s.fault("%d recorded series, want %d or none", len(s.Recorded), s.Len())
	}
	return nil
}

func (s *Set) validateValues() error {
	i := slices.IndexFunc(s.Values, notFinite)
	if i < 0 {
		return nil
	}
	where := fmt.Sprintf("value %d", i)
	if s.Steps > 0 && s.Channels > 0 {
		row := i / s.Channels
		where = fmt.Sprintf("sequence %d, step %d, channel %d", row/s.Steps, row%s.Steps, i%s.Channels)
	}
	return s.fault("%s is %v, want a finite value%s", where, s.Values[i], andMore(s.Values, notFinite))
}

func notFinite(v float32) bool {
	return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
}

// andMore says how many elements besides the first are bad, if any.
func andMore[T any](all []T, bad func(T) bool) string {
	n := -1
	for _, v := range all {
		if bad(v) {
			n++
		}
	}
	if n < 1 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// fault is an error that begins with the package and the set's name.
func (s *Set) fault(format string, args ...any) error {
	name := s.Name
	if name == "" {
		name = "unnamed set"
	}
	return fmt.Errorf("dataset: %s: %w", name, fmt.Errorf(format, args...))
}
