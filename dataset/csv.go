package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Header says whether the first row of a CSV file names the columns.
type Header string

// The values of a Header.
const (
	HeaderAuto Header = ""    // it does if its cells are not what stands below them
	HeaderYes  Header = "yes" //
	HeaderNo   Header = "no"  //
)

// CSVOptions are common to the files of comma-separated values. The zero value
// finds out.
type CSVOptions struct {
	Header Header `json:"header,omitempty"`
	Comma  rune   `json:"comma,omitempty"` // what stands between two cells; 0: the commonest of , ; tab | in the first line
}

func (o CSVOptions) validate() error {
	var faults []error
	if !slices.Contains([]Header{HeaderAuto, HeaderYes, HeaderNo}, o.Header) {
		faults = append(faults, fmt.Errorf("dataset: header %q, want yes, no or nothing", o.Header))
	}
	if o.Comma == '"' || o.Comma == '\n' || o.Comma == '\r' || o.Comma < 0 {
		faults = append(faults, fmt.Errorf("dataset: delimiter %q, want one such as , or ;", o.Comma))
	}
	return errors.Join(faults...)
}

// What is looked at before a CSV file is read: so many rows, or so many bytes,
// and always two rows if there are two.
const (
	probeRows  = 256
	probeBytes = 1 << 20
)

// sheet is what a CSV file was found to be.
type sheet struct {
	in     Input
	comma  rune
	header bool
	names  []string   // of the columns; their numbers, from 1, if there is no header
	probe  [][]string // the first rows below the header, trimmed
	notes  []string
}

// probeSheet reads the beginning of a CSV file, of which options use names.
func probeSheet(in Input, o CSVOptions, used ...string) (*sheet, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &sheet{in: in, comma: o.Comma}
	t, err := s.open()
	if err != nil {
		return nil, err
	}
	defer t.shut()
	bytes := 0
	for len(s.probe) <= probeRows && (bytes < probeBytes || len(s.probe) < 2) {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		row = slices.Clone(row)
		for _, cell := range row {
			bytes += len(cell)
		}
		s.probe = append(s.probe, row)
	}
	if len(s.probe) == 0 {
		return nil, &FormatError{File: in.Name, Saw: "an empty file", Want: "rows of cells"}
	}
	s.setHeader(o.Header, used)
	if len(s.probe) == 0 {
		return nil, &FormatError{File: in.Name, Line: 2, Saw: "the end of the file", Want: "rows below the header"}
	}
	if o.Comma == 0 {
		s.notes = append(s.notes, fmt.Sprintf("cells are divided by %q", s.comma))
	}
	return s, nil
}

// setHeader decides whether the first row is a header, and names the columns.
func (s *sheet) setHeader(rule Header, used []string) {
	s.header = rule == HeaderYes || (rule == HeaderAuto && looksLikeHeader(s.probe, used))
	if rule == HeaderAuto {
		said := "the first row is data: it looks like those below it"
		if s.header {
			said = "the first row is a header: it does not look like those below it"
		}
		s.notes = append(s.notes, said)
	}
	first := s.probe[0]
	if s.header {
		s.names, s.probe = first, s.probe[1:]
		return
	}
	s.names = make([]string, len(first))
	for i := range s.names {
		s.names[i] = strconv.Itoa(i + 1)
	}
}

// looksLikeHeader tells whether the first of rows names the columns: it has a
// name that the options use; or in some column it is no number and most below
// are; or its numbers count the columns, 0, 1, 2, ..., as a table without names
// is saved, and the second row has one that is not whole.
func looksLikeHeader(rows [][]string, used []string) bool {
	first, rest := rows[0], rows[1:]
	for _, name := range used {
		if name != "" && !isNumber(name) && slices.Contains(first, name) {
			return true
		}
	}
	if len(rest) == 0 {
		return !slices.ContainsFunc(first, func(cell string) bool { return isNumber(cell) || isMissing(cell) })
	}
	for i, cell := range first {
		if !isNumber(cell) && !isMissing(cell) && numeric(rest, i) {
			return true
		}
	}
	return counts(first) && slices.ContainsFunc(rest[0], func(cell string) bool { return isNumber(cell) && strings.Contains(cell, ".") })
}

// numeric tells whether half the cells of column i or more are numbers, not counting those
// that are missing. One that is neither is then a fault, not another column.
func numeric(rows [][]string, i int) bool {
	numbers, others := 0, 0
	for _, row := range rows {
		switch {
		case isNumber(row[i]):
			numbers++
		case !isMissing(row[i]):
			others++
		}
	}
	return numbers > 0 && numbers >= others
}

// counts tells whether the numbers among cells, five or more, go up by one
// from 0 or 1.
func counts(cells []string) bool {
	next, n := -1, 0
	for _, cell := range cells {
		if !isNumber(cell) {
			continue
		}
		x, err := strconv.Atoi(cell)
		if err != nil || (next < 0 && x != 0 && x != 1) || (next >= 0 && x != next) {
			return false
		}
		next = x + 1
		n++
	}
	return n >= 5
}

// column finds a column by its name, or else by its number: from 1, or from -1
// at the end.
func (s *sheet) column(what, spec string) (int, error) {
	if i := slices.Index(s.names, spec); i >= 0 && s.header {
		if j := slices.Index(s.names[i+1:], spec); j >= 0 {
			return 0, s.in.fault(fmt.Errorf("%s column %q is both column %d and column %d: name it by number",
				what, spec, i+1, i+j+2))
		}
		return i, nil
	}
	if n, err := strconv.Atoi(spec); err == nil {
		switch {
		case n >= 1 && n <= len(s.names):
			return n - 1, nil
		case n <= -1 && n >= -len(s.names):
			return len(s.names) + n, nil
		}
		return 0, s.in.fault(fmt.Errorf("%s column %d, want 1 to %d", what, n, len(s.names)))
	}
	if !s.header {
		return 0, s.in.fault(fmt.Errorf("%s column %q, want a number from 1 to %d: the file has no header",
			what, spec, len(s.names)))
	}
	return 0, s.in.fault(fmt.Errorf("no %s column %q: the columns are %s", what, spec, listed(s.names)))
}

// columns finds several.
func (s *sheet) columns(what string, specs []string) ([]int, error) {
	var all []int
	var faults []error
	for _, spec := range specs {
		i, err := s.column(what, spec)
		if err == nil && slices.Contains(all, i) {
			err = s.in.fault(fmt.Errorf("%s column %q is named twice", what, spec))
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, i)
	}
	return all, errors.Join(faults...)
}

// part names column i for a message, if it has a name.
func (s *sheet) part(i int) string {
	if !s.header || i >= len(s.names) {
		return ""
	}
	return quoted(s.names[i])
}

// commonDelimiter is the commonest of , ; tab | outside quotes in the first
// line, and the first of them if there is none.
func commonDelimiter(r *bufio.Reader) rune {
	const candidates = ",;\t|"
	ahead, _ := r.Peek(textBuffer)
	text := strings.TrimLeft(string(ahead), "\r\n")
	var n [len(candidates)]int
	open := false
	for _, c := range text {
		if c == '"' {
			open = !open
		}
		if c == '\n' && !open {
			break
		}
		if i := strings.IndexRune(candidates, c); i >= 0 && !open {
			n[i]++
		}
	}
	best := 0
	for i := range n {
		if n[i] > n[best] {
			best = i
		}
	}
	return rune(candidates[best])
}
