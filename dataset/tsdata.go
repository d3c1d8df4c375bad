package dataset

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// ReadTS opens a .ts file, the format of the UEA/UCR time series archive, as
// aeon and sktime read it: tags, then a series a line, its dimensions divided by
// colons, its values by commas, and at the end its class or target.
//
// '?' and NaN are missing values. A class may differ in case from the header's.
// Series with timestamps are refused. What @equalLength, @seriesLength and
// @dimensions say is held against the data.
//
// Errors: FormatError, at once for the header, while it is read for the data.
func ReadTS(in Input) (*Stream, error) {
	first, err := firstTS(in)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		Name:     in.base(),
		Channels: numbered("dim", first.dimensions),
		Classes:  first.header.classes,
	}
	if first.header.regression {
		s.Outputs = 1
	}
	for _, tag := range first.header.unknown {
		s.Notes = append(s.Notes, fmt.Sprintf("the tag %s says nothing to this reader", tag))
	}
	s.all = tsSeries(in, first.dimensions)
	return s, nil
}

// numbered names n channels.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i+1)
	}
	return names
}

// tsFile is a file that is being read.
type tsFile struct {
	lines      *lineReader
	header     *tsHeader
	dimensions int // 0 until the first series tells
	shut       func()
}

func openTS(in Input) (*tsFile, error) {
	r, shut, err := in.openText()
	if err != nil {
		return nil, err
	}
	f := &tsFile{lines: &lineReader{r: r, in: in}, shut: shut}
	if f.header, err = readTSHeader(f.lines); err != nil {
		shut()
		return nil, err
	}
	f.dimensions = f.header.dimensions
	return f, nil
}

// firstTS reads the header, and the first series, which tells the number of
// dimensions where the header does not.
func firstTS(in Input) (*tsFile, error) {
	f, err := openTS(in)
	if err != nil {
		return nil, err
	}
	defer f.shut()
	if f.dimensions > 0 {
		return f, nil
	}
	if _, err := f.next(); err != nil {
		if errors.Is(err, io.EOF) {
			err = in.fault(errNoSeries)
		}
		return nil, err
	}
	return f, nil
}

// tsSeries reads the file for each range.
func tsSeries(in Input, dimensions int) iter.Seq2[Series, error] {
	return func(yield func(Series, error) bool) {
		f, err := openTS(in)
		if err != nil {
			yield(Series{}, err)
			return
		}
		defer f.shut()
		f.dimensions = dimensions
		for n := 0; ; n++ {
			one, err := f.next()
			if errors.Is(err, io.EOF) && n > 0 {
				return
			}
			if errors.Is(err, io.EOF) {
				err = in.fault(errNoSeries)
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// next reads the next series, or io.EOF.
func (f *tsFile) next() (Series, error) {
	for {
		raw, err := f.lines.next()
		if err != nil {
			return Series{}, err
		}
		line := strings.TrimRight(string(raw), " \t\r\n")
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
			continue
		}
		return f.parse(line)
	}
}

func (f *tsFile) fault(column int, part, saw, want string) error {
	return &FormatError{File: f.lines.in.Name, Line: f.lines.line, Column: column, Part: part, Saw: saw, Want: want}
}

// parse reads one line.
func (f *tsFile) parse(line string) (Series, error) {
	h := f.header
	one := Series{Where: fmt.Sprintf("%s:%d", f.lines.in.Name, f.lines.line)}
	switch line[0] {
	case '@':
		return one, f.fault(1, "", quoted(line), "a series: the tags stand before @data")
	case '(':
		return one, f.fault(1, "", quoted(line), "plain values: series with timestamps are not read; save them without")
	}
	found := strings.Count(line, ":") + 1
	values := line
	if h.labelled || h.regression {
		found--
		cut := strings.LastIndexByte(line, ':')
		if cut < 0 {
			return one, f.fault(0, "", quoted(line), "a colon and the "+h.ending()+" at the end of the line")
		}
		if err := f.parseEnd(&one, line, cut); err != nil {
			return one, err
		}
		values = line[:cut]
	}
	if f.dimensions == 0 {
		f.dimensions = found
	}
	if found != f.dimensions {
		return one, f.fault(0, "", plural(found, "dimension"), f.wantDimensions())
	}
	return one, f.parseValues(&one, values)
}

func (h *tsHeader) ending() string {
	if h.regression {
		return "target"
	}
	return "class"
}

func (f *tsFile) wantDimensions() string {
	switch h := f.header; {
	case h.has("@dimensions"):
		return fmt.Sprintf("%d, as @dimensions says on line %d", f.dimensions, h.lines["@dimensions"])
	case h.univariate:
		return fmt.Sprintf("1, as @univariate says on line %d", h.lines["@univariate"])
	}
	return fmt.Sprintf("%d, as the first series has", f.dimensions)
}

// parseEnd reads what stands after the last colon.
func (f *tsFile) parseEnd(one *Series, line string, cut int) error {
	text := strings.TrimSpace(line[cut+1:])
	if f.header.regression {
		v, want := parseNumber(text)
		if want == "" && v != v {
			want = "a number"
		}
		if want != "" {
			return f.fault(cut+2, "target", quoted(text), want)
		}
		one.Targets = []float32{v}
		return nil
	}
	name, ok := f.header.byClass[text]
	if !ok {
		name, ok = f.header.byClass[strings.ToLower(text)]
	}
	if !ok {
		return f.fault(cut+2, "class", quoted(text), "one of "+listed(f.header.classes))
	}
	one.Label = name
	return nil
}

// parseValues reads the dimensions, each of as many values, and lays them out
// step by step.
func (f *tsFile) parseValues(one *Series, text string) error {
	channels, at := f.dimensions, 0
	for c := range channels {
		dimension, _, _ := strings.Cut(text[at:], ":")
		steps := strings.Count(dimension, ",") + 1
		if strings.TrimSpace(dimension) == "" {
			return f.fault(at+1, fmt.Sprintf("dimension %d", c+1), "no values", "1 or more")
		}
		if c == 0 {
			one.Steps = steps
			one.Values = make([]float32, steps*channels)
			if h := f.header; h.equal && h.length > 0 && steps != h.length {
				return f.fault(0, "", plural(steps, "value"),
					fmt.Sprintf("%d, as line %d says and @equalLength asks for", h.length, h.lengthLine))
			}
			if h := f.header; h.length == 0 {
				h.length, h.lengthLine = steps, f.lines.line
			}
		}
		if steps != one.Steps {
			return f.fault(at+1, fmt.Sprintf("dimension %d", c+1), plural(steps, "value"),
				fmt.Sprintf("%d, as dimension 1 has", one.Steps))
		}
		if err := f.parseDimension(one, dimension, at, c); err != nil {
			return err
		}
		at += len(dimension) + 1
	}
	return nil
}

func (f *tsFile) parseDimension(one *Series, dimension string, at, c int) error {
	step := 0
	for cell := range strings.SplitSeq(dimension, ",") {
		text := strings.TrimSpace(cell)
		v, want := parseNumber(text)
		if text == "" {
			want = "a number, or ? where it is missing"
		}
		if want != "" {
			if strings.HasPrefix(text, "(") {
				want = "a number: series with timestamps are not read; save them without"
			}
			return f.fault(at+1, fmt.Sprintf("dimension %d, step %d", c+1, step+1), quoted(text), want)
		}
		one.Values[step*f.dimensions+c] = v
		at += len(cell) + 1
		step++
	}
	return nil
}
