package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// table is a CSV file that is being read.
type table struct {
	sheet  *sheet
	csv    *csv.Reader
	budget *rowBudget
	width  int // cells of the first row
	line   int // of the row read last
	shut   func()
}

// open opens the file before its first row.
func (s *sheet) open() (*table, error) {
	r, shut, err := s.in.openText()
	if err != nil {
		return nil, err
	}
	if s.comma == 0 {
		s.comma = commonDelimiter(r)
	}
	t := &table{sheet: s, budget: &rowBudget{r: r}, shut: shut}
	t.csv = csv.NewReader(t.budget)
	t.csv.Comma = s.comma
	t.csv.FieldsPerRecord = -1
	t.csv.TrimLeadingSpace = s.comma != '\t' && s.comma != ' '
	t.csv.ReuseRecord = true
	return t, nil
}

// openRows opens the file at its first row below the header.
func (s *sheet) openRows() (*table, error) {
	t, err := s.open()
	if err != nil {
		return nil, err
	}
	t.width = len(s.names)
	if s.header {
		if _, err := t.next(); err != nil {
			t.shut()
			if errors.Is(err, io.EOF) {
				err = s.in.fault(io.ErrUnexpectedEOF)
			}
			return nil, err
		}
	}
	return t, nil
}

// next reads a row and trims its cells, or returns io.EOF. The row is valid
// until the next call; its cells stay.
func (t *table) next() ([]string, error) {
	t.budget.left = rowMost
	row, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, t.csvFault(err)
	}
	t.line, _ = t.csv.FieldPos(0)
	if t.width == 0 {
		t.width = len(row)
	}
	if len(row) != t.width {
		return nil, &FormatError{File: t.sheet.in.Name, Line: t.line,
			Saw: plural(len(row), "column"), Want: fmt.Sprintf("%d, as the first row has", t.width)}
	}
	for i, cell := range row {
		row[i] = strings.TrimSpace(cell)
	}
	return row, nil
}

// csvFault says what the CSV reader found.
func (t *table) csvFault(err error) error {
	if errors.Is(err, errLongRow) {
		return &FormatError{File: t.sheet.in.Name, Line: t.line + 1,
			Saw:  fmt.Sprintf("a row of more than %d MiB", rowMost>>20),
			Want: "a shorter one: is a quote left open?"}
	}
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return t.sheet.in.fault(err)
	}
	fault := &FormatError{File: t.sheet.in.Name, Line: parse.Line, Part: fmt.Sprintf("byte %d", parse.Column),
		Saw: parse.Err.Error(), Want: "rows of cells"}
	switch {
	case errors.Is(parse.Err, csv.ErrBareQuote):
		fault.Saw, fault.Want = "a quote inside a cell", "the cell in quotes and the quote doubled"
	case errors.Is(parse.Err, csv.ErrQuote):
		fault.Line = parse.StartLine
		fault.Saw, fault.Want = "a quote that is not closed, or text after one that is", `cells like "a ""b"" c"`
	}
	return fault
}

// fault is an error at cell i of the row read last.
func (t *table) fault(i int, saw, want string) error {
	return &FormatError{File: t.sheet.in.Name, Line: t.line, Column: i + 1, Part: t.sheet.part(i), Saw: saw, Want: want}
}

// number reads cell i.
func (t *table) number(row []string, i int) (float32, error) {
	v, want := parseNumber(row[i])
	if want != "" {
		return 0, t.fault(i, quoted(row[i]), want)
	}
	return v, nil
}

var errLongRow = errors.New("the row is too long")

// rowBudget ends a read that has gone on for more than a row may have.
type rowBudget struct {
	r    io.Reader
	left int
}

func (b *rowBudget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}
