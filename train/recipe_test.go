package train

import (
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
)

func TestRecipe(t *testing.T) {
	for _, c := range []struct {
		n, epochs, steps int // steps of all epochs
	}{
		{1, 300, 300},
		{36, 150, 300},
		{320, 60, 600}, // 10 steps an epoch
		{1600, 60, 3000},
		{1601, 58, 2958},
		{16000, 6, 3000},
		{1 << 20, 4, 131072},
	} {
		got := Recipe(dataset.Facts{N: c.n})
		assert.NoError(t, got.Validate())
		assert.Equal(t, c.epochs, got.Epochs, "%d sequences", c.n)
		assert.Equal(t, c.steps, got.Epochs*((c.n+got.BatchSize-1)/got.BatchSize), "%d sequences", c.n)
	}
	last := Recipe(dataset.Facts{N: 36, LastStep: true})
	assert.Equal(t, spec.LastTimestep, last.Model.Pooling)
	assert.Zero(t, last.Augment.Shift, "a shift would move the step that the class is of")
	assert.NotZero(t, Recipe(dataset.Facts{N: 36}).Augment.Shift)
}
