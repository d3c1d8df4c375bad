package dataset

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplitAt(t *testing.T) {
	s := countingSet()
	train, test, err := s.SplitAt(11)
	require.NoError(t, err)
	require.NoError(t, train.Validate())
	require.NoError(t, test.Validate())
	assert.Equal(t, 11, train.Len())
	assert.Equal(t, 6, test.Len())
	assert.Equal(t, ascending(testN), sequences(train, test))
	assert.Equal(t, s.Labels[11:], test.Labels)

	train.Values[0], test.Labels[0] = -1, 2
	assert.Equal(t, countingSet(), s, "a split is a copy")

	for _, n := range []int{-1, 0, testN, testN + 1} {
		_, _, err := s.SplitAt(n)
		assert.ErrorContains(t, err, "sequences, want 1 to 16", "n = %d", n)
	}
	_, _, err = (&Set{}).SplitAt(1)
	assert.Error(t, err)
}

func TestSplitShuffled(t *testing.T) {
	s := countingSet()
	train, test, err := s.SplitShuffled(0.3, 29)
	require.NoError(t, err)
	assert.Equal(t, 6, test.Len(), "ceil(0.3 * 17)")
	assert.Equal(t, 11, train.Len())
	all := sequences(test, train)
	assert.NotEqual(t, ascending(testN), all)
	assert.Equal(t, ascending(testN), sorted(all), "every sequence is in one part, once")
	for _, part := range []*Set{train, test} {
		require.NoError(t, part.Validate())
		for i := range part.Len() {
			assert.Equal(t, sequenceOf(part.At(i))%testClasses, part.Labels[i], "labels move with values")
		}
	}

	again, _, err := s.SplitShuffled(0.3, 29)
	require.NoError(t, err)
	assert.Equal(t, train, again)
	other, _, err := s.SplitShuffled(0.3, 31)
	require.NoError(t, err)
	assert.NotEqual(t, train, other)
	assert.Equal(t, countingSet(), s)
}

func TestSplitShuffled_count(t *testing.T) {
	for _, tc := range []struct {
		n        int
		fraction float64
		want     int
	}{
		{100, 0.07, 7}, // 0.07 * 100 rounds to more than 7
		{1797, 0.2, 360},
		{17, 1e-12, 1},
		{17, 0.94, 16},
	} {
		s := &Set{Steps: 1, Channels: 1, Classes: []string{"a"}, Values: make([]float32, tc.n), Labels: make([]int, tc.n)}
		train, test, err := s.SplitShuffled(tc.fraction, 37)
		require.NoError(t, err, "%v of %d", tc.fraction, tc.n)
		assert.Equal(t, tc.want, test.Len(), "%v of %d", tc.fraction, tc.n)
		assert.Equal(t, tc.n-tc.want, train.Len(), "%v of %d", tc.fraction, tc.n)
	}
}

func TestSplitShuffled_errors(t *testing.T) {
	s := countingSet()
	for _, f := range []float64{0, 1, -0.1, 1.1, math.NaN(), math.Inf(1)} {
		_, _, err := s.SplitShuffled(f, 41)
		assert.ErrorContains(t, err, "want more than 0 and less than 1", "fraction %v", f)
	}
	_, _, err := s.SplitShuffled(0.99, 41)
	assert.EqualError(t, err, "dataset: counting: test fraction 0.99 of 17 sequences leaves none to train on")
	_, _, err = (&Set{}).SplitShuffled(0.5, 41)
	assert.Error(t, err)
}
