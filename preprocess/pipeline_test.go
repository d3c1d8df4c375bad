package preprocess

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var nan = float32(math.NaN())

func channelNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("x%d", i+1)
	}
	return names
}

// text is values with spaces between.
func text(values []float32) string { return strings.Trim(fmt.Sprint(values), "[]") }

func plain(channels, frame, hop, window int, center bool) *Pipeline {
	return &Pipeline{Channels: channelNames(channels), Scale: Identity(channels), Frame: frame, Hop: hop, Center: center, Window: window, Missing: true}
}

func TestApply(t *testing.T) {
	scaled := plain(1, 1, 1, 9, false)
	scaled.Scale = Scaler{Mean: []float64{10}, Std: []float64{2}}
	inputs := plain(1, 2, 2, 9, false)
	inputs.Inputs = &Scaler{Mean: []float64{1, 2}, Std: []float64{1, 2}}
	for _, tc := range []struct {
		name   string
		p      *Pipeline
		series []float32
		want   string
	}{
		{"plain", plain(2, 1, 1, 9, false), []float32{1, 2, 3, 4}, "1 2 3 4"},
		{"fill", scaled, []float32{nan, nan, 14, nan, 6, nan}, "0 0 2 2 -2 -2"},
		{"window", plain(1, 1, 1, 2, false), []float32{1, 2, 3}, "2 3"},
		{"fill_before_window", plain(1, 1, 1, 2, false), []float32{1, nan, nan}, "1 1"},
		{"frames", plain(1, 3, 2, 9, false), []float32{0, 1, 2, 3, 4, 5}, "1 2 3 3 4 5"},
		{"frames_of_two", plain(2, 2, 1, 9, false), []float32{1, 10, 2, 20, 3, 30}, "1 10 2 20 2 20 3 30"},
		{"hop_above_frame", plain(1, 1, 3, 9, false), []float32{0, nan, 2, 3, nan, 5, nan}, "0 3 5"},
		{"frame_window", plain(1, 2, 1, 2, false), []float32{0, 1, 2, 3}, "1 2 2 3"},
		{"fill_in_frames", plain(1, 3, 1, 9, false), []float32{0, 1, nan, nan, 4, 5}, "0 1 1 1 1 1 1 1 4 1 4 5"},
		{"short", plain(1, 4, 2, 9, false), []float32{7, 8}, "7 7 7 8"},
		{"short_missing", plain(1, 4, 2, 9, false), []float32{nan, 8}, "0 0 0 8"},
		{"center", plain(2, 2, 2, 9, true), []float32{1, 10, 3, 30}, "-1 -10 1 10 2 20"},
		{"inputs", inputs, []float32{1, 2, 3, 6}, "0 0 2 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, tc.p.Validate())
			steps := len(tc.series) / len(tc.p.Channels)
			out, n, err := tc.p.Apply(nil, tc.series, steps)
			require.NoError(t, err)
			assert.Equal(t, tc.want, text(out))
			assert.Equal(t, n*tc.p.Features(), len(out))
			assert.Equal(t, n, tc.p.Steps(steps))
		})
	}
}

func TestApplyPadded(t *testing.T) {
	p := plain(1, 2, 1, 3, false)
	row := []float32{9, 9, 9, 9, 9, 9}
	n, err := p.ApplyPadded(row, []float32{1, 2, 3}, 3)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, "0 0 1 2 2 3", text(row))
	_, err = p.ApplyPadded(row[1:], []float32{1, 2, 3}, 3)
	assert.ErrorContains(t, err, "room for 5 values, want window 3 x 2 features")
}

func TestApply_allocations(t *testing.T) {
	p := plain(3, 8, 4, 100, true)
	scale := Identity(p.Features())
	p.Inputs = &scale
	series := make([]float32, 101*3)
	dst := make([]float32, p.Window*p.Features())
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, _, _ = p.Apply(dst, series, 101) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = p.ApplyPadded(dst, series, 101) }))
}

// TestApply_definition compares with the stages done one after another.
func TestApply_definition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels, steps := rapid.IntRange(1, 3).Draw(t, "channels"), rapid.IntRange(1, 23).Draw(t, "steps")
		p := plain(channels, rapid.IntRange(1, 7).Draw(t, "frame"), rapid.IntRange(1, 9).Draw(t, "hop"), rapid.IntRange(1, 11).Draw(t, "window"), rapid.Bool().Draw(t, "center"))
		series := make([]float32, steps*channels)
		for i := range series {
			if series[i] = float32(rapid.IntRange(-9, 9).Draw(t, "value")); rapid.IntRange(0, 3).Draw(t, "missing") == 0 {
				series[i] = nan
			}
		}
		for c := range channels {
			p.Scale.Mean[c], p.Scale.Std[c] = float64(c), float64(c+1)
		}
		filled := make([]float32, len(series))
		for i, v := range series {
			switch {
			case v == v:
				filled[i] = p.Scale.Apply(v, i%channels)
			case i >= channels:
				filled[i] = filled[i-channels]
			}
		}
		var want []float32
		n := 0
		for end := steps; n < p.Window && (n == 0 || end-p.Frame >= 0); end -= p.Hop {
			var row []float32
			for k := end - p.Frame; k < end; k++ {
				row = append(row, filled[max(k, 0)*channels:(max(k, 0)+1)*channels]...)
			}
			if p.Center {
				row = append(row, make([]float32, channels)...)
				for c := range channels {
					center(row, p.Frame, channels, c)
				}
			}
			want = append(row, want...)
			n++
		}
		got, m, err := p.Apply(nil, series, steps)
		assert.NoError(t, err)
		assert.Equal(t, n, m)
		assert.Equal(t, want, got)
	})
}

func TestPipeline_errors(t *testing.T) {
	p := plain(1, 1, 1, 3, false)
	p.Scale = Identity(2) // of two channels later
	_, _, err := p.Apply(nil, []float32{1, 2}, 3)
	assert.ErrorContains(t, err, "2 values, want 3 steps (1 or more) of 1 channels")
	_, _, err = p.Apply(nil, nil, 0)
	assert.Error(t, err)
	_, _, err = p.Apply(nil, []float32{1, float32(math.Inf(-1))}, 2)
	assert.ErrorContains(t, err, `step 1, channel "x1": saw -Inf`)
	p.Channels = []string{"left", "right"}
	_, _, err = p.Apply(nil, []float32{1, nan, 2, nan}, 2)
	require.NoError(t, err)
	p.Missing = false
	_, _, err = p.Apply(nil, []float32{1, 2, 3, nan}, 2)
	assert.EqualError(t, err, `preprocess: step 1, channel "right": saw NaN, want a finite number: in training no value was missing`)
	_, err = p.ApplyPadded(make([]float32, 6), []float32{1, 2, 3, nan}, 2)
	assert.Error(t, err)
	p.Channels, p.Scale = []string{"x1"}, Identity(1)
	p.Scale.Std[0] = 0
	p.Hop = 0
	err = p.Validate()
	assert.ErrorContains(t, err, "channel 0 has mean 0 and deviation 0")
	assert.ErrorContains(t, err, "frame 1, hop 0, window 3")
}
