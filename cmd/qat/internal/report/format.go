package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// clean replaces what has no place on a page: broken UTF-8, control characters,
// and marks that turn the direction of the text around them.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return unicode.ReplacementChar
	}, s)
}

// short cuts a name to n runes.
func short(s string, n int) string {
	runes := []rune(clean(s))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// percent is a fraction as 97.2.
func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) }

// number is v with four significant digits.
func number(v float64) string { return plain(v, 4) }

// plain has so many significant digits, and no zeros at the end or in an exponent.
func plain(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'g', digits, 64)
	mantissa, exponent, ok := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if !ok {
		return minus(mantissa)
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return minus(s)
	}
	if n >= 0 && n < 15 {
		return minus(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return minus(mantissa) + "e" + minus(strconv.Itoa(n))
}

// minus puts the sign in place of the hyphen.
func minus(s string) string { return strings.Replace(s, "-", "−", 1) }

// Count is an integer with commas, as 100,298.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return minus(s)
}

// Bytes is a size as 25.4 kB, with powers of a thousand.
func Bytes(n int) string {
	if n < 1000 {
		return Count(n) + " B"
	}
	v := float64(n)
	for _, unit := range []string{"kB", "MB", "GB"} {
		if v /= 1000; v < 999.5 || unit == "GB" {
			digits := 1
			if v >= 100 {
				digits = 0
			}
			return strconv.FormatFloat(v, 'f', digits, 64) + " " + unit
		}
	}
	return ""
}

// at is a coordinate.
func at(v float64) string { return strconv.FormatFloat(math.Round(10*v)/10, 'f', -1, 64) }

// ticks are about n round numbers from lo to hi or just beyond; whole ones if whole.
func ticks(lo, hi float64, n int, whole bool) []float64 {
	if !(hi > lo) {
		return []float64{lo}
	}
	raw := (hi - lo) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, m := range []float64{1, 2, 2.5, 5} {
		if whole && m*power != math.Trunc(m*power) {
			continue
		}
		if m*power >= raw*(1-1e-9) {
			step = m * power
			break
		}
	}
	var all []float64
	for k := math.Floor(lo/step + 1e-9); ; k++ {
		all = append(all, k*step)
		if k*step >= hi-1e-9*step || len(all) > 4*n {
			return all
		}
	}
}

// wilson is the 95% interval of a share of n.
//
// Source: Wilson 1927, eq. for the score interval; 1.96 is the normal's 97.5th
// percentile.
func wilson(p float64, n int) (lo, hi float64) {
	const z = 1.959964
	m := float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(centre-half, 0), min(centre+half, 1)
}
