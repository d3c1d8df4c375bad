package dataset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSourceLoad(t *testing.T) {
	all, err := Digits()
	require.NoError(t, err)
	for _, c := range []struct {
		name        string
		source      Source
		train, test int
	}{
		{"given", Source{Name: "digits", Split: SplitGiven}, 1437, 360},
		{"validation", Source{Name: "digits", Split: SplitValidation}, 1149, 288},
		{"shuffled", Source{Name: "digits", Split: SplitRandom, TestFraction: 0.2, Seed: 11}, 1437, 360},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts, err := c.source.Load()
			require.NoError(t, err)
			assert.Equal(t, []int{c.train, c.test}, []int{parts.Train.Len(), parts.Test.Len()})
			assert.Nil(t, parts.Validation)
			again, err := c.source.Load()
			require.NoError(t, err)
			assert.Equal(t, parts, again, "a source must give the same parts again")

			c.source.ValidationFraction = 0.25
			held, err := c.source.Load()
			require.NoError(t, err)
			assert.Equal(t, parts.Test, held.Test, "validation comes out of the training part alone")
			assert.Equal(t, c.train, held.Train.Len()+held.Validation.Len())
			assert.InDelta(t, 0.25*float64(c.train), held.Validation.Len(), 1)
		})
	}
	parts, err := Source{Name: "digits", Split: SplitValidation}.Load()
	require.NoError(t, err)
	assert.Equal(t, all.Labels[1149:1437], parts.Test.(*Set).Labels, "the validation part must stay off the test part")
}

func TestSourceFaults(t *testing.T) {
	for _, c := range []struct {
		source Source
		want   string
	}{
		{Source{Name: "mnist", Split: SplitGiven}, `unknown data "mnist": want digits, or files`},
		{Source{Name: "digits", Split: "fair"}, `unknown split "fair": want one of given, shuffled, validation, auto`},
		{Source{Name: "digits", Split: SplitGiven, ValidationFraction: 1}, "validation fraction 1 is outside [0, 1)"},
		{Source{Name: "digits", Split: SplitRandom, TestFraction: 1}, "test fraction 1 is outside (0, 1)"},
	} {
		_, err := c.source.Load()
		assert.ErrorContains(t, err, c.want)
	}
}
