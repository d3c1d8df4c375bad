package ort

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
)

// pipelines are what a model may read its input by.
var pipelines = map[string]preprocess.Pipeline{
	"scaled":           {Frame: 1, Hop: 1, Window: 13},
	"one length":       {Frame: 1, Hop: 1, Window: 13, Shortest: 11, Longest: 11},
	"longer":           {Frame: 1, Hop: 1, Window: 13, Shortest: 3, Longest: 29, Missing: true},
	"frames":           {Frame: 7, Hop: 3, Window: 11},
	"frames, missing":  {Frame: 7, Hop: 3, Window: 11, Center: true, Missing: true, Shortest: 2, Longest: 61},
	"frames, centered": {Frame: 5, Hop: 2, Window: 11, Center: true},
	"one framed":       {Frame: 5, Hop: 7, Window: 11, Center: true, Shortest: 37, Longest: 37, Missing: true},
	"gaps":             {Frame: 2, Hop: 5, Window: 4},
}

// withPipeline is a ternary model, but for change, that reads three channels.
func withPipeline(t *testing.T, p preprocess.Pipeline, change func(*samebits.Case)) *packed.Model {
	p.Channels = []string{"x", "y", "z"}
	scaler := func(n int) (s preprocess.Scaler) {
		for i := range n {
			s.Mean, s.Std = append(s.Mean, 0.3*float64(i)-0.1), append(s.Std, 0.7+float64(i)/7)
		}
		return s
	}
	p.Scale = scaler(3)
	if p.Frame > 1 {
		inputs := scaler(p.Features())
		p.Inputs = &inputs
	}
	c := samebits.Cases()[22]
	c.Spec.EmbedDim, c.Spec.WindowSize, c.Width = p.Features(), p.Window, 5
	change(&c)
	m, err := c.Model()
	require.NoError(t, err)
	m.Input = &p
	return m
}

// compare holds ONNX Runtime to infer on series of every length there may be.
func compare(t *testing.T, m *packed.Model, tolerance float64) {
	t.Helper()
	own, err := infer.New(m)
	require.NoError(t, err)
	s := open(t, m, onnx.Int8)
	steps, channels := s.steps, own.Channels()
	var series [][]float32
	var lengths []int64
	noise := rand.New(rand.NewPCG(1, 2))
	for n := steps; n > 0; n-- {
		x := make([]float32, n*channels)
		for i := range x {
			x[i] = float32(noise.NormFloat64())
			if own.Missing() && (noise.IntN(3) == 0 || i < channels && n%2 == 0) {
				x[i] = float32(math.NaN())
			}
		}
		series, lengths = append(series, x), append(lengths, int64(n))
		if len(s.inputs) == 1 {
			break // every series has this length
		}
	}
	x := make([]float32, len(series)*steps*channels)
	for i, one := range series {
		end := (i + 1) * steps * channels
		for j := end - steps*channels; j < end; j++ {
			x[j] = float32(math.NaN())
		}
		copy(x[end-len(one):], one)
	}
	outputs := s.run(t, x, lengths, steps, channels)
	each := len(outputs[0]) / len(series)
	for i, one := range series {
		want, err := own.Predict(nil, one)
		require.NoError(t, err)
		near(t, want, outputs[0][(i+1)*each-len(want):(i+1)*each], tolerance, "series of %d steps", lengths[i])
		if own.Classes() == nil {
			continue
		}
		p, err := own.Probabilities(nil, want)
		require.NoError(t, err)
		near(t, p, outputs[1][(i+1)*each-len(want):(i+1)*each], tolerance, "probabilities, series of %d steps", lengths[i])
	}
}

// near compares to within tolerance*max(1, |want|); 0 is the same numbers.
func near(t *testing.T, want, got []float32, tolerance float64, what string, steps int64) {
	t.Helper()
	require.Len(t, got, len(want))
	for j, y := range got {
		off := math.Abs(float64(y) - float64(want[j]))
		require.True(t, off <= tolerance*max(1, math.Abs(float64(want[j]))), "%s, output %d: got %v, want %v", fmt.Sprintf(what, steps), j, y, want[j])
	}
}

func TestPipelines(t *testing.T) {
	for name, p := range pipelines {
		for _, pooling := range []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps} {
			t.Run(fmt.Sprint(name, " ", pooling), func(t *testing.T) {
				m := withPipeline(t, p, func(c *samebits.Case) { c.Spec.Pooling = pooling })
				m.Head.Classes = []string{"a", "b", "c", "d", "e"}
				compare(t, m, 0)
				m.Head.Classes, m.Head.Targets = nil, &preprocess.Scaler{Mean: []float64{1, 2, 3, 4, 5}, Std: []float64{1, 30, 0.1, 7, 1}}
				compare(t, m, 0)
			})
		}
	}
}

// floatTolerance is what sums in another order make of products of floats.
const floatTolerance = 1e-5

func TestFloat(t *testing.T) {
	for _, numerics := range []spec.Numerics{spec.BitNet, spec.Edifice} {
		for _, mode := range quant.Modes() {
			for _, positions := range []spec.Positions{spec.NoPositions, spec.Rotary, spec.Learned} {
				t.Run(fmt.Sprint(numerics, " ", mode, " ", positions), func(t *testing.T) {
					compare(t, withPipeline(t, pipelines["longer"], func(c *samebits.Case) {
						c.Spec.Numerics, c.Spec.Quantize, c.Spec.Activations, c.Spec.Positions = numerics, mode, spec.FloatActivations, positions
					}), floatTolerance)
				})
			}
		}
	}
}

// TestNotFinite: a series that infer refuses has NaN for outputs, and no other is touched.
func TestNotFinite(t *testing.T) {
	s := open(t, withPipeline(t, pipelines["scaled"], func(*samebits.Case) {}), onnx.Int8)
	x, lengths := make([]float32, 4*13*3), []int64{13, 13, 13, 13}
	want := s.run(t, x, lengths, 13, 3)[0]
	x[5], x[2*13*3+7] = float32(math.NaN()), float32(math.Inf(1))
	got := s.run(t, x, lengths, 13, 3)[0]
	for i, y := range got {
		if refused := i/5%2 == 0; refused {
			require.True(t, y != y, "output %d is %v", i, y)
		} else {
			require.Equal(t, want[i], y)
		}
	}
}
