package train

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMajorityClass(t *testing.T) {
	test := baselineSet(1, []int{0, 1, 1, 2, 1}, 1, 2, 3, 4, 5)
	for _, c := range []struct {
		labels []int
		want   float64
	}{
		{[]int{1, 0, 1}, 3.0 / 5},
		{[]int{2, 1, 0}, 1.0 / 5}, // the first of equals
		{[]int{2, 0, 2}, 1.0 / 5},
	} {
		accuracy, err := MajorityClass(baselineSet(1, c.labels, 1, 2, 3), test)
		require.NoError(t, err)
		assert.Equal(t, c.want, accuracy, "%v", c.labels)
	}
	_, err := MajorityClass(baselineSet(1, nil), test)
	assert.ErrorContains(t, err, "train: baseline: the train set")
}
