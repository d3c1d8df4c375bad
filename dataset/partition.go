package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// SplitBy says what a split keeps together.
type SplitBy string

// The values of a SplitBy.
const (
	SplitByAuto   SplitBy = ""       // by group if there are groups, else by series
	SplitBySeries SplitBy = "series" // each series for itself, every class shared out alike
	SplitByGroup  SplitBy = "group"  // all series of a subject or session
	SplitByTime   SplitBy = "time"   // the file's order: train, then validation, then test
)

// SplitOptions say how data is divided. A part whose fraction is 0 is empty.
type SplitOptions struct {
	Test       float64 // share of all series
	Validation float64 // share of all series
	Seed       uint64
	By         SplitBy
	// LeakOverlaps lets a split by series put windows that share steps into
	// different parts, so that what is measured is partly memory.
	LeakOverlaps bool
}

func (o SplitOptions) validate(x *Index) error {
	var faults []error
	for _, f := range []struct {
		name  string
		value float64
	}{{"test", o.Test}, {"validation", o.Validation}} {
		if !(f.value >= 0 && f.value < 1) { // NaN fails too
			faults = append(faults, x.fault("%s fraction %v, want 0 or more and less than 1", f.name, f.value))
		}
	}
	if len(faults) == 0 && o.Test+o.Validation > 1-countSlack {
		faults = append(faults, x.fault("test fraction %v and validation fraction %v leave nothing to train on", o.Test, o.Validation))
	}
	if !slices.Contains([]SplitBy{SplitByAuto, SplitBySeries, SplitByGroup, SplitByTime}, o.By) {
		faults = append(faults, x.fault("split by %q, want series, group, time or nothing", o.By))
	}
	return errors.Join(faults...)
}

// parts is how many are not empty.
func (o SplitOptions) parts() int {
	n := 1
	for _, f := range []float64{o.Test, o.Validation} {
		if f > 0 {
			n++
		}
	}
	return n
}

// Partition lists the numbers of the series of each part, ascending.
type Partition struct {
	Train, Validation, Test []int

	By    SplitBy  // as it was done
	Notes []string // what should be known of it: a class without training series
}

// The reasons to refuse a split that a caller may want to explain by its own words.
var (
	ErrOverlap  = errors.New("windows overlap")
	ErrNoGroups = errors.New("no series has a group")
)

// Split divides the series. It is a pure function of the index and o.
//
// Errors: fractions that make an empty part; by group, fewer groups than parts;
// by series, overlapping windows, unless o.LeakOverlaps.
func (x *Index) Split(o SplitOptions) (*Partition, error) {
	if err := o.validate(x); err != nil {
		return nil, err
	}
	if o.By == SplitByAuto {
		o.By = SplitBySeries
		if x.Groups != nil {
			o.By = SplitByGroup
		}
	}
	if n := o.parts(); n > x.n {
		return nil, x.fault("%s cannot make %d parts", plural(x.n, "series"), n)
	}
	parts := &Partition{By: o.By}
	var err error
	switch {
	case o.parts() == 1:
		parts.Train = orderOf(x.n)
	case o.By == SplitByGroup:
		err = x.splitGroups(parts, o)
	case o.By == SplitByTime:
		err = x.splitTime(parts, o)
	case x.overlaps() && !o.LeakOverlaps:
		reach := fmt.Sprintf("window %d", x.Window)
		if x.Horizon > 0 {
			reach += fmt.Sprintf(" + horizon %d", x.Horizon)
		}
		err = x.fault("%w (stride %d is less than %s), so a split by series puts nearly the same window "+
			"into two parts: split by group or by time, or set a stride of %d or more, or allow the leak by name",
			ErrOverlap, x.Stride, reach, x.Window+x.Horizon)
	default:
		err = x.splitSeries(parts, o)
	}
	if err != nil {
		return nil, err
	}
	for _, part := range [][]int{parts.Train, parts.Validation, parts.Test} {
		slices.Sort(part)
	}
	parts.Notes = append(parts.Notes, x.noteClasses(parts)...)
	return parts, nil
}

// orderOf is 0..n-1.
func orderOf(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// share is the number of series of a part, one or more unless fraction is 0.
func share(fraction float64, n int) int {
	if fraction == 0 {
		return 0
	}
	return max(1, int(math.Ceil(fraction*float64(n)-countSlack)))
}

// noteClasses tells of classes that a part lacks.
func (x *Index) noteClasses(parts *Partition) []string {
	if x.Labels == nil {
		return nil
	}
	in := func(part []int) map[string]bool {
		seen := map[string]bool{}
		for _, i := range part {
			seen[x.Labels[i]] = true
		}
		return seen
	}
	all := map[string]bool{}
	for _, label := range x.Labels {
		all[label] = true
	}
	var notes []string
	for _, part := range []struct {
		name    string
		indices []int
	}{{"training", parts.Train}, {"validation", parts.Validation}, {"test", parts.Test}} {
		seen := in(part.indices)
		var without []string
		for _, name := range sortedClasses(all) {
			if !seen[name] {
				without = append(without, name)
			}
		}
		if len(part.indices) > 0 && len(without) > 0 {
			notes = append(notes, fmt.Sprintf("the %s part has no series of %s", part.name, listed(without)))
		}
	}
	return notes
}

// splitSeries shares out each class alike, as far as its number allows; a class
// keeps one series to train on before the other parts have any.
func (x *Index) splitSeries(parts *Partition, o SplitOptions) error {
	classes, of := []string{""}, func(int) int { return 0 }
	if x.Labels != nil {
		seen := map[string]bool{}
		for _, label := range x.Labels {
			seen[label] = true
		}
		classes = sortedClasses(seen)
		number := make(map[string]int, len(classes))
		for c, name := range classes {
			number[name] = c
		}
		of = func(i int) int { return number[x.Labels[i]] }
	}
	members := make([][]int, len(classes)) // of each class, shuffled
	for _, i := range Shuffle(x.n, o.Seed, splitRound) {
		members[of(i)] = append(members[of(i)], i)
	}
	counts := make([]int, len(classes))
	spare := make([]int, len(classes))
	for c := range members {
		counts[c], spare[c] = len(members[c]), len(members[c])-1
	}
	deal := func(name string, fraction float64) ([]int, error) {
		var part []int
		for c, take := range apportion(share(fraction, x.n), counts, spare) {
			part = append(part, members[c][:take]...)
			members[c] = members[c][take:]
			spare[c] -= take
		}
		if fraction > 0 && len(part) == 0 {
			return nil, x.fault("%s in %d classes leave none for the %s part", plural(x.n, "series"), len(classes), name)
		}
		return part, nil
	}
	var err error
	if parts.Test, err = deal("test", o.Test); err != nil {
		return err
	}
	if parts.Validation, err = deal("validation", o.Validation); err != nil {
		return err
	}
	parts.Train = slices.Concat(members...)
	return nil
}

// apportion shares n out in proportion to counts, at most spare to each, by the
// largest remainders; of equal ones the first.
func apportion(n int, counts, spare []int) []int {
	total := 0
	for _, c := range counts {
		total += c
	}
	takes := make([]int, len(counts))
	for c := range takes {
		takes[c] = min(n*counts[c]/total, spare[c])
	}
	left := n
	for _, take := range takes {
		left -= take
	}
	for ; left > 0; left-- {
		best, most := -1, math.Inf(-1)
		for c := range takes {
			behind := float64(n)*float64(counts[c])/float64(total) - float64(takes[c])
			if takes[c] < spare[c] && behind > most+countSlack {
				best, most = c, behind
			}
		}
		if best < 0 {
			break
		}
		takes[best]++
	}
	return takes
}

// splitTime keeps the file's order. Windows that reach into the next part are in
// none.
func (x *Index) splitTime(parts *Partition, o SplitOptions) error {
	test, validation := share(o.Test, x.n), share(o.Validation, x.n)
	train := x.n - test - validation
	if train < 1 {
		return x.fault("test fraction %v and validation fraction %v of %s leave none to train on",
			o.Test, o.Validation, plural(x.n, "series"))
	}
	order := orderOf(x.n)
	parts.Train, parts.Validation, parts.Test = order[:train:train], order[train:train+validation:train+validation], order[train+validation:]
	parts.Train = x.clear(parts.Train, train)
	if test > 0 {
		parts.Validation = x.clear(parts.Validation, train+validation)
	}
	if len(parts.Train) == 0 || (validation > 0 && len(parts.Validation) == 0) {
		return x.fault("%s leave a part empty once those that reach over its border are out", plural(x.n, "window"))
	}
	if out := x.n - len(parts.Train) - len(parts.Validation) - len(parts.Test); out > 0 {
		parts.Notes = append(parts.Notes, fmt.Sprintf("%s at the borders of the parts are in none", plural(out, "window")))
	}
	return nil
}

// clear takes the series that reach into series next from the end of part.
func (x *Index) clear(part []int, next int) []int {
	for next < x.n && len(part) > 0 && x.touch(part[len(part)-1], next) {
		part = part[:len(part)-1]
	}
	return part
}
