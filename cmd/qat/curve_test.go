package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestUpTo labels no tick above the values, where the legend is.
func TestUpTo(t *testing.T) {
	var labels []string
	for _, tick := range upTo(1).Ticks(0, legendRoom) {
		assert.LessOrEqual(t, tick.Value, 1.0)
		if tick.Label != "" {
			labels = append(labels, tick.Label)
		}
	}
	assert.Equal(t, []string{"0", "0.5", "1"}, labels)
}
