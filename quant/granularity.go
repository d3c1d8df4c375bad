package quant

import (
	"fmt"
	"strings"
)

// Granularity says how much of a weight shares a scale.
type Granularity uint8

const (
	// PerTensor gives a weight one scale: the default.
	PerTensor Granularity = iota
	// PerChannel gives each output of a weight, a column of [in, out], its own.
	PerChannel
)

var granularityNames = [...]string{"tensor", "channel"}

// Valid reports whether g is one of the granularities.
func (g Granularity) Valid() bool { return int(g) < len(granularityNames) }

// Scales is the number of scales of a weight [in, out].
func (g Granularity) Scales(out int) int {
	if g == PerChannel {
		return out
	}
	return 1
}

// String returns tensor or channel.
func (g Granularity) String() string {
	if !g.Valid() {
		return fmt.Sprintf("Granularity(%d)", uint8(g))
	}
	return granularityNames[g]
}

// MarshalText returns the name.
func (g Granularity) MarshalText() ([]byte, error) {
	if !g.Valid() {
		return nil, fmt.Errorf("quant: unknown granularity %d", uint8(g))
	}
	return []byte(g.String()), nil
}

// UnmarshalText reads a name, in any case.
func (g *Granularity) UnmarshalText(text []byte) error {
	for i, n := range granularityNames {
		if strings.EqualFold(n, string(text)) {
			*g = Granularity(i)
			return nil
		}
	}
	return fmt.Errorf("quant: unknown granularity %q: want one of %s", text, strings.Join(granularityNames[:], ", "))
}
