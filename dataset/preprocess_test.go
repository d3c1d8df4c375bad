package dataset

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/qat-go/qat/preprocess"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func collectionOf(channels int, all ...[]float32) *Collection {
	c := &Collection{Name: "c", Channels: numbered("x", channels)}
	for _, values := range all {
		c.Series = append(c.Series, Series{Values: values, Steps: len(values) / channels, Where: "here"})
	}
	return c
}

func TestFitPreprocess(t *testing.T) {
	c := collectionOf(2, []float32{1, 7, 3, nan, 5, 7}, []float32{nan, nan, 7, 7})
	p, err := FitPreprocess(PreprocessOptions{Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	assert.Equal(t, []float64{4, 7}, p.Scale.Mean, "missing values do not count")
	assert.Equal(t, []float64{math.Sqrt(5), 1}, p.Scale.Std, "a constant channel is left as it is")
	assert.Equal(t, 3, p.Window)
	assert.Nil(t, p.Inputs)
	assert.True(t, p.Missing)

	p, err = FitPreprocess(PreprocessOptions{Raw: true, Frame: 2, Hop: 1, Center: true, ScaleInputs: true, Window: 2}, c.Channels, c.All())
	require.NoError(t, err)
	assert.Equal(t, preprocess.Identity(2), p.Scale)
	assert.Equal(t, 6, p.Features())
	assert.NoError(t, p.Inputs.Validate(6))

	data, err := json.Marshal(p)
	require.NoError(t, err)
	var again preprocess.Pipeline
	require.NoError(t, json.Unmarshal(data, &again))
	assert.Equal(t, *p, again)
	assert.NoError(t, again.Validate())
}

// TestFitPreprocess_whole: what was fitted to whole data takes no missing values.
func TestFitPreprocess_whole(t *testing.T) {
	c := collectionOf(1, []float32{1, 2}, []float32{3, 5})
	p, err := FitPreprocess(PreprocessOptions{Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	assert.False(t, p.Missing)
	_, err = collectionOf(1, []float32{1, nan}).Set(p, nil)
	assert.ErrorContains(t, err, "in training no value was missing (here)")
}

func TestFitPreprocess_missingChannel(t *testing.T) {
	c := collectionOf(1, []float32{nan, nan})
	p, err := FitPreprocess(PreprocessOptions{Frame: 1}, c.Channels, c.All())
	require.NoError(t, err)
	assert.Equal(t, preprocess.Identity(1), p.Scale)
	out, n, err := p.Apply(nil, c.Series[0].Values, 2)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, []float32{0, 0}, out)
}

func TestFitPreprocess_errors(t *testing.T) {
	_, err := FitPreprocess(PreprocessOptions{Frame: -1}, []string{"x"}, collectionOf(1, []float32{1}).All())
	assert.ErrorContains(t, err, "frame -1")
	_, err = FitPreprocess(PreprocessOptions{Frame: 1}, []string{"x"}, collectionOf(1).All())
	assert.ErrorContains(t, err, "no series")
}

func TestScaler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float32Range(-1e4, 1e4), 2, 50).Draw(t, "values")
		fit := NewScalerFit(1)
		fit.Add(values[:1])
		fit.Add(values[1:])
		s := fit.Scaler()
		sum, square := 0.0, 0.0
		for _, v := range values {
			sum += float64(v)
		}
		mean := sum / float64(len(values))
		for _, v := range values {
			square += (float64(v) - mean) * (float64(v) - mean)
		}
		const tolerance = 1e-8 // of float64 sums of up to 50 values below 1e4
		assert.InDelta(t, mean, s.Mean[0], tolerance*1e4)
		if std := math.Sqrt(square / float64(len(values))); std > 1e-3 {
			assert.InEpsilon(t, std, s.Std[0], tolerance*1e4)
		}
		for _, v := range values {
			assert.InDelta(t, v, s.Invert(s.Apply(v, 0), 0), 1e-2)
		}
	})
	_, err := FitTargets(collectionOf(1, []float32{1}).All())
	assert.ErrorContains(t, err, "here: 0 targets, want as many as the first")
}

func TestFraming(t *testing.T) {
	for _, c := range []struct{ steps, channels, frame, hop int }{
		{1, 1, 1, 1},
		{15, 1, 1, 1}, // short
		{16, 1, 4, 1},
		{23, 1, 4, 1}, // three frames of 8 would not fit
		{24, 1, 8, 2},
		{95, 1, 16, 4},
		{96, 1, 32, 8},
		{512, 1, 32, 8},
		{513, 1, 32, 9},   // more than 64 of them
		{4096, 1, 64, 64}, // no step is passed over
		{100, 6, 8, 2},    // 48 values
		{100, 7, 4, 2},    // 64 of them at most
		{100, 24, 2, 2},
		{60, 49, 1, 1},
		{1 << 20, 1 << 10, 1 << 14, 1 << 14},
	} {
		frame, hop := Framing(c.steps, c.channels)
		assert.Equal(t, [2]int{c.frame, c.hop}, [2]int{frame, hop}, "%d steps of %d channels", c.steps, c.channels)
	}
}

// TestFitPreprocess_frames holds what is given against what is left to Framing.
func TestFitPreprocess_frames(t *testing.T) {
	c := collectionOf(1, make([]float32, 24), make([]float32, 31))
	for _, tc := range []struct {
		name               string
		o                  PreprocessOptions
		frame, hop, window int
		center             bool
	}{
		{"rule", PreprocessOptions{}, 8, 2, 12, true},
		{"none", PreprocessOptions{Frame: 1}, 1, 1, 31, false},
		{"frame", PreprocessOptions{Frame: 8}, 8, 8, 3, false},
		{"hop_alone", PreprocessOptions{Hop: 4}, 8, 4, 6, true},
		{"given", PreprocessOptions{Frame: 6, Hop: 5, Center: true}, 6, 5, 6, true},
		{"window", PreprocessOptions{Window: 24}, 8, 2, 9, true},
		{"window_above", PreprocessOptions{Window: 99, Frame: 1}, 1, 1, 31, false},
		{"short_window", PreprocessOptions{Window: 12}, 1, 1, 12, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := FitPreprocess(tc.o, c.Channels, c.All())
			require.NoError(t, err)
			assert.Equal(t, []int{tc.frame, tc.hop, tc.window}, []int{p.Frame, p.Hop, p.Window})
			assert.Equal(t, tc.center, p.Center)
		})
	}
}
