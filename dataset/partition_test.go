package dataset

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// indexed makes an index of labels and groups, which may be nil.
func indexed(labels, groups []string) *Index {
	return &Index{Name: "x", n: max(len(labels), len(groups)), Labels: labels, Groups: groups,
		segment: make([]int, max(len(labels), len(groups))), starts: orderOf(max(len(labels), len(groups)))}
}

func repeated(names string, times ...int) (out []string) {
	for i, n := range times {
		for range n {
			out = append(out, names[i:i+1])
		}
	}
	return out
}

func countOf(names []string, part []int) map[string]int {
	out := map[string]int{}
	for _, i := range part {
		out[names[i]]++
	}
	return out
}

func TestIndexSplit_stratified(t *testing.T) {
	labels := repeated("abc", 60, 30, 10)
	p, err := indexed(labels, nil).Split(SplitOptions{Test: 0.2, Validation: 0.1, Seed: 11})
	require.NoError(t, err)
	assert.Equal(t, SplitBySeries, p.By)
	assert.Equal(t, map[string]int{"a": 12, "b": 6, "c": 2}, countOf(labels, p.Test))
	assert.Equal(t, map[string]int{"a": 6, "b": 3, "c": 1}, countOf(labels, p.Validation))
	assert.Equal(t, map[string]int{"a": 42, "b": 21, "c": 7}, countOf(labels, p.Train))
	assert.Empty(t, p.Notes)

	again, err := indexed(labels, nil).Split(SplitOptions{Test: 0.2, Validation: 0.1, Seed: 11})
	require.NoError(t, err)
	assert.Equal(t, p, again)
	other, err := indexed(labels, nil).Split(SplitOptions{Test: 0.2, Validation: 0.1, Seed: 13})
	require.NoError(t, err)
	assert.NotEqual(t, p, other)
}

func TestIndexSplit_rare(t *testing.T) {
	labels := repeated("abc", 11, 1, 1)
	p, err := indexed(labels, nil).Split(SplitOptions{Test: 0.5, Seed: 3})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"a": 4, "b": 1, "c": 1}, countOf(labels, p.Train), "each class keeps one to train on")
	assert.Equal(t, []string{"the test part has no series of b, c"}, p.Notes)
	_, err = indexed(repeated("abc", 1, 1, 1), nil).Split(SplitOptions{Test: 0.3})
	assert.ErrorContains(t, err, "3 series in 3 classes leave none for the test part")
}

func TestIndexSplit_groups(t *testing.T) {
	groups := repeated("pqrst", 20, 20, 20, 20, 20)
	labels := slices.Concat(repeated("ab", 10, 10), repeated("ab", 10, 10), repeated("ab", 20, 0), repeated("ab", 0, 20), repeated("ab", 10, 10))
	p, err := indexed(labels, groups).Split(SplitOptions{Test: 0.2, Validation: 0.2, Seed: 17})
	require.NoError(t, err)
	assert.Equal(t, SplitByGroup, p.By)
	assert.Len(t, p.Test, 20)
	assert.Len(t, p.Validation, 20)
	assert.Len(t, countOf(groups, p.Test), 1)
	assert.Len(t, countOf(labels, p.Test), 2, "a way is chosen in which no class is missing")
	assert.Len(t, countOf(labels, p.Validation), 2)
	assert.Equal(t, []string{"the test part is 1 of 5 groups: " + groups[p.Test[0]], "the validation part is 1 of 5 groups: " + groups[p.Validation[0]]}, p.Notes)
}

func TestIndexSplit_overlap(t *testing.T) {
	x := indexed(repeated("ab", 10, 10), nil)
	x.Window, x.Stride = 4, 1
	_, err := x.Split(SplitOptions{Test: 0.2})
	assert.ErrorContains(t, err, "windows overlap (stride 1 is less than window 4)")
	p, err := x.Split(SplitOptions{Test: 0.2, LeakOverlaps: true})
	require.NoError(t, err)
	assert.Len(t, p.Test, 4)
	p, err = x.Split(SplitOptions{Test: 0.2, Validation: 0.3, By: SplitByTime})
	require.NoError(t, err)
	assert.Equal(t, []int{16, 17, 18, 19}, p.Test)
	assert.Equal(t, []int{10, 11, 12}, p.Validation, "the next three reach into the test part")
	assert.Equal(t, orderOf(7), p.Train)
	assert.Equal(t, "6 windows at the borders of the parts are in none", p.Notes[0])
	_, err = x.Split(SplitOptions{Test: 0.2, Validation: 0.1, By: SplitByTime})
	assert.ErrorContains(t, err, "leave a part empty")
}

func TestIndexSplit_errors(t *testing.T) {
	x := indexed(repeated("ab", 5, 5), repeated("pq", 5, 5))
	for _, tc := range []struct {
		options SplitOptions
		want    string
	}{
		{SplitOptions{Test: math.NaN()}, "test fraction NaN"},
		{SplitOptions{Test: -0.1, Validation: 1}, "validation fraction 1"},
		{SplitOptions{Test: 0.5, Validation: 0.5}, "leave nothing to train on"},
		{SplitOptions{Test: 0.2, By: "hour"}, `split by "hour", want series, group, time`},
		{SplitOptions{Test: 0.2, Validation: 0.2}, "2 groups cannot make 3 parts"},
	} {
		_, err := x.Split(tc.options)
		assert.ErrorContains(t, err, tc.want)
	}
	_, err := indexed(nil, repeated("p", 9)).Split(SplitOptions{Test: 0.2})
	assert.ErrorContains(t, err, "1 group cannot make 2 parts")
	_, err = indexed(repeated("a", 9), nil).Split(SplitOptions{Test: 0.2, By: SplitByGroup})
	assert.ErrorIs(t, err, ErrNoGroups)
	assert.ErrorContains(t, err, "a split by group, but no series has a group: name the group column")
	_, err = indexed(repeated("a", 2), nil).Split(SplitOptions{Test: 0.2, Validation: 0.2})
	assert.ErrorContains(t, err, "2 series cannot make 3 parts")
	c := &Collection{Name: "c", Series: []Series{{Group: "p"}, {}}}
	_, err = c.Split(SplitOptions{Test: 0.5})
	assert.ErrorContains(t, err, "1 of 2 series have no group, want all or none")
	p, err := x.Split(SplitOptions{})
	require.NoError(t, err)
	assert.Equal(t, orderOf(10), p.Train)
}

// TestIndexSplit_parts holds what every split must: each series in one part, no
// part empty that was asked for, no group in two, the same again.
func TestIndexSplit_parts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 60).Draw(t, "n")
		x := indexed(make([]string, n), make([]string, n))
		for i := range n {
			x.Labels[i] = fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "label"))
			x.Groups[i] = fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "group"))
		}
		o := SplitOptions{
			Test: rapid.Float64Range(0.01, 0.45).Draw(t, "test"), Validation: rapid.Float64Range(0.01, 0.45).Draw(t, "validation"),
			Seed: rapid.Uint64().Draw(t, "seed"), By: rapid.SampledFrom([]SplitBy{SplitByAuto, SplitBySeries, SplitByTime}).Draw(t, "by"),
		}
		p, err := x.Split(o)
		if err != nil {
			return
		}
		all := slices.Concat(p.Train, p.Validation, p.Test)
		slices.Sort(all)
		assert.Equal(t, orderOf(n), all)
		for _, part := range [][]int{p.Train, p.Validation, p.Test} {
			assert.NotEmpty(t, part)
			assert.True(t, slices.IsSorted(part))
		}
		if p.By == SplitByGroup {
			seen := map[string]int{}
			for k, part := range [][]int{p.Train, p.Validation, p.Test} {
				for _, i := range part {
					before, ok := seen[x.Groups[i]]
					assert.True(t, !ok || before == k, "group %s is in two parts", x.Groups[i])
					seen[x.Groups[i]] = k
				}
			}
		}
		again, err := x.Split(o)
		assert.NoError(t, err)
		assert.Equal(t, p, again)
	})
}
