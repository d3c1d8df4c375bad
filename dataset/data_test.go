package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat/preprocess"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCollectionSet(t *testing.T) {
	s, err := ReadTS(File("testdata/steps.ts"))
	c := collected(t, s, err)
	p, err := FitPreprocess(PreprocessOptions{Raw: true, Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	all, err := c.Set(p, c.Classes)
	require.NoError(t, err)
	assert.Equal(t, 3, all.Len())
	assert.Equal(t, []int{3, 2, 1}, all.Lengths)
	assert.Equal(t, []int{0, 1, 0}, all.Labels)
	assert.Equal(t, "0 0 4 40 5 50", text(all.At(1)), "zeros stand before a short series")
	assert.Equal(t, Example{Values: all.At(1), Length: 2, Recorded: []float32{4, 40, 5, 50}, Label: 1}, all.Example(1))
	part, err := all.Subset([]int{2, 0})
	require.NoError(t, err)
	assert.Equal(t, []int{1, 3}, part.Lengths)
	all.Lengths[1] = 4
	require.ErrorContains(t, all.Validate(), "sequence 1 has 4 steps, want 1 to 3")

	c.Series = c.Series[:1]
	first, err := c.Set(p, c.Classes)
	require.NoError(t, err)
	assert.Nil(t, first.Lengths, "equal lengths need not be said")
	assert.Equal(t, 3, first.Example(0).Length)

	_, err = c.Set(p, []string{"left", "right"})
	require.ErrorContains(t, err, `testdata/steps.ts:11: class "up", want one of left, right`)
	c.Channels = c.Channels[:1]
	_, err = c.Set(p, c.Classes)
	require.ErrorContains(t, err, "1 channel, want 2 as the training data has")
}

func TestCollectionSet_targets(t *testing.T) {
	c := collectionOf(1, []float32{1, 2}, []float32{3})
	c.Outputs = 2
	c.Series[0].Targets, c.Series[1].Targets = []float32{1, 2}, []float32{3, 4}
	p, err := FitPreprocess(PreprocessOptions{Raw: true, Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	all, err := c.Set(p, nil)
	require.NoError(t, err)
	assert.Equal(t, 2, all.Len())
	assert.Equal(t, []float32{1, 2, 3, 4}, all.Targets)
	assert.Equal(t, []float32{3, 4}, all.Example(1).Targets)
	last, err := all.Subset([]int{1})
	require.NoError(t, err)
	assert.Equal(t, []float32{3, 4}, last.Targets)
	train, test, err := all.SplitAt(1)
	require.NoError(t, err)
	assert.Equal(t, [][]float32{{1, 2}, {3, 4}}, [][]float32{train.Targets, test.Targets})
	scale, err := FitTargets(c.All())
	require.NoError(t, err)
	assert.Equal(t, preprocess.Scaler{Mean: []float64{2, 3}, Std: []float64{1, 1}}, scale)

	c.Series[1].Targets = c.Series[1].Targets[:1]
	_, err = c.Set(p, nil)
	require.ErrorContains(t, err, "1 target, want 2")
	for want, spoil := range map[string]func(*Set){
		"3 targets, want 2 of each":               func(s *Set) { s.Targets = s.Targets[:3] },
		"target 1 of sequence 1 is NaN":           func(s *Set) { s.Targets[3] = nan },
		"classes beside targets, want one of":     func(s *Set) { s.Classes = []string{"a"} },
		"-2 outputs":                              func(s *Set) { s.Outputs = -2 },
		"no sequences":                            func(s *Set) { s.Targets, s.Values, s.Lengths = nil, nil, nil },
		"4 values, want 2 sequences x 3 steps x ": func(s *Set) { s.Steps = 3 },
	} {
		bad := all.clone()
		spoil(bad)
		assert.ErrorContains(t, bad.Validate(), want)
	}
}

// epochOf are the first values of an epoch's examples.
func epochOf(t *testing.T, d Data, seed uint64, epoch int) []float32 {
	t.Helper()
	var firsts []float32
	for e, err := range d.Epoch(seed, epoch) {
		require.NoError(t, err)
		firsts = append(firsts, e.Values[len(e.Values)-1])
	}
	return firsts
}

// wideFile is a file of n series that are told apart by their last value.
func wideFile(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("a,b,c,y\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%d,%d,%s\n", i%7, i%5, i, []string{"up", "down"}[i%2])
	}
	path := filepath.Join(t.TempDir(), "wide.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o666))
	return path
}

// TestStreamed holds data that is read anew for each epoch to the same data in
// memory.
func TestStreamed(t *testing.T) {
	const n = 101
	source := Source{Files: []string{wideFile(t, n)}, Split: SplitAuto, TestFraction: 0.2, ValidationFraction: 0.1, Prepare: PreprocessOptions{Frame: 2, Hop: 1}}
	held, err := source.Load()
	require.NoError(t, err)
	require.IsType(t, &Set{}, held.Train)
	source.Memory = 13 * 4 * 2 * 2 // 13 sequences of 2 frames of 2
	streamed, err := source.Load()
	require.NoError(t, err)
	assert.Equal(t, held.Preprocess, streamed.Preprocess)
	for _, d := range [][2]Data{{held.Train, streamed.Train}, {held.Validation, streamed.Validation}, {held.Test, streamed.Test}} {
		want, got := d[0], d[1]
		require.IsType(t, &Streamed{}, got)
		assert.Equal(t, want.Len(), got.Len())
		set, err := got.(*Streamed).Set()
		require.NoError(t, err)
		assert.Equal(t, want, set)
		a, err := want.Sum()
		require.NoError(t, err)
		b, err := got.Sum()
		require.NoError(t, err)
		assert.Equal(t, a, b)
	}
	train := streamed.Train.(*Streamed)
	assert.Equal(t, 13, train.Buffer())
	assert.Contains(t, strings.Join(streamed.Notes, "\n"), "shuffled among 13 of 71 series at a time")
	order := epochOf(t, train, 0, 0)
	shuffled := epochOf(t, train, 3, 1)
	assert.Equal(t, shuffled, epochOf(t, train, 3, 1), "seeded")
	assert.NotEqual(t, shuffled, epochOf(t, train, 3, 2))
	assert.NotEqual(t, shuffled, epochOf(t, train, 4, 1))
	assert.NotEqual(t, shuffled, order)
	slices.Sort(shuffled)
	slices.Sort(order)
	assert.Equal(t, order, shuffled, "each sequence once")
	for place, v := range epochOf(t, train, 3, 1) {
		assert.Less(t, slices.Index(order, v), place+13, "not read before its time")
	}
	for range train.Epoch(0, 1) {
		break // leaving early must not call yield again
	}
}

func TestStreamed_changes(t *testing.T) {
	path := wideFile(t, 101)
	source := Source{Files: []string{path}, Split: SplitAuto, TestFraction: 0.2, Memory: 400}
	parts, err := source.Load()
	require.NoError(t, err)
	last := func(d Data) (last error) {
		for _, err := range d.Epoch(0, 0) {
			last = err
		}
		return last
	}
	require.NoError(t, last(parts.Train))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text[:len(text)/2], 0o666))
	require.Error(t, last(parts.Train), "a file that shrank")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "down", "sideways")), 0o666))
	require.ErrorContains(t, last(parts.Train), `class "sideways", want one of down, up`)

	all := ascending(11)
	d := &Streamed{facts: Facts{Name: "d", N: 11, Steps: 1, Channels: 1, Outputs: 1}}
	d.facts.Pipeline, err = FitPreprocess(PreprocessOptions{Raw: true, Frame: 1}, []string{"a"}, numbered1(all).All())
	require.NoError(t, err)
	for _, n := range []int{10, 12} {
		d.stream = numbered1(ascending(n)).stream()
		require.ErrorContains(t, last(d), fmt.Sprintf("%d series, had 11", n))
	}
	_, err = NewStreamed(d.facts.Pipeline, d.stream, 0, nil, 1)
	require.True(t, errors.Is(err, errNoSeries))
}

// numbered1 is a collection of series of one value, also their target.
func numbered1(values []int) *Collection {
	c := &Collection{Name: "d", Channels: []string{"a"}, Outputs: 1}
	for _, v := range values {
		c.Series = append(c.Series, Series{Values: []float32{float32(v)}, Steps: 1, Targets: []float32{float32(v)}})
	}
	return c
}

func TestSetEpoch(t *testing.T) {
	s := countingSet()
	inOrder := epochOf(t, s, 1, 0)
	assert.Equal(t, inOrder, epochOf(t, s, 2, 0), "epoch 0 is in order")
	first := epochOf(t, s, 1, 1)
	assert.NotEqual(t, inOrder, first)
	want := []float32{}
	for _, i := range Shuffle(s.Len(), 1, 1) {
		want = append(want, s.At(i)[len(s.At(i))-1])
	}
	assert.Equal(t, want, first)
	sum, err := s.Sum()
	require.NoError(t, err)
	for name, change := range map[string]func(*Set){
		"value":   func(s *Set) { s.Values[5]++ },
		"label":   func(s *Set) { s.Labels[3] = (s.Labels[3] + 1) % len(s.Classes) },
		"class":   func(s *Set) { s.Classes[0] = "other" },
		"lengths": func(s *Set) { s.Lengths = slices.Repeat([]int{s.Steps - 1}, s.Len()) },
	} {
		other := s.clone()
		change(other)
		got, err := other.Sum()
		require.NoError(t, err)
		assert.NotEqual(t, sum, got, name)
	}
}

func TestHorizonOverlaps(t *testing.T) {
	x := &Index{Name: "x", Window: 30, Stride: 30, Horizon: 25, n: 9}
	_, err := x.Split(SplitOptions{Test: 0.3, By: SplitBySeries})
	assert.ErrorIs(t, err, ErrOverlap)
	assert.ErrorContains(t, err, "stride 30 is less than window 30 + horizon 25")
	x.Horizon = 0
	_, err = x.Split(SplitOptions{Test: 0.3, By: SplitBySeries})
	assert.NoError(t, err)
}
