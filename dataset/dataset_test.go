package dataset

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Shapes of the tests: distinct primes, so that no two axes can be confused.
const (
	testN        = 17
	testSteps    = 11
	testChannels = 13
	testClasses  = 3
)

// countingSet has value 1000*i + position for sequence i and label i mod 3.
func countingSet() *Set {
	s := &Set{Name: "counting", Steps: testSteps, Channels: testChannels, Classes: []string{"a", "b", "c"}}
	for i := range testN {
		for p := range testSteps * testChannels {
			s.Values = append(s.Values, float32(1000*i+p))
		}
		s.Labels = append(s.Labels, i%testClasses)
	}
	return s
}

func TestSetAt(t *testing.T) {
	s := countingSet()
	require.NoError(t, s.Validate())
	assert.Equal(t, testN, s.Len())
	for i := range testN {
		x := s.At(i)
		require.Len(t, x, testSteps*testChannels)
		assert.Equal(t, float32(1000*i), x[0])
		assert.Equal(t, float32(1000*i+testSteps*testChannels-1), x[len(x)-1])
		assert.Equal(t, len(x), cap(x), "appending to a view must not write into the next sequence")
	}
	s.At(5)[2] = -7
	assert.Equal(t, float32(-7), s.Values[5*testSteps*testChannels+2], "a view writes through")
	assert.Panics(t, func() { s.At(testN) })
	assert.Panics(t, func() { s.At(-1) })
}

func TestSetSubset(t *testing.T) {
	s := countingSet()
	sub, err := s.Subset([]int{16, 0, 16})
	require.NoError(t, err)
	require.NoError(t, sub.Validate())
	assert.Equal(t, []int{1, 0, 1}, sub.Labels)
	assert.Equal(t, s.At(16), sub.At(0))
	assert.Equal(t, s.At(0), sub.At(1))
	assert.Equal(t, s.At(16), sub.At(2))

	sub.Values[0], sub.Labels[0], sub.Classes[0] = -1, 2, "z"
	assert.Equal(t, countingSet(), s, "a subset is a copy")

	for name, tc := range map[string]struct {
		indices []int
		want    string
	}{
		"none":     {nil, "dataset: counting: a subset of no sequences, want 1 or more"},
		"negative": {[]int{3, -1}, "dataset: counting: indices[1] is -1, want 0 to 16"},
		"past":     {[]int{17}, "dataset: counting: indices[0] is 17, want 0 to 16"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Subset(tc.indices)
			assert.EqualError(t, err, tc.want)
		})
	}
	_, err = (&Set{}).Subset([]int{0})
	assert.Error(t, err)
}

func TestSetValidate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, tc := range []struct {
		name   string
		damage func(*Set)
		want   string
	}{
		{"steps", func(s *Set) { s.Steps = 0 }, "dataset: counting: 0 steps, want 1 or more"},
		{"channels", func(s *Set) { s.Channels = -2 }, "dataset: counting: -2 channels, want 1 or more"},
		{"empty", func(s *Set) { s.Labels, s.Values = nil, nil }, "dataset: counting: no sequences, want 1 or more"},
		{"short", func(s *Set) { s.Values = s.Values[1:] },
			"dataset: counting: 2430 values, want 17 sequences x 11 steps x 13 channels"},
		{"overflow", func(s *Set) { s.Steps, s.Channels = math.MaxInt, math.MaxInt },
			"dataset: counting: 2431 values, want 17 sequences x 9223372036854775807 steps x 9223372036854775807 channels"},
		{"unlabelled", func(s *Set) { s.Labels = s.Labels[:13] },
			"dataset: counting: 2431 values, want 13 sequences x 11 steps x 13 channels"},
		{"classes", func(s *Set) { s.Classes = nil }, "dataset: counting: no classes, want 1 or more"},
		{"class_unnamed", func(s *Set) { s.Classes[1] = "" }, "dataset: counting: class 1 has no name"},
		{"class_twice", func(s *Set) { s.Classes[2] = "a" }, `dataset: counting: classes 0 and 2 are both named "a"`},
		{"label", func(s *Set) { s.Labels[4] = 3 }, "dataset: counting: label of sequence 4 is 3, want 0 to 2"},
		{"labels", func(s *Set) { s.Labels[4], s.Labels[9], s.Labels[10] = -1, 5, 6 },
			"dataset: counting: label of sequence 4 is -1, want 0 to 2 (and 2 more)"},
		{"nan", func(s *Set) { s.At(2)[3*testChannels+5] = nan },
			"dataset: counting: sequence 2, step 3, channel 5 is NaN, want a finite value"},
		{"inf", func(s *Set) { s.Values[0], s.Values[1] = inf, nan },
			"dataset: counting: sequence 0, step 0, channel 0 is -Inf, want a finite value (and 1 more)"},
		{"nameless", func(s *Set) { s.Name, s.Steps = "", 0 }, "dataset: unnamed set: 0 steps, want 1 or more"},
		{"several", func(s *Set) { s.Steps, s.Classes, s.Values[7] = 0, nil, nan },
			"dataset: counting: 0 steps, want 1 or more\ndataset: counting: value 7 is NaN, want a finite value\n" +
				"dataset: counting: no classes, want 1 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := countingSet()
			tc.damage(s)
			assert.EqualError(t, s.Validate(), tc.want)
		})
	}
	var none *Set
	assert.EqualError(t, none.Validate(), "dataset: the set is nil")
}

// sequenceOf is which sequence of a countingSet a view came from.
func sequenceOf(x []float32) int { return int(x[0]) / 1000 }

// sequences lists where the sequences of sets came from.
func sequences(sets ...*Set) []int {
	var all []int
	for _, s := range sets {
		for i := range s.Len() {
			all = append(all, sequenceOf(s.At(i)))
		}
	}
	return all
}

// ascending is 0..n-1.
func ascending(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// sorted is a sorted copy.
func sorted(all []int) []int {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}
