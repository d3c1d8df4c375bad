package train

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPredict holds the logits to what Evaluate says of them, over more sequences
// than one batch.
func TestPredict(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(53, 1))
	finish(t, tr)
	test := toySet(evalBatch+11, 2)
	want, err := tr.Evaluate(test)
	require.NoError(t, err)
	p, err := tr.Predict(test)
	require.NoError(t, err)
	require.Len(t, p.Outputs, test.Len()*3)
	assert.Equal(t, test.Labels, p.Labels)
	assert.Equal(t, want, Measure(p.Outputs, test.Labels, 3))

	c, err := NewConfusion(test.Classes, test.Labels, Predictions(p.Outputs, 3))
	require.NoError(t, err)
	assert.Equal(t, want.Accuracy, c.Accuracy())

	other := toySet(5, 3)
	other.Channels, other.Steps = 11, 3
	_, err = tr.Predict(other)
	assert.ErrorContains(t, err, "data of 3 steps, 11 channels")
}

func TestPredictions(t *testing.T) {
	assert.Equal(t, []int{0, 0, 2}, Predictions([]float32{2, 1, 0 /**/, 5, 5, 5 /**/, -3, -2, -1}, 3))
	assert.Empty(t, Predictions(nil, 3))
}
