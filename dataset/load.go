package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/qat-go/qat/preprocess"
)

// part is the series of one part of a source.
type part struct {
	*Stream
	n int
	// held says that the series are in memory; else each range reads the files.
	held bool
}

// reading is files on their way to parts.
type reading struct {
	Source
	by    SplitBy // as it was split
	notes []string

	missing bool // some values of some files are
}

// note keeps what was not said before: training and test files are read alike.
func (r *reading) note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(r.notes, n) {
			r.notes = append(r.notes, n)
		}
	}
}

// The reasons why files cannot be trained on that a caller may want to explain by its
// own words.
var (
	ErrNothingToLearn = errors.New("the series have neither classes nor targets")
	ErrNumbers        = errors.New("the classes are numbers")
)

// opened is files that were read once.
type opened struct {
	*Stream
	index *Index
	held  bool
	pick  func(indices []int) *Stream
}

// part is the series at indices.
func (o *opened) part(indices []int) *part { return &part{o.pick(indices), len(indices), o.held} }

// loadFiles reads, splits and prepares files. The scaling is the training part's.
func (s Source) loadFiles() (Parts, error) {
	r := &reading{Source: s}
	train, validation, test, classes, err := r.split()
	if err != nil {
		return Parts{}, err
	}
	if train.Outputs == 0 {
		if err := judgeClasses(classes, train.n); err != nil {
			return Parts{}, fmt.Errorf("dataset: %s: %w", train.Name, err)
		}
	}
	p, err := FitPreprocess(s.Prepare, train.Channels, train.All())
	if err != nil {
		return Parts{}, err
	}
	p.Missing = r.missing // also where they are of the test part alone
	if p.Hop > p.Frame {
		r.note(fmt.Sprintf("frames of %s, one every %d: the %d between are read by none", plural(p.Frame, "step"), p.Hop, p.Hop-p.Frame))
	}
	parts := Parts{Preprocess: p, Split: r.by}
	for _, one := range []struct {
		to   *Data
		from *part
		name string
	}{{&parts.Train, train, "training"}, {&parts.Validation, validation, "validation"}, {&parts.Test, test, "test"}} {
		if one.from == nil {
			continue
		}
		if *one.to, err = r.data(p, *one.from, classes, one.name); err != nil {
			return Parts{}, err
		}
	}
	parts.Notes = r.notes
	return parts, nil
}

// judgeClasses refuses what cannot be learnt, or is no class.
func judgeClasses(classes []string, series int) error {
	switch len(classes) {
	case 0:
		return fmt.Errorf("%w: name the column of one", ErrNothingToLearn)
	case 1:
		return fmt.Errorf("the only class is %s, want 2 or more", classes[0])
	}
	numbers, whole := true, true
	for _, c := range classes {
		x, err := strconv.ParseFloat(c, 64)
		numbers, whole = numbers && err == nil, whole && x == math.Trunc(x)
	}
	if numbers && !whole && 2*len(classes) > series {
		return fmt.Errorf("%w, %d different ones such as %s in %s to train on: name the column as a target", ErrNumbers, len(classes), classes[0], plural(series, "series"))
	}
	return nil
}

// data makes a part into what a model reads, in memory if it fits.
func (r *reading) data(p *preprocess.Pipeline, of part, classes []string, name string) (Data, error) {
	size := 4 * int64(p.Window) * int64(p.Features())
	buffer := max(1, int(min(r.memory()/size, int64(of.n))))
	d, err := NewStreamed(p, of.Stream, of.n, classes, buffer)
	if err != nil {
		return nil, err
	}
	if of.held && buffer == of.n {
		return d.Set()
	}
	shuffled := ""
	if name == "training" {
		shuffled = fmt.Sprintf(", shuffled among %d of %d series at a time", buffer, of.n)
	}
	r.note(fmt.Sprintf("the %s part is read from its files each time%s: it is larger than the %d MiB to be held", name, shuffled, r.memory()>>20))
	return d, nil
}

func (r *reading) memory() int64 {
	if r.Memory == 0 {
		return MemoryDefault
	}
	return r.Memory
}

// split reads the files and parts them; validation may be nil.
func (r *reading) split() (train, validation, test *part, classes []string, err error) {
	all, err := r.read(r.Files)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	o := SplitOptions{Test: r.TestFraction, Validation: r.ValidationFraction * (1 - r.TestFraction), Seed: r.Seed, LeakOverlaps: r.LeakOverlaps}
	if r.Split != SplitAuto {
		o.By = SplitBy(r.Split)
	}
	if len(r.Test) > 0 {
		o.Test, o.Validation = 0, r.ValidationFraction
	}
	partition, err := all.index.Split(o)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	r.by = partition.By
	r.note(partition.Notes...)
	if all.Outputs == 0 {
		if classes = all.Classes; classes == nil {
			classes = all.index.classes()
		}
	}
	train = all.part(partition.Train)
	if len(partition.Validation) > 0 {
		validation = all.part(partition.Validation)
	}
	if len(r.Test) == 0 {
		return train, validation, all.part(partition.Test), classes, nil
	}
	own, err := r.read(r.Test)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if own.Outputs != all.Outputs {
		return nil, nil, nil, nil, fmt.Errorf("dataset: %s: saw %s, want %s as the training data has", own.Name, learnt(own.Outputs), learnt(all.Outputs))
	}
	if err := r.leak(all, own); err != nil {
		return nil, nil, nil, nil, err
	}
	return train, validation, &part{own.Stream, own.index.Len(), own.held}, classes, nil
}

// learnt is what series with so many targets are for.
func learnt(outputs int) string {
	if outputs == 0 {
		return "classes"
	}
	return plural(outputs, "target")
}

// read opens files: into memory if they fit, else an index of them alone.
func (r *reading) read(files []string) (*opened, error) {
	stream, err := r.Open(files)
	if err != nil {
		return nil, err
	}
	r.note(stream.Notes...)
	c, err := collect(stream, r.memory())
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, err
	}
	o := &opened{Stream: stream, pick: stream.Pick}
	if held := err == nil; held {
		o = &opened{Stream: c.stream(), held: true, pick: c.pick}
		o.index, err = c.Index()
	} else {
		o.index, err = NewIndex(stream)
	}
	if err != nil {
		return nil, err
	}
	r.note(skippedNotes(stream.Skipped())...)
	r.note(o.index.missingNotes()...)
	r.missing = r.missing || o.index.missing > 0
	return o, nil
}

// pick is the stream of the series at indices.
func (c *Collection) pick(indices []int) *Stream {
	some := *c
	some.Series = make([]Series, 0, len(indices))
	for _, i := range indices {
		some.Series = append(some.Series, c.Series[i])
	}
	return some.stream()
}

// skippedNotes tell what a recording's reader left out.
func skippedNotes(s Skipped) (notes []string) {
	if s.Unlabelled > 0 {
		notes = append(notes, fmt.Sprintf("%s without a label or target left out", plural(s.Unlabelled, "window")))
	}
	if s.Short > 0 {
		notes = append(notes, fmt.Sprintf("%s too short for a window left out", plural(s.Short, "unbroken run")))
	}
	if s.Returns > 0 {
		notes = append(notes, fmt.Sprintf("a group comes back after another %s, which no window crosses: rows of several at a time want to be sorted by group, then by time", plural(s.Returns, "time")))
	}
	return notes
}
