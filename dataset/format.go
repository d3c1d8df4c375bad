package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// FormatError says where a file is not what its reader wants: the place, what
// was there and what was wanted.
//
//	dataset: mine.csv: line 17, column 4 ("acc_x"): saw "abc", want a number
type FormatError struct {
	File   string
	Line   int    // from 1; 0 if the fault is of no one line
	Column int    // from 1: a field of a CSV row, a byte of a .ts line; 0 if of none
	Part   string // what the place is: a column's name, a step; may be empty
	Saw    string
	Want   string // may be empty
}

// Error gives place, fact and bound, in that order.
func (e *FormatError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dataset: %s", e.File)
	separator := ": "
	if e.Line > 0 {
		fmt.Fprintf(&b, ": line %d", e.Line)
		separator = ", "
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, "%scolumn %d", separator, e.Column)
	}
	switch {
	case e.Part == "":
	case e.Line > 0 || e.Column > 0:
		fmt.Fprintf(&b, " (%s)", e.Part)
	default:
		fmt.Fprintf(&b, ": %s", e.Part)
	}
	fmt.Fprintf(&b, ": saw %s", e.Saw)
	if e.Want != "" {
		fmt.Fprintf(&b, ", want %s", e.Want)
	}
	return b.String()
}

// quotedMost is as much of a cell as a message repeats.
const quotedMost = 40

// quoted repeats a piece of a file in a message, cut where it is long.
func quoted(s string) string {
	if utf8.RuneCountInString(s) <= quotedMost {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%.*q...", quotedMost, s)
}

// listed joins names for a message, the first twelve of them.
func listed(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// plural is "1 step" or "3 steps".
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "series":
		return fmt.Sprintf("%d series", n)
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, noun[:len(noun)-1])
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
