package train

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestConfusion counts by hand. Class c is never predicted, and the last class
// neither occurs nor is predicted, so that it does not enter the averages.
func TestConfusion(t *testing.T) {
	labels := []int{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2}
	predicted := []int{0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1}
	c, err := NewConfusion([]string{"a", "b", "c", "never"}, labels, predicted)
	require.NoError(t, err)
	assert.Equal(t, [][]int{{3, 1, 0, 0}, {1, 2, 0, 0}, {1, 3, 0, 0}, {0, 0, 0, 0}}, c.Counts)
	assert.Equal(t, 11, c.Total())
	assert.Equal(t, 5, c.Right())
	assert.Equal(t, 5.0/11, c.Accuracy())
	assert.Equal(t, []ClassScore{
		{"a", 3.0 / 5, 3.0 / 4, 6.0 / 9, 4, 5},
		{"b", 2.0 / 6, 2.0 / 3, 4.0 / 9, 3, 6},
		{"c", 0, 0, 0, 4, 0},
		{"never", 0, 0, 0, 0, 0},
	}, c.PerClass())
	const near = 1e-15 // the order of three sums
	m := c.Macro()
	assert.InDelta(t, (3.0/5+2.0/6)/3, m.Precision, near)
	assert.InDelta(t, (3.0/4+2.0/3)/3, m.Recall, near)
	assert.InDelta(t, (6.0/9+4.0/9)/3, m.F1, near)
	assert.Equal(t, 11, m.Support)
}

func TestConfusion_edges(t *testing.T) {
	c, err := NewConfusion([]string{"a", "b"}, nil, nil)
	require.NoError(t, err)
	assert.Zero(t, c.Accuracy())
	assert.Equal(t, ClassScore{Class: "macro average"}, c.Macro())
	_, err = NewConfusion([]string{"a"}, []int{0}, nil)
	assert.ErrorContains(t, err, "train: 0 predictions for 1 labels")
	_, err = NewConfusion([]string{"a"}, []int{0, 1}, []int{0, 0})
	assert.ErrorContains(t, err, "sequence 1 has label 1 and prediction 0, want 0 to 0")
	_, err = NewConfusion([]string{"a"}, []int{0}, []int{-1})
	assert.ErrorContains(t, err, "sequence 0 has label 0 and prediction -1")
}
