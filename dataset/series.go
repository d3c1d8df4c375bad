package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/qat-go/qat/preprocess"
)

// Series is one sequence as it was read: T steps of E channels.
//
// Shapes: Values [Steps, E], row-major; NaN where a value is missing.
type Series struct {
	Values  []float32
	Steps   int
	Label   string    // the name of its class; "" if it has none
	Targets []float32 // what a regression should give; nil if there is none
	Group   string    // a subject or session; "" if it has none
	Where   string    // file:line, for messages

	// Segment and Start place a window in its recording: the unbroken run of rows
	// that it was cut from, counted over all files, and its first row in that.
	Segment int
	Start   int
}

// Stream is data that is read a series at a time, so that it may be larger than
// memory: no more is held than a series, or a window of a recording.
type Stream struct {
	Name     string
	Channels []string // their names; their number is E
	Classes  []string // if the file names them before its data; else nil
	Outputs  int      // targets of each series; 0 if it has none

	// Window, Stride and Horizon say how a recording was cut; 0 for other data.
	Window, Stride, Horizon int
	// LastStep says that class or targets belong to a series' last step, or come after it.
	LastStep bool

	// Notes say what a reader decided on its own: the delimiter, a label column.
	Notes []string

	all     iter.Seq2[Series, error]
	skipped *atomic.Pointer[Skipped]
}

// Skipped counts what a pass over a recording left out.
type Skipped struct {
	Unlabelled int `json:"unlabelled,omitempty"` // windows without label or target
	Short      int `json:"short,omitempty"`      // unbroken runs too short for one window
	Returns    int `json:"returns,omitempty"`    // times that a group came back after another
}

// All yields every series in the order of the file; each range over it opens
// the file anew. After an error nothing follows. A series is the caller's own.
func (s *Stream) All() iter.Seq2[Series, error] { return s.all }

// Skipped tells what the last pass that came to its end left out.
func (s *Stream) Skipped() Skipped {
	if s.skipped == nil || s.skipped.Load() == nil {
		return Skipped{}
	}
	return *s.skipped.Load()
}

// Pick is the stream of those series alone whose numbers, counted from 0 in the
// order of the file, are in indices. They come in the order of the file, once.
//
// Errors: while it is read, an index that the file does not reach.
func (s *Stream) Pick(indices []int) *Stream {
	wanted := slices.Compact(slices.Sorted(slices.Values(indices)))
	out := *s
	out.all = func(yield func(Series, error) bool) {
		if len(wanted) == 0 {
			return
		}
		next, i := 0, 0
		for one, err := range s.all {
			if err != nil {
				yield(Series{}, err)
				return
			}
			if i == wanted[next] {
				next++
				if !yield(one, nil) || next == len(wanted) {
					return
				}
			}
			i++
		}
		yield(Series{}, fmt.Errorf("dataset: %s: series %d is picked, want 0 to %d", s.Name, wanted[next], i-1))
	}
	return &out
}

// Collection is all of a stream in memory.
type Collection struct {
	Name     string
	Channels []string
	Classes  []string // in the file's order if it names them, else sorted; nil if no series has a label
	Outputs  int
	Series   []Series

	Window, Stride, Horizon int
	LastStep                bool
	Notes                   []string
	Skipped                 Skipped
}

// Collect reads all of s.
//
// Errors: the first of the stream; no series at all.
func Collect(s *Stream) (*Collection, error) { return collect(s, math.MaxInt64) }

// collect is Collect of no more than so many bytes of values: more is errTooLarge.
func collect(s *Stream, bytes int64) (*Collection, error) {
	c := &Collection{
		Name: s.Name, Channels: s.Channels, Outputs: s.Outputs,
		Window: s.Window, Stride: s.Stride, Horizon: s.Horizon, LastStep: s.LastStep, Notes: s.Notes,
	}
	for one, err := range s.All() {
		if err != nil {
			return nil, err
		}
		if bytes -= 4 * int64(len(one.Values)); bytes < 0 {
			return nil, errTooLarge
		}
		c.Series = append(c.Series, one)
	}
	if len(c.Series) == 0 {
		return nil, fmt.Errorf("dataset: %s: no series, want 1 or more", s.Name)
	}
	c.Skipped = s.Skipped()
	c.Classes = s.Classes
	if c.Classes == nil {
		c.Classes = classesOf(c.Series)
	}
	return c, nil
}

// errTooLarge is the end of a collection that is to be streamed.
var errTooLarge = errors.New("more values than may be held")

// stream is the collection as a Stream.
func (c *Collection) stream() *Stream {
	return &Stream{Name: c.Name, Channels: c.Channels, Classes: c.Classes, Outputs: c.Outputs,
		Window: c.Window, Stride: c.Stride, Horizon: c.Horizon, LastStep: c.LastStep, all: c.All()}
}

// Set runs p over the collection. The labels are numbered by classes: the training
// data's, also for its test data.
//
// Errors: no series; a series with other channels; a class that classes does not
// have, with its place in the file.
func (c *Collection) Set(p *preprocess.Pipeline, classes []string) (*Set, error) {
	d, err := NewStreamed(p, c.stream(), c.Len(), classes, 1)
	if err != nil {
		return nil, err
	}
	return d.Set()
}

// Len returns the number of series, N.
func (c *Collection) Len() int { return len(c.Series) }

// All yields the series as a stream does.
func (c *Collection) All() iter.Seq2[Series, error] {
	return func(yield func(Series, error) bool) {
		for _, one := range c.Series {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// Subset is the collection of the series at indices, in that order. It shares
// their values.
//
// Errors: no indices, or one outside 0..Len()-1.
func (c *Collection) Subset(indices []int) (*Collection, error) {
	if len(indices) == 0 {
		return nil, fmt.Errorf("dataset: %s: a subset of no series, want 1 or more", c.Name)
	}
	out := *c
	out.Series = make([]Series, 0, len(indices))
	for k, i := range indices {
		if i < 0 || i >= c.Len() {
			return nil, fmt.Errorf("dataset: %s: indices[%d] is %d, want 0 to %d", c.Name, k, i, c.Len()-1)
		}
		out.Series = append(out.Series, c.Series[i])
	}
	return &out, nil
}

// classesOf are the labels of all, sorted.
func classesOf(all []Series) []string {
	seen := map[string]bool{}
	for _, one := range all {
		if one.Label != "" {
			seen[one.Label] = true
		}
	}
	return sortedClasses(seen)
}

// sortedClasses sorts names: as numbers if all are, else by their bytes. An
// order that does not hang on the file gives its test file the same one.
func sortedClasses(seen map[string]bool) []string {
	if len(seen) == 0 {
		return nil
	}
	names := make([]string, 0, len(seen))
	numbers := make(map[string]float64, len(seen))
	for name := range seen {
		names = append(names, name)
		if x, err := strconv.ParseFloat(name, 64); err == nil && !math.IsNaN(x) {
			numbers[name] = x
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(numbers) == len(names) && numbers[a] != numbers[b] {
			if numbers[a] < numbers[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// errNoSeries is the fault of a file without any.
var errNoSeries = errors.New("no series, want 1 or more")
