// Package quant defines what a quantized number is: the modes, their scales and
// codes, and how each is rounded. The training graph, the exporter and the
// runtime all call the functions here, so there is one rule for each.
package quant

import (
	"fmt"
	"strings"
)

// Mode says how the weights of a linear layer are quantized.
type Mode uint8

// The modes. Float leaves weights as they are: the baseline.
const (
	Float Mode = iota
	Binary
	Ternary
	Int4
	Int8
)

// Modes lists every mode, in order of declaration.
func Modes() []Mode { return []Mode{Float, Binary, Ternary, Int4, Int8} }

var modeNames = [...]string{"float", "binary", "ternary", "int4", "int8"}

// String returns the mode's name: float, binary, ternary, int4 or int8.
func (m Mode) String() string {
	if !m.Valid() {
		return fmt.Sprintf("Mode(%d)", uint8(m))
	}
	return modeNames[m]
}

// Valid reports whether m is one of the modes.
func (m Mode) Valid() bool { return int(m) < len(modeNames) }

// ParseMode returns the mode of a name, in any case.
//
// Errors: a name that is none of the five.
func ParseMode(name string) (Mode, error) {
	for i, n := range modeNames {
		if strings.EqualFold(name, n) {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("quant: unknown mode %q: want one of %s", name, strings.Join(modeNames[:], ", "))
}

// MarshalText returns the mode's name.
func (m Mode) MarshalText() ([]byte, error) {
	if !m.Valid() {
		return nil, fmt.Errorf("quant: unknown mode %d", uint8(m))
	}
	return []byte(m.String()), nil
}

// UnmarshalText sets m to the mode of a name.
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMode(string(text))
	return err
}

// MaxCode is the largest code of a quantized mode: 1, 1, 7 or 127; 0 for Float.
func (m Mode) MaxCode() int { return int([...]int8{0, 1, 1, 7, 127}[m]) }

// Bits is the number of bits that hold a code of a quantized mode: 1, 2, 4 or 8; 0
// for Float.
func (m Mode) Bits() int { return [...]int{0, 1, 2, 4, 8}[m] }

// PackedBytes is the number of bytes that n weights and their scales take when
// packed: 8 binary codes a byte, 5 ternary, 2 int4, 1 int8, and 4 bytes a scale;
// Float takes 4 bytes a weight and has no scales.
func (m Mode) PackedBytes(n, scales int) int {
	if m == Float {
		return 4 * n
	}
	perByte := [...]int{0, 8, 5, 2, 1}[m]
	return (n+perByte-1)/perByte + 4*scales
}
