package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// LabelRule says which class a window has, whose steps may have several.
type LabelRule string

// The rules of a LabelRule.
const (
	// LabelLast takes the class of the window's last step.
	LabelLast LabelRule = "last"
	// LabelMajority takes the class that most of its steps have; of two that are
	// as common, the one that comes last. Steps without a class have no vote.
	LabelMajority LabelRule = "majority"
)

// RecordingOptions say how recordings are read and cut into windows. Columns are
// given by name, or by number: from 1, or from -1 at the end.
type RecordingOptions struct {
	CSVOptions

	// Channels default to every column of numbers that is not the label, the
	// group or a target, and does not just count the rows. With a horizon above 0
	// a target's own past is a channel too.
	Channels []string `json:"channels,omitempty"`
	Label    string   `json:"label,omitempty"`
	Group    string   `json:"group,omitempty"` // a subject or session; default with several files: each is one
	Targets  []string `json:"targets,omitempty"`

	Window    int       `json:"window"`               // steps of a window: required
	Stride    int       `json:"stride,omitempty"`     // steps from one window to the next; default: Window
	LabelRule LabelRule `json:"label_rule,omitempty"` // default: LabelLast
	Horizon   int       `json:"horizon,omitempty"`    // steps from a window's last to the row of its targets
}

// withDefaults fills in what is not set.
func (o RecordingOptions) withDefaults() RecordingOptions {
	if o.Stride == 0 {
		o.Stride = o.Window
	}
	if o.LabelRule == "" {
		o.LabelRule = LabelLast
	}
	return o
}

// windowMost bounds window and horizon, and so the memory of a reader.
const windowMost = 1 << 24

// Validate reports every fault of o at once.
func (o RecordingOptions) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("dataset: "+format, args...)) }
	if o.Window < 1 || o.Window > windowMost {
		fault("a window of %d steps, want 1 to %d", o.Window, windowMost)
	}
	if o.Stride < 0 || o.Stride > windowMost {
		fault("a stride of %d steps, want 1 to %d, or 0 for the window's", o.Stride, windowMost)
	}
	if o.Horizon < 0 || o.Horizon > windowMost {
		fault("a horizon of %d steps, want 0 to %d", o.Horizon, windowMost)
	}
	if o.Horizon > 0 && len(o.Targets) == 0 {
		fault("a horizon of %d steps without a target column", o.Horizon)
	}
	if !slices.Contains([]LabelRule{"", LabelLast, LabelMajority}, o.LabelRule) {
		fault("label rule %q, want %s or %s", o.LabelRule, LabelLast, LabelMajority)
	}
	if o.LabelRule == LabelMajority && len(o.Targets) > 0 {
		fault("label rule %q with target columns: a target is that of one step", o.LabelRule)
	}
	if o.Label != "" && len(o.Targets) > 0 {
		fault("a label column %q beside target columns, want one of them", o.Label)
	}
	return errors.Join(append(faults, o.CSVOptions.validate())...)
}

// ReadRecording opens CSV files with a row for each step of a recording and cuts
// windows from them. A window does not cross the end of a file or a change of
// group; what is left at the end of such a run of rows, shorter than a stride,
// is in no window.
//
// A window without label or target is left out, as is a run too short for one:
// Stream.Skipped counts them. Missing values are those of ReadWide.
//
// Errors: faults of o, and what the beginnings of the files show, at once;
// FormatError, and that no run was long enough, while it is read.
func ReadRecording(files []Input, o RecordingOptions) (*Stream, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("dataset: no recording, want 1 file or more")
	}
	rec := &recording{options: o, skipped: new(atomic.Pointer[Skipped])}
	s := &Stream{
		Name: files[0].base(), Outputs: len(o.Targets),
		Window: o.Window, Stride: o.Stride, Horizon: o.Horizon,
		LastStep: len(o.Targets) > 0 || o.LabelRule == LabelLast,
		skipped:  rec.skipped, all: rec.series,
	}
	if len(files) > 1 {
		s.Name = fmt.Sprintf("%s and %d more", s.Name, len(files)-1)
	}
	for i, in := range files {
		page, err := probeSheet(in, o.CSVOptions, slices.Concat(o.Channels, o.Targets, []string{o.Label, o.Group})...)
		if err != nil {
			return nil, err
		}
		c, err := newColumns(page, o, rec.names)
		if err != nil {
			return nil, err
		}
		if o.Group == "" && len(files) > 1 {
			c.fileGroup = in.base()
			for _, other := range rec.files {
				if other.fileGroup == c.fileGroup { // the same name in two folders
					c.fileGroup = in.Name
				}
			}
		}
		if i == 0 {
			rec.names = c.names()
			s.Channels = rec.names
			s.Notes = page.notes
		}
		rec.files = append(rec.files, c)
	}
	if o.Group == "" && len(files) > 1 {
		s.Notes = append(s.Notes, "each file is a group")
	}
	return s, nil
}

// columns are what a recording's columns are for. -1: no such column.
type columns struct {
	page         *sheet
	label, group int
	targets      []int
	channels     []int
	fileGroup    string // the group of every row, if there is no column for it
}

// names are those of the channels.
func (c *columns) names() []string {
	all := make([]string, len(c.channels))
	for k, i := range c.channels {
		all[k] = c.page.names[i]
		if all[k] == "" {
			all[k] = strconv.Itoa(i + 1)
		}
	}
	return all
}

// newColumns finds the columns of a file; those of the first file's channels, if
// there is one before it.
func newColumns(page *sheet, o RecordingOptions, before []string) (*columns, error) {
	c := &columns{page: page, label: -1, group: -1}
	var faults []error
	if o.Label != "" {
		i, err := page.column("label", o.Label)
		c.label, faults = i, append(faults, err)
	}
	if o.Group != "" {
		i, err := page.column("group", o.Group)
		c.group, faults = i, append(faults, err)
	}
	targets, err := page.columns("target", o.Targets)
	c.targets, faults = targets, append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if err := distinctRoles(page, c.label, c.group, c.targets); err != nil {
		return nil, err
	}
	given := o.Channels
	if len(given) == 0 {
		given = before
	}
	if len(given) > 0 {
		if c.channels, err = page.columns("channel", given); err != nil {
			return nil, err
		}
		return c, c.checkChannels(o)
	}
	return c, c.chooseChannels(o)
}

// checkChannels refuses a channel that gives away what is to be learnt.
func (c *columns) checkChannels(o RecordingOptions) error {
	for _, i := range c.channels {
		name := c.page.names[i]
		switch {
		case i == c.label || i == c.group:
			return c.page.in.fault(fmt.Errorf("column %d (%q) is a channel and the label or group, want one of them", i+1, name))
		case slices.Contains(c.targets, i) && o.Horizon == 0:
			return c.page.in.fault(fmt.Errorf("column %d (%q) is a channel and a target of the same step: leave one out, or set a horizon", i+1, name))
		}
	}
	return nil
}

// chooseChannels takes the columns of numbers, and notes which it leaves.
func (c *columns) chooseChannels(o RecordingOptions) error {
	var noted []string
	for i, name := range c.page.names {
		isTarget := slices.Contains(c.targets, i)
		switch {
		case i == c.label || i == c.group || (isTarget && o.Horizon == 0):
			continue
		case !numeric(c.page.probe, i):
			noted = append(noted, fmt.Sprintf("column %q is no channel: most of its first cells are no numbers", name))
			if allMissing(c.page.probe, i) {
				noted[len(noted)-1] = fmt.Sprintf("column %q is no channel: it is empty in the first rows", name)
			}
		case !isTarget && c.countsRows(i):
			noted = append(noted, fmt.Sprintf("column %q is no channel: it counts the rows or the time; name it as one to use it", name))
		default:
			c.channels = append(c.channels, i)
		}
	}
	if len(c.channels) == 0 {
		return c.page.in.fault(fmt.Errorf("no column of numbers to be a channel: the columns are %s", listed(c.page.names)))
	}
	seen := map[string]bool{}
	for _, i := range c.channels {
		if name := c.page.names[i]; seen[name] && name != "" {
			return &FormatError{File: c.page.in.Name, Line: 1, Column: i + 1, Saw: "the name " + quoted(name) + " again", Want: "each column named once"}
		} else {
			seen[name] = true
		}
	}
	c.page.notes = append(c.page.notes, "the channels are "+listed(c.names()))
	c.page.notes = append(c.page.notes, noted...)
	return nil
}

func allMissing(rows [][]string, i int) bool {
	return !slices.ContainsFunc(rows, func(row []string) bool { return !isMissing(row[i]) })
}

// clockNames are names of columns that tell when a row was, or which it is;
// clockParts are parts of such names.
var (
	clockNames = []string{"", "t", "clock", "index", "idx", "id", "row", "step", "frame", "sample",
		"sec", "secs", "second", "seconds", "ms", "msec", "unnamed: 0"}
	clockParts = []string{"time", "date", "stamp"}
)

// hasClockName tells whether column i is called so.
func (c *columns) hasClockName(i int) bool {
	name := strings.ToLower(c.page.names[i])
	return slices.Contains(clockNames, name) ||
		slices.ContainsFunc(clockParts, func(part string) bool { return strings.Contains(name, part) })
}

// clockRows are fewer rows than which do not show that a column counts them.
const clockRows = 8

// countsRows tells whether column i is a clock or a row number, from which a
// model would learn when the recording was made and not what it holds: it rises
// with every row of a group and has a clock's name, or, in a file without names,
// rises by the same amount.
func (c *columns) countsRows(i int) bool {
	rows := c.page.probe
	if len(rows) < clockRows {
		return false
	}
	even, first := true, 0.0
	for k, row := range rows {
		x, err := strconv.ParseFloat(row[i], 64)
		if err != nil {
			return false
		}
		if k == 0 || (c.group >= 0 && row[c.group] != rows[k-1][c.group]) {
			continue
		}
		before, _ := strconv.ParseFloat(rows[k-1][i], 64)
		rise := x - before
		if !(rise > 0) {
			return false
		}
		if first == 0 {
			first = rise
		}
		even = even && rise > 0.99*first && rise < 1.01*first
	}
	if !c.page.header {
		return even
	}
	return c.hasClockName(i)
}
