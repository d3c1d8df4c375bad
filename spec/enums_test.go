package spec

import (
	"encoding"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// text is what every enum here offers.
type text interface {
	fmt.Stringer
	encoding.TextMarshaler
}

// enumCase is one value of one enum; read parses into a fresh value of its type.
type enumCase struct {
	kind, name string
	value      text
	read       func(name string) (text, error)
}

func enumCases() []enumCase {
	numerics := func(s string) (text, error) { var v Numerics; err := v.UnmarshalText([]byte(s)); return v, err }
	activations := func(s string) (text, error) { var v Activations; err := v.UnmarshalText([]byte(s)); return v, err }
	ste := func(s string) (text, error) { var v STE; err := v.UnmarshalText([]byte(s)); return v, err }
	pooling := func(s string) (text, error) { var v Pooling; err := v.UnmarshalText([]byte(s)); return v, err }
	positions := func(s string) (text, error) { var v Positions; err := v.UnmarshalText([]byte(s)); return v, err }
	return []enumCase{
		{"numerics", "bitnet", BitNet, numerics},
		{"numerics", "edifice", Edifice, numerics},
		{"activations", "int8", Int8Activations, activations},
		{"activations", "float", FloatActivations, activations},
		{"ste", "identity", Identity, ste},
		{"ste", "clipped", Clipped, ste},
		{"pooling", "last", LastTimestep, pooling},
		{"pooling", "mean", Mean, pooling},
		{"pooling", "all", AllTimesteps, pooling},
		{"positions", "none", NoPositions, positions},
		{"positions", "rotary", Rotary, positions},
		{"positions", "learned", Learned, positions},
	}
}

func TestEnumText(t *testing.T) {
	for _, c := range enumCases() {
		assert.Equal(t, c.name, c.value.String())
		data, err := c.value.MarshalText()
		require.NoError(t, err, c.name)
		assert.Equal(t, c.name, string(data))
		for _, name := range []string{c.name, strings.ToUpper(c.name)} {
			got, err := c.read(name)
			require.NoError(t, err, name)
			assert.Equal(t, c.value, got, name)
		}
	}
}

func TestEnumUnknown(t *testing.T) {
	for _, c := range enumCases() {
		for _, name := range []string{"", "0", "other", c.name + " ", "9"} {
			_, err := c.read(name)
			require.Error(t, err, "%s %q", c.kind, name)
			assert.Contains(t, err.Error(), fmt.Sprintf("spec: unknown %s %q: want one of ", c.kind, name))
			assert.Contains(t, err.Error(), c.name)
		}
	}
	for kind, v := range map[string]text{"numerics": Numerics(9), "activations": Activations(9), "ste": STE(9), "pooling": Pooling(9), "positions": Positions(9)} {
		assert.Equal(t, kind+"(9)", v.String())
		_, err := v.MarshalText()
		assert.ErrorContains(t, err, "spec: unknown "+kind+" 9: want one of ")
	}
}

// TestEnumDefaults: the zero values are the documented defaults.
func TestEnumDefaults(t *testing.T) {
	var m Model
	assert.Equal(t, []string{"bitnet", "int8", "identity", "last", "none"},
		[]string{m.Numerics.String(), m.Activations.String(), m.STE.String(), m.Pooling.String(), m.Positions.String()})
}
