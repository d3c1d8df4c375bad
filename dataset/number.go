package dataset

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

var nan = float32(math.NaN())

// missingWords are the cells, besides the empty one, that stand for no value,
// in any case.
var missingWords = []string{"?", "nan", "na", "n/a", "null"}

// isMissing tells whether a trimmed cell stands for no value.
func isMissing(cell string) bool {
	if cell == "" {
		return true
	}
	if len(cell) > 4 {
		return false
	}
	for _, word := range missingWords {
		if strings.EqualFold(cell, word) {
			return true
		}
	}
	return false
}

// parseNumber reads a decimal number, or NaN for a missing value. If the cell is
// neither, want says what it should have been.
//
// Hexadecimal numbers, digit separators and infinities, which strconv would
// take, are refused.
func parseNumber(cell string) (v float32, want string) {
	if isMissing(cell) {
		return nan, ""
	}
	if strings.IndexFunc(cell, notOfNumber) >= 0 {
		if strings.Count(cell, ",") == 1 && strings.IndexFunc(strings.Replace(cell, ",", "", 1), notOfNumber) < 0 {
			return 0, "a number with a decimal point"
		}
		if x, err := strconv.ParseFloat(cell, 64); err == nil && math.IsInf(x, 0) {
			return 0, "a finite number"
		}
		return 0, "a number"
	}
	x, err := strconv.ParseFloat(cell, 32)
	switch {
	case err == nil:
		return float32(x), ""
	case math.IsInf(x, 0):
		return 0, "a number that fits 32 bits (at most 3.4e38)"
	}
	return 0, "a number"
}

func notOfNumber(c rune) bool {
	return (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E'
}

// isNumber tells whether a trimmed cell is a number, not a missing value.
func isNumber(cell string) bool {
	if isMissing(cell) {
		return false
	}
	_, want := parseNumber(cell)
	return want == ""
}

// isUnlabelled tells whether a trimmed cell of a label or group column names
// nothing. "NA" and "null" may be names; these may not.
func isUnlabelled(cell string) bool {
	return cell == "" || cell == "?" || strings.EqualFold(cell, "nan")
}

// wholeFloat is a whole number as a program writes it that keeps it as a float.
var wholeFloat = regexp.MustCompile(`^[+-]?[0-9]+\.[0-9]*(e[+-]?[0-9]{1,3})?$`)

// className is the name that a cell of a label column stands for: the cell, but
// 1.0 and 1.000e+00 are 1, which files that went through a float column need.
func className(cell string) string {
	if !wholeFloat.MatchString(cell) {
		return cell
	}
	x, err := strconv.ParseFloat(cell, 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return cell
	}
	return strconv.FormatInt(int64(x), 10)
}
