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

// rowMost is the most bytes that a row of a text file may have: a quote that is
// never closed must not draw the rest of the file into memory.
const rowMost = 256 << 20

// tsHeader is what the tags of a .ts file say, and the line each stood on.
type tsHeader struct {
	lines map[string]int

	problem    string
	univariate bool
	equal      bool
	dimensions int // 0: not said
	length     int // of the first series, until @seriesLength says; 0 before both
	lengthLine int
	labelled   bool
	regression bool
	classes    []string
	byClass    map[string]string // from a class as written, and in lower case, to its name
	unknown    []string
}

func (h *tsHeader) has(tag string) bool { return h.lines[tag] > 0 }

// lineReader reads lines of any length up to rowMost, counting them.
type lineReader struct {
	r    *bufio.Reader
	in   Input
	line int
	long []byte
}

// next returns a line without its end, or io.EOF. It is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	l.line++
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long)+len(part) > rowMost {
			return nil, &FormatError{File: l.in.Name, Line: l.line,
				Saw: "a longer line", Want: fmt.Sprintf("at most %d MiB", rowMost>>20)}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			l.long = append(l.long, part...)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, l.in.fault(err)
		case err != nil && len(part) == 0 && len(l.long) == 0:
			return nil, io.EOF
		case len(l.long) == 0:
			return part, nil
		}
		l.long = append(l.long, part...)
		return l.long, nil
	}
}

// readTSHeader reads up to and including @data.
func readTSHeader(l *lineReader) (*tsHeader, error) {
	h := &tsHeader{lines: map[string]int{}}
	for {
		raw, err := l.next()
		if errors.Is(err, io.EOF) {
			if l.line == 1 {
				return nil, &FormatError{File: l.in.Name, Saw: "an empty file", Want: "tags, @data and series"}
			}
			return nil, &FormatError{File: l.in.Name, Line: l.line, Saw: "the end of the file", Want: "@data"}
		}
		if err != nil {
			return nil, err
		}
		line := strings.TrimSpace(string(raw))
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		tag := strings.ToLower(words[0])
		if tag == "@dimension" {
			tag = "@dimensions"
		}
		fault := func(saw, want string) error {
			return &FormatError{File: l.in.Name, Line: l.line, Part: tsPart(tag), Saw: saw, Want: want}
		}
		if tag[0] != '@' {
			return nil, fault(quoted(line), "a tag like @problemName, or @data before the series")
		}
		if first := h.lines[tag]; first > 0 {
			return nil, fault("the tag a second time", fmt.Sprintf("it once: it is on line %d", first))
		}
		h.lines[tag] = l.line
		if tag == "@data" {
			if len(words) > 1 {
				return nil, fault(quoted(line), "@data alone on its line")
			}
			return h, h.check(l)
		}
		if err := h.set(tag, words[1:], fault); err != nil {
			return nil, err
		}
	}
}

func tsPart(tag string) string {
	if !strings.HasPrefix(tag, "@") || len(tag) > 20 {
		return ""
	}
	return tag
}

// set takes one tag's values.
func (h *tsHeader) set(tag string, values []string, fault func(saw, want string) error) error {
	one := func(want string) (string, error) {
		if len(values) != 1 {
			return "", fault(plural(len(values), "value"), want)
		}
		return values[0], nil
	}
	switch tag {
	case "@problemname":
		if len(values) == 0 {
			return fault("no name", "a name")
		}
		h.problem = strings.Join(values, " ")
		return nil
	case "@timestamps", "@missing", "@univariate", "@equallength", "@targetlabel":
		value, err := one("true or false")
		if err != nil {
			return err
		}
		on, ok := parseTSBool(value)
		if !ok {
			return fault(quoted(value), "true or false")
		}
		switch tag {
		case "@timestamps":
			if on {
				return fault("true", "false: series with timestamps are not read; save them without")
			}
		case "@univariate":
			h.univariate = on
		case "@equallength":
			h.equal = on
		case "@targetlabel":
			h.regression = on
		}
		return nil
	case "@dimensions", "@serieslength":
		value, err := one("a whole number, 1 or more")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fault(quoted(value), "a whole number, 1 or more")
		}
		if tag == "@dimensions" {
			h.dimensions = n
		} else {
			h.length, h.lengthLine = n, h.lines[tag]
		}
		return nil
	case "@classlabel":
		return h.setClasses(values, fault)
	}
	if tag == "@" || len(tag) > 20 {
		return fault(quoted(tag), "a tag like @problemName")
	}
	h.unknown = append(h.unknown, tag)
	return nil
}

func (h *tsHeader) setClasses(values []string, fault func(saw, want string) error) error {
	if len(values) == 0 {
		return fault("no value", "true and the classes, or false")
	}
	on, ok := parseTSBool(values[0])
	if !ok {
		return fault(quoted(values[0]), "true and the classes, or false")
	}
	h.labelled = on
	h.classes = values[1:]
	if on && len(h.classes) == 0 {
		return fault("true without classes", "the name of each class after it")
	}
	if !on && len(h.classes) > 0 {
		return fault("false with classes", "no classes after false")
	}
	h.byClass = map[string]string{}
	for i, name := range h.classes {
		if j := slices.Index(h.classes[:i], name); j >= 0 {
			return fault(fmt.Sprintf("class %s twice", quoted(name)), "each class once")
		}
		if strings.ContainsAny(name, ":,") {
			return fault("class "+quoted(name), "names without colons or commas, a space between two")
		}
		h.byClass[name] = name
	}
	for _, name := range h.classes { // an exact name comes before one in other case
		if lower := strings.ToLower(name); h.byClass[lower] == "" {
			h.byClass[lower] = name
		}
	}
	return nil
}

func parseTSBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// check judges the tags together.
func (h *tsHeader) check(l *lineReader) error {
	fault := func(tag, saw, want string) error {
		return &FormatError{File: l.in.Name, Line: h.lines[tag], Part: tag, Saw: saw, Want: want}
	}
	switch {
	case !h.has("@classlabel") && !h.has("@targetlabel"):
		return fault("@data", "neither @classLabel nor @targetLabel before it", "one of them")
	case h.labelled && h.regression:
		return fault("@targetlabel", "true beside @classLabel true", "one of them")
	case h.univariate && h.dimensions > 1:
		return fault("@dimensions", fmt.Sprintf("%d beside @univariate true", h.dimensions), "1")
	case h.equal && !h.has("@equallength"):
		return fault("@equallength", "no value", "true or false")
	}
	if h.univariate {
		h.dimensions = 1
	}
	return nil
}
