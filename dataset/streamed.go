package dataset

import (
	"fmt"
	"iter"
	"slices"

	"github.com/qat-go/qat/preprocess"
)

// Streamed is data that is read from its files anew for each epoch, so that it may
// be larger than memory: no more is held than a shuffle buffer.
type Streamed struct {
	facts  Facts
	stream *Stream
	number map[string]int // of each class
	buffer int            // series
}

// NewStreamed makes Data of a stream, which has n series. Shuffled epochs go through a
// buffer of so many series: their order is a full shuffle only if it holds all.
//
// Errors: a stream that does not fit p, or no series.
func NewStreamed(p *preprocess.Pipeline, s *Stream, n int, classes []string, buffer int) (*Streamed, error) {
	if n < 1 {
		return nil, fmt.Errorf("dataset: %s: %w", s.Name, errNoSeries)
	}
	if len(s.Channels) != len(p.Channels) {
		return nil, fmt.Errorf("dataset: %s: %s, want %d as the training data has", s.Name, plural(len(s.Channels), "channel"), len(p.Channels))
	}
	d := &Streamed{stream: s, number: map[string]int{}, buffer: max(buffer, 1)}
	// A series may be shorter than the window: that is seen only when it is read.
	d.facts = Facts{Name: s.Name, N: n, Steps: p.Window, Channels: p.Features(), Outputs: s.Outputs, Uneven: s.Window == 0 || p.Steps(s.Window) < p.Window, LastStep: s.LastStep, Pipeline: p}
	if s.Outputs == 0 {
		d.facts.Classes = slices.Clone(classes)
		for i, name := range classes {
			d.number[name] = i
		}
	}
	return d, nil
}

// Len is Data's.
func (d *Streamed) Len() int { return d.facts.N }

// Facts is Data's.
func (d *Streamed) Facts() Facts { return d.facts }

// Buffer is how many series are shuffled at a time.
func (d *Streamed) Buffer() int { return d.buffer }

// Sum reads everything once.
func (d *Streamed) Sum() (string, error) { return sumOf(d) }

// Epoch reads the files. A number of series that has changed is an error, at the
// end.
func (d *Streamed) Epoch(seed uint64, epoch int) iter.Seq2[Example, error] {
	return func(yield func(Example, error) bool) {
		all := d.stream.All()
		if epoch != 0 {
			all = ShuffleBuffer(all, d.buffer, seed, epoch)
		}
		values := make([]float32, d.facts.Steps*d.facts.Channels)
		n := 0
		for one, err := range all {
			if err != nil {
				yield(Example{}, err)
				return
			}
			if n++; n > d.facts.N {
				break
			}
			e, err := d.example(values, one)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if n != d.facts.N {
			yield(Example{}, fmt.Errorf("dataset: %s has changed while it was read: %s, had %d", d.facts.Name, plural(n, "series"), d.facts.N))
		}
	}
}

// example writes what the model reads of one series to values.
func (d *Streamed) example(values []float32, one Series) (e Example, err error) {
	e.Values, e.Recorded = values, one.Values
	if e.Length, err = d.facts.Pipeline.ApplyPadded(values, one.Values, one.Steps); err != nil {
		return e, fmt.Errorf("%w (%s)", err, one.Where)
	}
	if d.facts.Outputs > 0 {
		if len(one.Targets) != d.facts.Outputs {
			return e, fmt.Errorf("dataset: %s: %s, want %d", one.Where, plural(len(one.Targets), "target"), d.facts.Outputs)
		}
		e.Targets = one.Targets
		return e, nil
	}
	label, ok := d.number[one.Label]
	if !ok {
		return e, fmt.Errorf("dataset: %s: class %q, want one of %s", one.Where, one.Label, listed(d.facts.Classes))
	}
	e.Label = label
	return e, nil
}

// Set reads all of it into memory.
func (d *Streamed) Set() (*Set, error) {
	f := d.facts
	s := &Set{Name: f.Name, Steps: f.Steps, Channels: f.Channels, Classes: f.Classes, Outputs: f.Outputs, LastStep: f.LastStep, Pipeline: f.Pipeline}
	s.Values = make([]float32, 0, f.N*f.Steps*f.Channels)
	s.Lengths = make([]int, 0, f.N)
	uneven := false
	for e, err := range d.Epoch(0, 0) {
		if err != nil {
			return nil, err
		}
		s.Values = append(s.Values, e.Values...)
		s.Lengths = append(s.Lengths, e.Length)
		s.Recorded = append(s.Recorded, e.Recorded)
		uneven = uneven || e.Length != f.Steps
		if f.Outputs > 0 {
			s.Targets = append(s.Targets, e.Targets...)
		} else {
			s.Labels = append(s.Labels, e.Label)
		}
	}
	if !uneven {
		s.Lengths = nil
	}
	return s, s.Validate()
}
