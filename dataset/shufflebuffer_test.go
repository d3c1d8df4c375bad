package dataset

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func numberedSeries(n int) *Collection {
	c := &Collection{Name: "n", Channels: []string{"x"}}
	for i := range n {
		c.Series = append(c.Series, Series{Values: []float32{float32(i)}, Steps: 1, Start: i})
	}
	return c
}

func starts(t *testing.T, seq func(func(Series, error) bool)) (out []int) {
	t.Helper()
	for one, err := range seq {
		require.NoError(t, err)
		out = append(out, one.Start)
	}
	return out
}

func TestShuffleBuffer(t *testing.T) {
	c := numberedSeries(101)
	for _, size := range []int{0, 1, 2, 17, 100, 101, 500} {
		got := starts(t, ShuffleBuffer(c.All(), size, 23, 5))
		assert.Equal(t, got, starts(t, ShuffleBuffer(c.All(), size, 23, 5)), "size %d", size)
		assert.Equal(t, ascending(101), sorted(got), "size %d", size)
		if size < 2 {
			assert.Equal(t, ascending(101), got)
			continue
		}
		assert.NotEqual(t, ascending(101), got)
		assert.NotEqual(t, got, starts(t, ShuffleBuffer(c.All(), size, 23, 6)))
		assert.NotEqual(t, got, starts(t, ShuffleBuffer(c.All(), size, 24, 5)))
		for place, i := range got {
			assert.Less(t, i, place+max(size, 1), "none comes before it can have been read")
		}
	}
}

func TestShuffleBuffer_uniform(t *testing.T) {
	const n, draws = 5, 10000
	var at [n][n]int
	for round := range draws {
		for place, i := range starts(t, ShuffleBuffer(numberedSeries(n).All(), n, 1, round)) {
			at[i][place]++
		}
	}
	for i := range n {
		for place := range n {
			assert.InDelta(t, draws/n, at[i][place], 200, "5 standard deviations of a binomial(10000, 1/5)")
		}
	}
}

func TestShuffleBuffer_error(t *testing.T) {
	fails := func(yield func(Series, error) bool) {
		_ = yield(Series{}, nil) && yield(Series{}, errors.New("broken"))
	}
	var last error
	n := 0
	for _, err := range ShuffleBuffer(fails, 9, 1, 0) {
		last = err
		n++
	}
	assert.EqualError(t, last, "broken")
	assert.Equal(t, 1, n)
	for range ShuffleBuffer(numberedSeries(9).All(), 3, 1, 0) {
		break // stopping early must not call yield again
	}
}
