package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// npyHeader is what the beginning of an .npy file says of its array.
type npyHeader struct {
	order byte // '<' little or '>' big end first, '|' if it is all one
	kind  byte // f, i, u, b, U or S
	size  int  // bytes of an element; letters of a U
	shape []int
	bytes int64 // of the header itself
}

// elements is the number of elements. It does not overflow: readNPYHeader saw
// to that.
func (h *npyHeader) elements() int {
	n := 1
	for _, d := range h.shape {
		n *= d
	}
	return n
}

// width is the bytes of an element.
func (h *npyHeader) width() int {
	if h.kind == 'U' {
		return 4 * h.size
	}
	return h.size
}

func (h *npyHeader) isText() bool    { return h.kind == 'U' || h.kind == 'S' }
func (h *npyHeader) isInteger() bool { return h.kind == 'i' || h.kind == 'u' || h.kind == 'b' }

// dtype is the element's type as NumPy writes it.
func (h *npyHeader) dtype() string { return fmt.Sprintf("%c%c%d", h.order, h.kind, h.size) }

// canonical is the header as NumPy's first version of the format has it.
func (h *npyHeader) canonical() []byte {
	dims := make([]string, len(h.shape))
	for i, d := range h.shape {
		dims[i] = strconv.Itoa(d) + ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", h.dtype(), strings.Join(dims, " "))
	head := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(head[8:], uint16(len(text)))
	return append(head, text...)
}

const (
	npyHeaderMost   = 64 << 10
	npyElementsMost = 1 << 48 // so that a size in bytes fits 63 bits
	npyTextMost     = 1 << 16 // letters of a text element
	npyAxesMost     = 32      // as NumPy's
)

var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([^'"]*)['"]`)
	npyNoDescr = regexp.MustCompile(`['"]descr['"]\s*:\s*[\[(]`)
	npyOrder   = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)\b`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([0-9L,\s]*)\)`)
	npyType    = regexp.MustCompile(`^([<>|=])([a-zA-Z])([0-9]{1,5})$`)
)

// readNPYHeader reads the beginning of an .npy file of any version, whatever the
// order and the spaces of its dictionary.
func readNPYHeader(in Input, r io.Reader) (*npyHeader, error) {
	fault := func(saw, want string) error {
		return &FormatError{File: in.Name, Part: "header", Saw: saw, Want: want}
	}
	short := func(err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fault("the end of the file", "an .npy header")
		}
		return in.fault(err)
	}
	var start [12]byte
	if _, err := io.ReadFull(r, start[:10]); err != nil {
		return nil, short(err)
	}
	if string(start[:6]) != "\x93NUMPY" {
		return nil, fault(fmt.Sprintf("%.6q", start[:6]), `the start of an .npy file, "\x93NUMPY"`)
	}
	h := &npyHeader{bytes: 10}
	length := int(binary.LittleEndian.Uint16(start[8:]))
	switch version := start[6]; version {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return nil, short(err)
		}
		long := binary.LittleEndian.Uint32(start[8:])
		length = int(min(long, npyHeaderMost+1))
		h.bytes = 12
	default:
		return nil, fault(fmt.Sprintf("version %d", version), "1, 2 or 3")
	}
	if length > npyHeaderMost {
		return nil, fault("a longer header", fmt.Sprintf("at most %d bytes", npyHeaderMost))
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, short(err)
	}
	h.bytes += int64(length)
	return h, h.parse(strings.TrimSpace(string(text)), fault)
}

// parse reads the dictionary.
func (h *npyHeader) parse(text string, fault func(saw, want string) error) error {
	if !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") {
		return fault(quoted(text), "a dictionary {...}")
	}
	if npyNoDescr.MatchString(text) {
		return fault("an array of records", "one of numbers")
	}
	descr, order, shape := npyDescr.FindAllStringSubmatch(text, 2), npyOrder.FindAllStringSubmatch(text, 2), npyShape.FindAllStringSubmatch(text, 2)
	for _, key := range []struct {
		name  string
		found [][]string
	}{{"descr", descr}, {"fortran_order", order}, {"shape", shape}} {
		if len(key.found) != 1 {
			return fault(fmt.Sprintf("%s: %s", plural(len(key.found), key.name+" entry"), quoted(text)), "1")
		}
	}
	for token := range strings.SplitSeq(shape[0][1], ",") {
		token = strings.TrimSuffix(strings.TrimSpace(token), "L")
		if token == "" {
			continue
		}
		d, err := strconv.Atoi(token)
		if err != nil || d < 0 || d > npyElementsMost || len(h.shape) == npyAxesMost {
			return fault("the shape "+quoted(shape[0][1]), "at most 32 dimensions of 0 or more")
		}
		h.shape = append(h.shape, d)
	}
	total := 1
	for _, d := range h.shape {
		if d > 0 && total > npyElementsMost/d {
			return fault("the shape "+quoted(shape[0][1]), "fewer elements")
		}
		total *= max(d, 1)
	}
	if order[0][1] == "True" && len(h.shape) > 1 {
		return fault("an array stored column by column", "row by row: save numpy.ascontiguousarray of it")
	}
	return h.setType(descr[0][1], fault)
}

// npySizes are the sizes that elements of a kind may have; text has any.
var npySizes = map[byte]string{'f': "4 8", 'i': "1 2 4 8", 'u': "1 2 4 8", 'b': "1"}

func (h *npyHeader) setType(text string, fault func(saw, want string) error) error {
	const want = "float32, float64, integers, booleans or, for names, text"
	found := npyType.FindStringSubmatch(text)
	if found == nil {
		return fault("elements of type "+quoted(text), want)
	}
	h.order, h.kind = found[1][0], found[2][0]
	if h.order == '=' {
		h.order = '<'
	}
	h.size, _ = strconv.Atoi(found[3])
	switch sizes, ok := npySizes[h.kind]; {
	case ok && strings.Contains(" "+sizes+" ", " "+strconv.Itoa(h.size)+" "):
	case h.isText() && h.size <= npyTextMost:
	case h.kind == 'f':
		return fault("elements of type "+quoted(text), "float32 or float64: save numpy.float32 of it")
	default:
		return fault("elements of type "+quoted(text), want)
	}
	if h.width() == 1 || h.kind == 'S' {
		h.order = '|'
	} else if h.order == '|' {
		return fault("elements of type "+quoted(text), "a byte order, < or >")
	}
	return nil
}
