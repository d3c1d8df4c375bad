package dataset

import "fmt"

// Index is what a split needs to know of each series of a stream: all but its
// values, so that it fits memory where they do not.
type Index struct {
	Name            string
	Labels          []string // nil if no series has one
	Groups          []string // nil if no series has one
	Window, Stride  int      // of a recording; else 0
	Horizon         int
	segment, starts []int
	n               int
	values, missing int // of all series
	empty           int // series whose values are all missing
	firstEmpty      string
}

// NewIndex reads all of s.
func NewIndex(s *Stream) (*Index, error) {
	x := &Index{Name: s.Name, Window: s.Window, Stride: s.Stride, Horizon: s.Horizon}
	for one, err := range s.All() {
		if err != nil {
			return nil, err
		}
		x.add(one)
	}
	return x, x.check()
}

// Index is the index of a collection.
func (c *Collection) Index() (*Index, error) {
	x := &Index{Name: c.Name, Window: c.Window, Stride: c.Stride, Horizon: c.Horizon}
	for _, one := range c.Series {
		x.add(one)
	}
	return x, x.check()
}

// Split is Index.Split.
func (c *Collection) Split(o SplitOptions) (*Partition, error) {
	x, err := c.Index()
	if err != nil {
		return nil, err
	}
	return x.Split(o)
}

// Len returns the number of series.
func (x *Index) Len() int { return x.n }

func (x *Index) add(one Series) {
	x.n++
	x.Labels = append(x.Labels, one.Label)
	x.Groups = append(x.Groups, one.Group)
	x.segment = append(x.segment, one.Segment)
	x.starts = append(x.starts, one.Start)
	missing := 0
	for _, v := range one.Values {
		if v != v {
			missing++
		}
	}
	if missing == len(one.Values) {
		if x.empty++; x.empty == 1 {
			x.firstEmpty = one.Where
		}
	}
	x.values, x.missing = x.values+len(one.Values), x.missing+missing
}

// missingNotes say how many values are missing and what is done about it.
func (x *Index) missingNotes() []string {
	if x.missing == 0 {
		return nil
	}
	notes := []string{fmt.Sprintf("%.2g%% of the values of %s are missing: each is filled by the last of its channel before it, or the channel's mean where there is none",
		100*float64(x.missing)/float64(x.values), x.Name)}
	if x.empty > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d series have no value at all, the first at %s: the model reads a constant there; leave them out", x.empty, x.n, x.firstEmpty))
	}
	return notes
}

// check refuses names that only some series have, and drops those that none has.
func (x *Index) check() error {
	if x.n == 0 {
		return x.fault("no series, want 1 or more")
	}
	for _, names := range []struct {
		what string
		all  *[]string
	}{{"label", &x.Labels}, {"group", &x.Groups}} {
		without := 0
		for _, name := range *names.all {
			if name == "" {
				without++
			}
		}
		switch {
		case without == x.n:
			*names.all = nil
		case without > 0:
			return x.fault("%d of %d series have no %s, want all or none", without, x.n, names.what)
		}
	}
	return nil
}

// classes are the names that series have, sorted.
func (x *Index) classes() []string {
	seen := map[string]bool{}
	for _, name := range x.Labels {
		seen[name] = true
	}
	return sortedClasses(seen)
}

// overlaps tells whether two windows of the index can share steps, the step of a
// target included.
func (x *Index) overlaps() bool { return x.Stride > 0 && x.Stride < x.Window+x.Horizon }

// touch tells whether series i, which comes first, reaches into series j: steps
// or a target of i are steps of j.
func (x *Index) touch(i, j int) bool {
	return x.Window > 0 && x.segment[i] == x.segment[j] && x.starts[i]+x.Window+x.Horizon > x.starts[j]
}

func (x *Index) fault(format string, args ...any) error {
	return fmt.Errorf("dataset: %s: %w", x.Name, fmt.Errorf(format, args...))
}
