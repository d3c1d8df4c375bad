package dataset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCollectionSequences(t *testing.T) {
	s, err := ReadTS(File("testdata/steps.ts"))
	c := collected(t, s, err)
	p, err := FitPreprocess(PreprocessOptions{Raw: true}, c.Channels, c.All())
	require.NoError(t, err)
	all, err := c.Sequences(p, c.Classes)
	require.NoError(t, err)
	assert.Equal(t, 3, all.Len())
	assert.Equal(t, []int{3, 2, 1}, all.Lengths)
	assert.Equal(t, []int{0, 1, 0}, all.Labels)
	assert.Equal(t, "0 0 4 40 5 50", text(all.At(1)), "zeros stand before a short series")

	values, lengths := make([]float32, 12), make([]float32, 2)
	require.NoError(t, all.Batch(values, lengths, []int{2, 1}))
	assert.Equal(t, "0 0 0 0 7 70 0 0 4 40 5 50", text(values))
	assert.Equal(t, []float32{1, 2}, lengths)
	require.ErrorContains(t, all.Batch(values, lengths, []int{2}), "room for 12 values and 2 lengths, want 6 and 1")

	uneven, err := all.Set()
	require.NoError(t, err)
	assert.Equal(t, all.Lengths, uneven.Lengths, "a Set keeps unequal lengths")
	assert.Equal(t, all.Lengths, SequencesOf(uneven).Lengths)
	part, err := uneven.Subset([]int{2, 0})
	require.NoError(t, err)
	assert.Equal(t, []int{1, 3}, part.Lengths)
	uneven.Lengths[1] = 4
	require.ErrorContains(t, uneven.Validate(), "sequence 1 has 4 steps, want 1 to 3")
	first, err := all.Subset([]int{0})
	require.NoError(t, err)
	set, err := first.Set()
	require.NoError(t, err)
	assert.Equal(t, []int{0}, set.Labels)
	assert.Nil(t, set.Lengths, "equal lengths need not be said")
	assert.Equal(t, first.Values, SequencesOf(set).Values)
	require.NoError(t, SequencesOf(set).Validate())

	_, err = c.Sequences(p, []string{"up", "left"})
	require.ErrorContains(t, err, `testdata/steps.ts:12: class "Down", want one of up, left`)
	c.Channels = c.Channels[:1]
	_, err = c.Sequences(p, c.Classes)
	require.ErrorContains(t, err, "1 channel, want 2 as the training data has")
}

func TestCollectionSequences_targets(t *testing.T) {
	c := collectionOf(1, []float32{1, 2}, []float32{3})
	c.Outputs = 2
	c.Series[0].Targets, c.Series[1].Targets = []float32{1, 2}, []float32{3, 4}
	c.Series[0].Group, c.Series[1].Group = "p", "q"
	p, err := FitPreprocess(PreprocessOptions{Raw: true}, c.Channels, c.All())
	require.NoError(t, err)
	all, err := c.Sequences(p, nil)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 2, 3, 4}, all.Targets)
	assert.Equal(t, []string{"p", "q"}, all.Groups)
	last, err := all.Subset([]int{1})
	require.NoError(t, err)
	assert.Equal(t, []float32{3, 4}, last.Targets)
	_, err = all.Set()
	require.ErrorContains(t, err, "no classes")
	scale, err := FitTargets(c.All())
	require.NoError(t, err)
	assert.Equal(t, Scaler{Mean: []float64{2, 3}, Std: []float64{1, 1}}, scale)
}

func TestSequencesValidate(t *testing.T) {
	good := func() *Sequences {
		return &Sequences{Name: "s", Steps: 2, Channels: 1, Values: []float32{1, 2, 3, 4}, Lengths: []int{1, 2}, Classes: []string{"a"}, Labels: []int{0, 0}}
	}
	require.NoError(t, good().Validate())
	for want, spoil := range map[string]func(*Sequences){
		"0 sequences of 2 steps":                            func(s *Sequences) { s.Lengths = nil },
		"3 values, want 2 sequences x 2 steps x 1 channels": func(s *Sequences) { s.Values = s.Values[:3] },
		"sequence 0 has 3 steps, want 1 to 2":               func(s *Sequences) { s.Lengths[0] = 3 },
		"value 1 is NaN":                                    func(s *Sequences) { s.Values[1] = nan },
		"1 targets, want 2 sequences x 0":                   func(s *Sequences) { s.Targets = []float32{1} },
		"label of sequence 1 is 7, want 0 to 0":             func(s *Sequences) { s.Labels[1] = 7 },
		"1 labels and 0 outputs":                            func(s *Sequences) { s.Labels = s.Labels[:1] },
		"1 groups, want 2 or none":                          func(s *Sequences) { s.Groups = []string{"p"} },
	} {
		s := good()
		spoil(s)
		assert.ErrorContains(t, s.Validate(), want)
	}
	_, err := good().Subset([]int{2})
	assert.ErrorContains(t, err, "indices[0] is 2, want 0 to 1")
	_, err = good().Subset(nil)
	assert.ErrorContains(t, err, "no sequences")
}
