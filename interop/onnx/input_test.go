package onnx

import (
	"testing"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadingOf(t *testing.T) {
	for _, c := range []struct {
		pipeline    *preprocess.Pipeline
		raw, frames int
		lengths     bool
	}{
		{nil, 11, 11, true},
		{&preprocess.Pipeline{Frame: 1, Hop: 1}, 11, 11, true},
		{&preprocess.Pipeline{Frame: 4, Hop: 3}, 34, 11, true},
		{&preprocess.Pipeline{Frame: 4, Hop: 3, Shortest: 34, Longest: 34}, 34, 11, false},
		{&preprocess.Pipeline{Frame: 4, Hop: 3, Shortest: 2, Longest: 36}, 36, 11, true},
		{&preprocess.Pipeline{Frame: 4, Hop: 3, Shortest: 9, Longest: 9}, 9, 2, false},
		{&preprocess.Pipeline{Frame: 4, Hop: 3, Shortest: 3, Longest: 3}, 3, 1, false},
	} {
		m := &packed.Model{Spec: spec.Model{WindowSize: 11, EmbedDim: 3}, Input: c.pipeline}
		if c.pipeline != nil {
			c.pipeline.Window, c.pipeline.Channels = 11, []string{"x", "y", "z"}
		}
		r, err := readingOf(m)
		require.NoError(t, err)
		assert.Equal(t, []any{c.raw, c.frames, c.lengths, 3}, []any{r.raw, r.frames, r.lengths, r.channels}, c.pipeline)
	}
}

// TestReadingOf_faults: what a file may ask for at will.
func TestReadingOf_faults(t *testing.T) {
	for want, p := range map[string]preprocess.Pipeline{
		"input: 11 hops of 1048576 steps, want at most 1048576 steps": {Frame: 1, Hop: rawMost, Window: 11},
		"input: series of 1048577 steps, want 1 to 1048576":           {Frame: 1, Hop: 1, Window: 11, Longest: rawMost + 1},
		"input: series of -1 steps, want 1 to 1048576":                {Frame: 1, Hop: 1, Window: 11, Longest: -1},
	} {
		_, err := readingOf(&packed.Model{Input: &p})
		assert.EqualError(t, err, want)
	}
}
