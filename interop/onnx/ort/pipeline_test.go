package ort

import (
	"fmt"
	"math"
	"testing"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// piped is a model that reads what was recorded, through p, whose channels it names.
func piped(t *testing.T, p preprocess.Pipeline, channels int, pooling spec.Pooling) *packed.Model {
	t.Helper()
	p.Scale = preprocess.Identity(channels)
	for c := range channels {
		p.Channels = append(p.Channels, fmt.Sprint("x", c))
		p.Scale.Mean[c], p.Scale.Std[c] = 0.3*float64(c)-0.1, 0.7+0.3*float64(c)
	}
	if p.Inputs != nil {
		inputs := preprocess.Identity(p.Features())
		for f := range inputs.Std {
			inputs.Mean[f], inputs.Std[f] = 0.01*float64(f), 1+0.1*float64(f)
		}
		p.Inputs = &inputs
	}
	c := samebits.Case{Width: 5, Spec: spec.Model{
		EmbedDim: p.Features(), HiddenSize: 26, NumHeads: 13, NumLayers: 1, WindowSize: p.Window,
		Quantize: quant.Ternary, Pooling: pooling, Positions: spec.Rotary,
	}}
	m, err := c.Model()
	require.NoError(t, err)
	m.Input = &p
	return m
}

// recorded is steps of channels; with missing every so manieth value is NaN, and one
// channel from the start on.
func recorded(seed uint64, steps, channels int, missing bool) []float32 {
	key, x := kernel.NewKey(seed, 0, "recorded"), make([]float32, steps*channels)
	for i := range x {
		x[i] = key.Normal(uint64(i))
		if missing && (i%5 == 1 || i%channels == 1 && i < steps*channels/2) {
			x[i] = float32(math.NaN())
		}
	}
	return x
}

// TestPipeline: what a model reads is made inside the graph, to the bit.
func TestPipeline(t *testing.T) {
	const channels = 3
	all := preprocess.Identity(1) // whichever: piped fills it in
	for name, p := range map[string]preprocess.Pipeline{
		"scaled":                   {Frame: 1, Hop: 1, Window: 11},
		"frames":                   {Frame: 4, Hop: 2, Window: 11},
		"hops over steps":          {Frame: 2, Hop: 5, Window: 7},
		"center":                   {Frame: 7, Hop: 3, Window: 5, Center: true},
		"all":                      {Frame: 5, Hop: 2, Window: 7, Center: true, Inputs: &all, Missing: true},
		"missing":                  {Frame: 1, Hop: 1, Window: 11, Missing: true},
		"lengths of training":      {Frame: 4, Hop: 3, Window: 11, Missing: true, Shortest: 3, Longest: 41},
		"one length":               {Frame: 4, Hop: 2, Window: 11, Center: true, Shortest: 24, Longest: 24},
		"one length, not all read": {Frame: 4, Hop: 2, Window: 11, Missing: true, Shortest: 37, Longest: 37},
		"one length, less frames":  {Frame: 4, Hop: 2, Window: 11, Shortest: 13, Longest: 13},
		"shorter than a frame":     {Frame: 9, Hop: 2, Window: 3, Center: true, Shortest: 5, Longest: 5},
	} {
		for _, pooling := range []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps} {
			t.Run(fmt.Sprint(name, " ", pooling), func(t *testing.T) {
				m := piped(t, p, channels, pooling)
				s := open(t, exported(t, m, onnx.Int8))
				assert.Equal(t, p.Shortest != p.Longest || p.Longest == 0, s.takesLengths())
				most, fewest := s.steps(), 1
				if !s.takesLengths() {
					fewest = most
				}
				if p.Longest > 0 {
					require.Equal(t, p.Longest, most)
				} else {
					require.Equal(t, p.Window, p.Frames(most))
					require.Equal(t, p.Window-1, p.Frames(most-1))
				}
				var series [][]float32
				for n := fewest; n <= most; n++ {
					series = append(series, recorded(uint64(n), n, channels, p.Missing))
				}
				hold(t, m, exported(t, m, onnx.Int8), series, exact)
			})
		}
	}
}

// TestTargets: outputs are in the units of the data.
func TestTargets(t *testing.T) {
	m := piped(t, preprocess.Pipeline{Frame: 1, Hop: 1, Window: 11}, 3, spec.LastTimestep)
	m.Head.Targets = &preprocess.Scaler{Mean: []float64{1, -200, 3e4, 0.25, 5}, Std: []float64{0.1, 20, 3, 1e-3, 1.0 / 3}}
	var series [][]float32
	for n := range 11 {
		series = append(series, recorded(uint64(n), n+1, 3, false))
	}
	hold(t, m, exported(t, m, onnx.Int8), series, exact)
}

// TestRefused: a series that infer refuses has NaN for outputs, and only that one.
func TestRefused(t *testing.T) {
	for _, pooling := range []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps} {
		m := piped(t, preprocess.Pipeline{Frame: 2, Hop: 1, Window: 5}, 3, pooling)
		runs, err := infer.New(m)
		require.NoError(t, err)
		s := open(t, exported(t, m, onnx.Int8))
		const good, length = 4, 6
		require.Equal(t, length, s.steps())
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			var series [][]float32
			for n := range 9 {
				series = append(series, recorded(uint64(n), length, 3, false))
			}
			series[good+1][7], series[0][0] = bad, bad
			_, err := runs.Predict(nil, series[0])
			require.Error(t, err)
			requireRefused(t, s.run(t, series), len(series), 0, good+1)
		}
		x := make([]float32, 4*length*3)
		requireRefused(t, s.runPadded(t, x, []int64{0, 1, length, length + 1}), 4, 0, 3)
		requireRefused(t, s.runPadded(t, x, []int64{math.MinInt64, 1, length, math.MaxInt64}), 4, 0, 3)
	}
}

// TestRefused_unread: NaN in a step that is in no frame is one where none was missing; an
// infinity there is never read.
func TestRefused_unread(t *testing.T) {
	m := piped(t, preprocess.Pipeline{Frame: 2, Hop: 4, Window: 3, Shortest: 5, Longest: 20}, 3, spec.LastTimestep)
	runs, err := infer.New(m)
	require.NoError(t, err)
	var series [][]float32
	for i := range 4 {
		series = append(series, recorded(uint64(i), 20-i, 3, false))
	}
	series[0][4], series[3][0] = float32(math.NaN()), float32(math.NaN())
	series[1][4] = float32(math.Inf(1))
	for i, x := range series {
		_, err := runs.Predict(nil, x)
		require.Equal(t, i == 0 || i == 3, err != nil, "%d: %v", i, err)
	}
	requireRefused(t, open(t, exported(t, m, onnx.Int8)).run(t, series), 4, 0, 3)
}

// requireRefused requires that of n series those of refused have no output, and the
// others no NaN.
func requireRefused(t *testing.T, all map[string][]float32, n int, refused ...int) {
	t.Helper()
	for name, out := range all {
		for i := range n {
			for _, v := range out[i*len(out)/n : (i+1)*len(out)/n] {
				is := v != v
				require.Equal(t, i == refused[0] || i == refused[1], is, "%s of series %d: %v", name, i, v)
			}
		}
	}
}

// TestBatches: a series has the same bits alone and in a batch of any size.
func TestBatches(t *testing.T) {
	m := piped(t, preprocess.Pipeline{Frame: 2, Hop: 1, Window: 5}, 3, spec.LastTimestep)
	s := open(t, exported(t, m, onnx.Int8))
	var series [][]float32
	for n := range 14 {
		series = append(series, recorded(uint64(n), 1+n%6, 3, false))
	}
	want := s.run(t, series)["outputs"]
	for _, size := range []int{1, 2, 7} {
		var got []float32
		for lo := 0; lo < len(series); lo += size {
			got = append(got, s.run(t, series[lo:lo+size])["outputs"]...)
		}
		require.Equal(t, want, got, "batches of %d", size)
	}
}
