package quant

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// invalid is one past the last mode.
const invalid = Int8 + 1

func TestModes(t *testing.T) {
	assert.Equal(t, []Mode{Float, Binary, Ternary, Int4, Int8}, Modes())
	for _, m := range Modes() {
		assert.True(t, m.Valid(), "%v", m)
	}
	assert.False(t, invalid.Valid())
	assert.Equal(t, Float, Mode(0), "the zero value")
}

func TestModeText(t *testing.T) {
	names := map[Mode]string{Float: "float", Binary: "binary", Ternary: "ternary", Int4: "int4", Int8: "int8"}
	require.Len(t, names, len(Modes()))
	for m, name := range names {
		assert.Equal(t, name, m.String())
		text, err := m.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, name, string(text))
		var back Mode
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, m, back)
	}
	for name, want := range map[string]Mode{"TERNARY": Ternary, "Int4": Int4, "fLoAt": Float} {
		got, err := ParseMode(name)
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
	assert.Equal(t, "Mode(5)", invalid.String())
	_, err := invalid.MarshalText()
	assert.ErrorContains(t, err, "quant: unknown mode 5")
}

func TestModeUnknown(t *testing.T) {
	for _, name := range []string{"", "int", "int16", " int8", "int8 ", "bitnet", "4"} {
		_, err := ParseMode(name)
		require.Error(t, err, "%q", name)
		assert.Contains(t, err.Error(), `"`+name+`"`)
		assert.Contains(t, err.Error(), "float, binary, ternary, int4, int8")
		var m Mode
		assert.Error(t, m.UnmarshalText([]byte(name)), "%q", name)
	}
}

func TestModeJSON(t *testing.T) {
	type holder struct{ M Mode }
	data, err := json.Marshal(holder{Int4})
	require.NoError(t, err)
	assert.JSONEq(t, `{"M":"int4"}`, string(data))
	var h holder
	require.NoError(t, json.Unmarshal(data, &h))
	assert.Equal(t, Int4, h.M)
	assert.Error(t, json.Unmarshal([]byte(`{"M":"int5"}`), &h))
	assert.Error(t, json.Unmarshal([]byte(`{"M":3}`), &h), "numbers are not modes")
	_, err = json.Marshal(holder{invalid})
	assert.Error(t, err)
}

func TestBits(t *testing.T) {
	for m, want := range map[Mode]int{Float: 0, Binary: 1, Ternary: 2, Int4: 4, Int8: 8} {
		assert.Equal(t, want, m.Bits(), "%v", m)
	}
}

func TestMaxCode(t *testing.T) {
	for m, want := range map[Mode]int{Float: 0, Binary: 1, Ternary: 1, Int4: 7, Int8: 127} {
		assert.Equal(t, want, m.MaxCode(), "%v", m)
	}
}

func TestPackedBytes(t *testing.T) {
	// Weights, then bytes of the codes; the scale takes 4 more, except in Float.
	tests := map[Mode]map[int]int{
		Float:   {0: 0, 1: 4, 67: 268},
		Binary:  {0: 4, 1: 5, 8: 5, 9: 6, 67: 13, 256 * 768: 24580},
		Ternary: {0: 4, 1: 5, 5: 5, 6: 6, 67: 18, 256 * 768: 39326},
		Int4:    {0: 4, 1: 5, 2: 5, 3: 6, 67: 38, 256 * 768: 98308},
		Int8:    {0: 4, 1: 5, 2: 6, 67: 71, 256 * 768: 196612},
	}
	for m, sizes := range tests {
		for n, want := range sizes {
			assert.Equal(t, want, m.PackedBytes(n, 1), "%v, %d weights", m, n)
			if m != Float {
				want += 12 * 4
			}
			assert.Equal(t, want, m.PackedBytes(n, 13), "%v, %d weights, 13 scales", m, n)
		}
	}
}
