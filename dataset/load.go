package dataset

import (
	"errors"
	"fmt"

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
	notes []string
}

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
	switch {
	case train.Outputs == 0 && len(classes) == 0:
		return Parts{}, fmt.Errorf("dataset: %s: the series have neither classes nor targets: name the column of one", train.Name)
	case train.Outputs == 0 && len(classes) < 2:
		return Parts{}, fmt.Errorf("dataset: %s: %d class in the training part, want 2 or more", train.Name, len(classes))
	}
	p, err := FitPreprocess(s.Prepare, train.Channels, train.All())
	if err != nil {
		return Parts{}, err
	}
	parts := Parts{Preprocess: p}
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
	r.notes = append(r.notes, fmt.Sprintf("the %s part is read from its files each time%s: it is larger than the %d MiB to be held", name, shuffled, r.memory()>>20))
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
	r.notes = append(r.notes, partition.Notes...)
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
		return nil, nil, nil, nil, fmt.Errorf("dataset: %s: %s, want %d as the training data has", own.Name, plural(own.Outputs, "target"), all.Outputs)
	}
	return train, validation, &part{own.Stream, own.index.Len(), own.held}, classes, nil
}

// read opens files: into memory if they fit, else an index of them alone.
func (r *reading) read(files []string) (*opened, error) {
	stream, err := r.Open(files)
	if err != nil {
		return nil, err
	}
	r.notes = append(r.notes, stream.Notes...)
	c, err := collect(stream, r.memory())
	if errors.Is(err, errTooLarge) {
		index, err := NewIndex(stream)
		r.notes = append(r.notes, skippedNotes(stream.Skipped())...)
		return &opened{stream, index, false, stream.Pick}, err
	}
	if err != nil {
		return nil, err
	}
	r.notes = append(r.notes, skippedNotes(c.Skipped)...)
	index, err := c.Index()
	return &opened{c.stream(), index, true, c.pick}, err
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
	return notes
}
