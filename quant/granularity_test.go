package quant

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGranularityText(t *testing.T) {
	for g, name := range map[Granularity]string{PerTensor: "tensor", PerChannel: "channel"} {
		assert.True(t, g.Valid())
		assert.Equal(t, name, g.String())
		data, err := json.Marshal(map[string]Granularity{"g": g})
		require.NoError(t, err)
		assert.JSONEq(t, `{"g":"`+name+`"}`, string(data))
		back := map[string]Granularity{}
		require.NoError(t, json.Unmarshal(data, &back))
		assert.Equal(t, g, back["g"])
	}
	var g Granularity
	assert.Equal(t, PerTensor, g, "the zero value")
	require.NoError(t, g.UnmarshalText([]byte("Channel")))
	assert.Equal(t, PerChannel, g)
	for _, name := range []string{"", "row", "channel ", "1"} {
		assert.ErrorContains(t, g.UnmarshalText([]byte(name)), "want one of tensor, channel", "%q", name)
	}
	assert.Equal(t, PerChannel, g, "left alone")
	assert.False(t, Granularity(2).Valid())
	assert.Equal(t, "Granularity(2)", Granularity(2).String())
	_, err := Granularity(2).MarshalText()
	assert.EqualError(t, err, "quant: unknown granularity 2")
}

func TestScales(t *testing.T) {
	for _, out := range []int{1, 13} {
		assert.Equal(t, 1, PerTensor.Scales(out))
		assert.Equal(t, out, PerChannel.Scales(out))
	}
}
