package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WideOptions say how a wide CSV file is read. Columns are given by name, or by
// number: from 1, or from -1 at the end.
type WideOptions struct {
	CSVOptions

	Label   string   `json:"label,omitempty"`    // the class's column; default: the last, unless Targets or NoLabel is set
	NoLabel bool     `json:"no_label,omitempty"` // the rows have no class
	Targets []string `json:"targets,omitempty"`  // columns that a regression should give
	Group   string   `json:"group,omitempty"`    // the column of a subject or session
	Ignore  []string `json:"ignore,omitempty"`   // columns that are neither these nor values
	// Channels is the number of values of each step, which stand side by side;
	// default 1.
	Channels int `json:"channels,omitempty"`
}

// ReadWide opens a CSV file with a series a row: its values step by step, and a
// column for its class.
//
// Empty cells, ?, NaN, NA and null are missing values. Those at the end of a row
// end the series, which is how unequal lengths are written; one in between is a
// value that is missing.
//
// Errors: FormatError, at once for the beginning of the file, while it is read
// for the rest.
func ReadWide(in Input, o WideOptions) (*Stream, error) {
	page, err := probeSheet(in, o.CSVOptions, slices.Concat(o.Targets, o.Ignore, []string{o.Label, o.Group})...)
	if err != nil {
		return nil, err
	}
	w, err := newWide(page, o)
	if err != nil {
		return nil, err
	}
	s := &Stream{Name: in.base(), Outputs: len(w.targets), Notes: page.notes}
	s.Channels = numbered("value", w.channels)
	if w.channels == 1 {
		s.Channels = []string{"value"}
	}
	s.all = w.series
	return s, nil
}

// wide is a file with its columns found. -1: no such column.
type wide struct {
	page         *sheet
	label, group int
	targets      []int
	values       []int
	channels     int
}

func newWide(page *sheet, o WideOptions) (*wide, error) {
	w := &wide{page: page, label: -1, group: -1, channels: max(o.Channels, 1)}
	var faults []error
	find := func(what, spec string) int {
		i, err := page.column(what, spec)
		if err != nil {
			faults = append(faults, err)
		}
		return i
	}
	findAll := func(what string, specs []string) []int {
		all, err := page.columns(what, specs)
		if err != nil {
			faults = append(faults, err)
		}
		return all
	}
	switch {
	case o.Label != "" && (o.NoLabel || len(o.Targets) > 0):
		faults = append(faults, page.in.fault(fmt.Errorf("a label column %q beside targets or no label, want one of them", o.Label)))
	case o.Label != "":
		w.label = find("label", o.Label)
	case !o.NoLabel && len(o.Targets) == 0:
		w.label = len(page.names) - 1
		page.notes = append(page.notes, fmt.Sprintf("the label is the last column, %q", page.names[w.label]))
	}
	if o.Group != "" {
		w.group = find("group", o.Group)
	}
	w.targets = findAll("target", o.Targets)
	ignored := findAll("ignored", o.Ignore)
	if o.Channels < 0 {
		faults = append(faults, page.in.fault(fmt.Errorf("%d channels, want 1 or more", o.Channels)))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	taken := slices.Concat(w.targets, ignored, []int{w.label, w.group})
	for i := range page.names {
		if !slices.Contains(taken, i) {
			w.values = append(w.values, i)
		}
	}
	n := len(w.values)
	if n == 0 || n%w.channels != 0 {
		return nil, &FormatError{File: page.in.Name, Line: 1, Saw: plural(n, "column") + " of values",
			Want: fmt.Sprintf("1 or more, a multiple of %s", plural(w.channels, "channel"))}
	}
	page.notes = append(page.notes, fmt.Sprintf("each row is a series of %s; rows that are time steps of a recording want a window", plural(n/w.channels, "step")))
	return w, distinctRoles(page, w.label, w.group, w.targets, ignored)
}

// distinctRoles refuses a column that has two.
func distinctRoles(page *sheet, label, group int, more ...[]int) error {
	seen := map[int]bool{}
	for _, i := range append(slices.Concat(more...), label, group) {
		if i >= 0 && seen[i] {
			return page.in.fault(fmt.Errorf("column %d (%q) has two roles, want one of label, group, target or ignored",
				i+1, page.names[i]))
		}
		seen[i] = true
	}
	return nil
}

// series reads the file for each range.
func (w *wide) series(yield func(Series, error) bool) {
	t, err := w.page.openRows()
	if err != nil {
		yield(Series{}, err)
		return
	}
	defer t.shut()
	for n := 0; ; n++ {
		row, err := t.next()
		if errors.Is(err, io.EOF) && n > 0 {
			return
		}
		var one Series
		switch {
		case errors.Is(err, io.EOF):
			err = w.page.in.fault(errNoSeries)
		case err == nil:
			one, err = w.parse(t, row)
		}
		if !yield(one, err) || err != nil {
			return
		}
	}
}

// parse reads one row.
func (w *wide) parse(t *table, row []string) (Series, error) {
	one := Series{Where: fmt.Sprintf("%s:%d", t.sheet.in.Name, t.line)}
	last := len(w.values)
	for last > 0 && isMissing(row[w.values[last-1]]) {
		last--
	}
	if last == 0 {
		return one, t.fault(w.values[0], "a row without a value", "1 or more")
	}
	one.Steps = (last + w.channels - 1) / w.channels
	one.Values = make([]float32, 0, one.Steps*w.channels)
	for _, i := range w.values[:one.Steps*w.channels] {
		v, err := t.number(row, i)
		if err != nil {
			return one, err
		}
		one.Values = append(one.Values, v)
	}
	var err error
	if w.label >= 0 {
		if one.Label, err = t.name(row, w.label, "a class"); err != nil {
			return one, err
		}
	}
	if w.group >= 0 {
		if one.Group, err = t.name(row, w.group, "a group"); err != nil {
			return one, err
		}
	}
	for _, i := range w.targets {
		v, err := t.number(row, i)
		if err != nil {
			return one, err
		}
		if v != v {
			return one, t.fault(i, quoted(row[i]), "a number to learn")
		}
		one.Targets = append(one.Targets, v)
	}
	return one, nil
}

// name reads a cell that must name something. It is a copy: a cell shares its
// memory with the whole row.
func (t *table) name(row []string, i int, want string) (string, error) {
	if isUnlabelled(row[i]) {
		return "", t.fault(i, quoted(row[i]), want)
	}
	return strings.Clone(className(row[i])), nil
}
