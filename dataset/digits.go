package dataset

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the data below
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// DigitsTrain is where the digits are split "as given": the first 1,437 of the
// 1,797 train, the last 360 test.
const DigitsTrain = 1437

// What a digits file is.
const (
	digitsRows     = 1797
	digitsSteps    = 8 // the rows of an image
	digitsChannels = 8 // the pixels of a row
	digitsClasses  = 10
	digitsMax      = 16 // the darkest pixel
	digitsColumns  = digitsSteps*digitsChannels + 1

	// digitsMaxBytes is every field at two digits and a separator.
	digitsMaxBytes = digitsRows * digitsColumns * 3
)

//go:embed digits.csv.gz
var digitsGzip []byte

var digitsOnce = sync.OnceValues(func() (*Set, error) { return openDigits(digitsGzip) })

// Digits returns 1,797 handwritten digits, each an 8x8 image read as a
// sequence: 8 rows (steps) of 8 pixels (channels). The order is the file's, so
// SplitAt(DigitsTrain) is the split "as given".
//
// The data is embedded and read once; each call returns a copy of its own.
//
// Shapes: Values [1797, 8, 8].
// Units: pixels of 0 to 16, divided by 16: exact, from 0 to 1.
// Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
// Digits, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, the test
// part; CC BY 4.0, see DIGITS-LICENSE.txt.
func Digits() (*Set, error) {
	set, err := digitsOnce()
	if err != nil {
		return nil, err
	}
	return set.clone(), nil
}

// openDigits reads the whole compressed file.
func openDigits(compressed []byte) (*Set, error) {
	z, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("dataset: digits: %w", err)
	}
	set, err := readDigits(z)
	if err != nil {
		return nil, err
	}
	if set.Len() != digitsRows {
		return nil, set.fault("%d rows, want %d", set.Len(), digitsRows)
	}
	return set, nil
}

// readDigits reads rows of 64 pixels and a digit: decimal integers without
// sign, space or leading zero, a comma between two, a newline after each row.
//
// Errors: the row and the column, counted from 1, what was there and what was
// wanted. Not more is read than a full file can hold.
func readDigits(r io.Reader) (*Set, error) {
	set := &Set{Name: "digits", Steps: digitsSteps, Channels: digitsChannels}
	for c := range digitsClasses {
		set.Classes = append(set.Classes, fmt.Sprint(c))
	}
	text, err := io.ReadAll(io.LimitReader(r, digitsMaxBytes+1))
	if err != nil {
		return nil, set.fault("%w", err)
	}
	if len(text) == 0 {
		return nil, set.fault("the file is empty, want 1 row or more")
	}
	if len(text) > digitsMaxBytes {
		return nil, set.fault("more than %d bytes, want at most %d rows of %d columns",
			digitsMaxBytes, digitsRows, digitsColumns)
	}
	for line := range strings.Lines(string(text)) {
		row := set.Len() + 1
		if row > digitsRows {
			return nil, set.fault("row %d is one too many, want %d", row, digitsRows)
		}
		if err := set.appendDigit(line); err != nil {
			return nil, set.fault("row %d%w", row, err)
		}
	}
	return set, nil
}

// appendDigit reads one row. Its error begins with the column, if it is of
// one, and goes after the row's number.
func (s *Set) appendDigit(line string) error {
	line, ended := strings.CutSuffix(line, "\n")
	if !ended {
		return errors.New(": cut short, want a newline at its end")
	}
	if n := strings.Count(line, ",") + 1; n != digitsColumns {
		return fmt.Errorf(": got %d columns, want %d", n, digitsColumns)
	}
	column := 0
	for field := range strings.SplitSeq(line, ",") {
		column++
		if column == digitsColumns {
			label, ok := smallInteger(field, digitsClasses-1)
			if !ok {
				return fmt.Errorf(", column %d: got %.20q, want a digit from 0 to %d", column, field, digitsClasses-1)
			}
			s.Labels = append(s.Labels, label)
			break
		}
		pixel, ok := smallInteger(field, digitsMax)
		if !ok {
			return fmt.Errorf(", column %d: got %.20q, want a pixel from 0 to %d", column, field, digitsMax)
		}
		s.Values = append(s.Values, float32(pixel)/digitsMax)
	}
	return nil
}

// smallInteger reads a plain decimal integer from 0 to most, itself below 100.
func smallInteger(field string, most int) (int, bool) {
	if len(field) < 1 || len(field) > 2 || (len(field) == 2 && field[0] == '0') {
		return 0, false
	}
	n := 0
	for _, c := range []byte(field) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n <= most
}
