package dataset

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// recording is files with a row a step, and how they are cut.
type recording struct {
	options RecordingOptions
	files   []*columns
	names   []string // the channels, as the first file calls them
	skipped *atomic.Pointer[Skipped]
}

// series reads the files for each range.
func (rec *recording) series(yield func(Series, error) bool) {
	w := newWindower(rec.options, len(rec.names))
	for _, c := range rec.files {
		ok, err := rec.readFile(c, w, yield)
		if err != nil {
			yield(Series{}, err)
			return
		}
		if !ok {
			return
		}
	}
	if w.given == 0 {
		yield(Series{}, fmt.Errorf("dataset: %s: no window%s", rec.files[0].page.in.Name, w.whyNone()))
		return
	}
	rec.skipped.Store(&w.skipped)
}

// readFile cuts one file; ok is false if the caller wants no more.
func (rec *recording) readFile(c *columns, w *windower, yield func(Series, error) bool) (ok bool, err error) {
	t, err := c.page.openRows()
	if err != nil {
		return false, err
	}
	defer t.shut()
	w.cut()
	w.file, w.group, w.met = c.page.in.Name, c.fileGroup, map[string]bool{}
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			w.cut()
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if c.group >= 0 && (w.rows == 0 || className(row[c.group]) != w.group) {
			name, err := t.name(row, c.group, "a group")
			if err != nil {
				return false, err
			}
			w.cut()
			w.enter(name)
		}
		if err := w.take(c, t, row); err != nil {
			return false, err
		}
		if one, full := w.window(); full && !yield(one, nil) {
			return false, nil
		}
	}
}

// windower holds the last rows of an unbroken run, as many as a window and its
// horizon, and cuts windows from them.
type windower struct {
	options  RecordingOptions
	channels int
	size     int // rows that are kept

	// Row i of the run is at i % size.
	values []float32 // [size, channels]
	labels []string  // [size]
	lines  []int     // [size]

	targets []float32 // of the row taken last; NaN where one is missing
	rows    int       // of the run so far

	file, group string
	met         map[string]bool // groups of the file
	segment     int             // the number of the run
	given       int             // windows
	longest     int             // run
	emitted     int             // windows of the run, given or not
	skipped     Skipped
}

func newWindower(o RecordingOptions, channels int) *windower {
	w := &windower{options: o, channels: channels, size: o.Window + o.Horizon}
	return w
}

// cut ends the run.
func (w *windower) cut() {
	if w.rows > 0 {
		if w.emitted == 0 {
			w.skipped.Short++
		}
		w.longest = max(w.longest, w.rows)
		w.segment++
	}
	w.rows, w.emitted = 0, 0
}

// enter begins a run of a group.
func (w *windower) enter(group string) {
	w.group = group
	if w.met[group] {
		w.skipped.Returns++
	}
	w.met[group] = true
}

// take reads a row. The memory grows with the rows, up to size.
func (w *windower) take(c *columns, t *table, row []string) error {
	at := w.rows % w.size
	if at == len(w.lines) {
		w.values = append(w.values, make([]float32, w.channels)...)
		w.labels = append(w.labels, "")
		w.lines = append(w.lines, 0)
	}
	for k, i := range c.channels {
		v, err := t.number(row, i)
		if err != nil {
			return err
		}
		w.values[at*w.channels+k] = v
	}
	w.labels[at], w.lines[at] = w.label(c, row), t.line
	w.targets = w.targets[:0]
	for _, i := range c.targets {
		v, err := t.number(row, i)
		if err != nil {
			return err
		}
		w.targets = append(w.targets, v)
	}
	w.rows++
	return nil
}

// label is the class of a row, or "". It is a copy, one for each run of equal
// classes.
func (w *windower) label(c *columns, row []string) string {
	if c.label < 0 || isUnlabelled(row[c.label]) {
		return ""
	}
	name := className(row[c.label])
	if w.rows > 0 {
		if before := w.labels[(w.rows-1)%w.size]; before == name {
			return before
		}
	}
	return strings.Clone(name)
}

// window is the window whose targets came with the row taken last, if there is
// one.
func (w *windower) window() (Series, bool) {
	start := w.rows - w.size
	if start < 0 || start%w.options.Stride != 0 {
		return Series{}, false
	}
	w.emitted++
	one := Series{
		Steps: w.options.Window, Group: w.group, Segment: w.segment, Start: start,
		Where: fmt.Sprintf("%s:%d", w.file, w.lines[start%w.size]),
	}
	if w.options.Label != "" {
		if one.Label = w.vote(start); one.Label == "" {
			w.skipped.Unlabelled++
			return Series{}, false
		}
	}
	for _, v := range w.targets {
		if v != v {
			w.skipped.Unlabelled++
			return Series{}, false
		}
		one.Targets = append(one.Targets, v)
	}
	one.Values = make([]float32, 0, one.Steps*w.channels)
	for i := start; i < start+one.Steps; i++ {
		at := i % w.size * w.channels
		one.Values = append(one.Values, w.values[at:at+w.channels]...)
	}
	w.given++
	return one, true
}

// vote is the class of the window that begins at row start.
func (w *windower) vote(start int) string {
	last := start + w.options.Window - 1
	if w.options.LabelRule == LabelLast {
		return w.labels[last%w.size]
	}
	votes := map[string]int{}
	for i := start; i <= last; i++ {
		votes[w.labels[i%w.size]]++
	}
	delete(votes, "")
	best := ""
	for i := last; i >= start; i-- { // backwards: of equals the first met comes last
		if name := w.labels[i%w.size]; votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// whyNone says why there was no window at all.
func (w *windower) whyNone() string {
	if w.skipped.Unlabelled > 0 {
		return fmt.Sprintf(": none of %d has a label or target", w.skipped.Unlabelled)
	}
	if w.longest == 0 {
		return ": no rows"
	}
	why := fmt.Sprintf(": the longest unbroken run is %s, want window %d + horizon %d",
		plural(w.longest, "row"), w.options.Window, w.options.Horizon)
	if w.skipped.Returns > 0 {
		why += "; the rows of a group are not together: sort the file by group, then by time"
	}
	return why
}
