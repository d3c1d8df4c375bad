package qat_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

const (
	paddedSteps  = 11 // and so many sequences, of 1 to 11 real steps
	paddedHidden = 44
)

// padded makes front-padded sequences of every length; reading the padding would
// make everything NaN.
func padded(embed int) (x, lengths []float32) {
	x = numbers(7, paddedSteps*paddedSteps*embed)
	for b := range paddedSteps {
		lengths = append(lengths, float32(b+1))
		for i := range (paddedSteps - b - 1) * embed {
			x[b*paddedSteps*embed+i] = float32(math.NaN())
		}
	}
	return x, lengths
}

// unpadded returns the real steps of sequence b.
func unpadded(x []float32, b, cols int) []float32 {
	return x[((b+1)*paddedSteps-b-1)*cols : (b+1)*paddedSteps*cols]
}

func padOptions(mode qat.Mode, pooling spec.Pooling, positions spec.Positions, embed int, more ...qat.Option) []qat.Option {
	return append(more, qat.WithEmbedDim(embed), qat.WithHiddenSize(paddedHidden), qat.WithNumHeads(2), qat.WithNumLayers(2),
		qat.WithQuantize(mode), qat.WithPooling(pooling), qat.WithPositions(positions), qat.WithDropout(0))
}

// unpaddedModel is a model of `steps` steps with m's parameters.
func unpaddedModel(t *testing.T, m *qat.Model, steps int, options []qat.Option) *qat.Model {
	t.Helper()
	short, err := qat.Build(G.NewGraph(), append(options, qat.WithWindowSize(steps))...)
	require.NoError(t, err)
	for _, p := range short.Params() {
		values := ok(m.ParamValue(p.Name))
		require.NoError(t, short.SetParam(p.Name, values[:p.Node.Shape().TotalSize()])) // of positions, the first rows
	}
	return short
}

// TestLengths: what a front-padded sequence gives is what the unpadded one gives to
// a model made for its length, to the bit; its gradients are too, but for the
// order of sums.
func TestLengths(t *testing.T) {
	for _, mode := range []qat.Mode{qat.Ternary, qat.Int8, qat.Float} {
		for _, pooling := range poolings {
			for _, positions := range []spec.Positions{qat.NoPositions, qat.Rotary, qat.Learned} {
				for _, embed := range []int{17, paddedHidden} { // with a projection, and without
					t.Run(fmt.Sprint(mode, "/", pooling, "/", positions, "/", embed), func(t *testing.T) {
						testLengths(t, embed, padOptions(mode, pooling, positions, embed))
					})
				}
			}
		}
	}
}

func testLengths(t *testing.T, embed int, options []qat.Option) {
	g := G.NewGraph()
	lengths := placeholder(g, "lengths", paddedSteps)
	m, err := qat.Build(g, append(options[:len(options):len(options)], qat.WithLengths(lengths), qat.WithBatchSize(paddedSteps), qat.WithWindowSize(paddedSteps))...)
	require.NoError(t, err)
	scatter(t, m, 1)
	x, n := padded(embed)
	let(t, m.Input(), x)
	let(t, lengths, n)
	c := circuit{out: m.Output(), leaves: append(m.Learnables(), m.Input())}
	upstream := c.upstream()
	out, grads := gradients(t, "tape", c)
	sums := make([][]float64, len(grads))
	for b := range paddedSteps {
		short := unpaddedModel(t, m, b+1, options)
		let(t, short.Input(), unpadded(x, b, embed))
		row, up := out[b*len(out)/paddedSteps:(b+1)*len(out)/paddedSteps], upstream[b*len(out)/paddedSteps:(b+1)*len(out)/paddedSteps]
		if m.Spec().Pooling == qat.AllTimesteps {
			pad := len(row) - (b+1)*paddedHidden
			requireBits(t, "output of padding", row[:pad], make([]float32, pad))
			row, up = row[pad:], up[pad:]
		}
		want, wantGrads := gradients(t, "tape", circuit{out: short.Output(), leaves: append(short.Learnables(), short.Input()), cotangent: up})
		requireBits(t, fmt.Sprint("length ", b+1), row, want)
		last := len(grads) - 1
		requireClose(t, "input's gradient", unpadded(grads[last], b, embed), toFloat64(wantGrads[last]), modelTolerance)
		pad := grads[last][b*paddedSteps*embed : ((b+1)*paddedSteps-b-1)*embed]
		requireSame(t, "padding's gradient", pad, make([]float32, len(pad)))
		for i := range last {
			if sums[i] == nil {
				sums[i] = make([]float64, len(grads[i]))
			}
			addTo(sums[i], toFloat64(wantGrads[i]))
		}
	}
	for i := range len(grads) - 1 {
		requireClose(t, m.Params()[i].Name, grads[i], sums[i], modelTolerance)
	}
}

// A block alone does the same; its output is 0 where there is padding.
func TestLengthsBlock(t *testing.T) {
	g := G.NewGraph()
	input, lengths := placeholder(g, "x", paddedSteps, paddedSteps, paddedHidden), placeholder(g, "lengths", paddedSteps)
	block, err := qat.Block(input, qat.WithLengths(lengths), qat.WithPositions(qat.Rotary), qat.WithNumHeads(2))
	require.NoError(t, err)
	block.SetTraining(false)
	x, n := padded(paddedHidden)
	let(t, input, x)
	let(t, lengths, n)
	out := forward(t, block.Output())
	for b := range paddedSteps {
		g := G.NewGraph()
		input := placeholder(g, "x", 1, b+1, paddedHidden)
		let(t, input, unpadded(x, b, paddedHidden))
		short, err := qat.Block(input, qat.WithPositions(qat.Rotary), qat.WithNumHeads(2), qat.WithParamsFrom(block))
		require.NoError(t, err)
		short.SetTraining(false)
		requireBits(t, fmt.Sprint("length ", b+1), unpadded(out, b, paddedHidden), forward(t, short.Output()))
		pad := out[b*paddedSteps*paddedHidden : ((b+1)*paddedSteps-b-1)*paddedHidden]
		requireBits(t, "padding", pad, make([]float32, len(pad)))
	}
}

func TestLengthsOutOfRange(t *testing.T) {
	for _, embed := range []int{17, paddedHidden} {
		g := G.NewGraph()
		lengths := placeholder(g, "lengths", 3)
		m, err := qat.Build(g, padOptions(qat.Ternary, qat.Mean, qat.Learned, embed, qat.WithLengths(lengths), qat.WithBatchSize(3), qat.WithWindowSize(paddedSteps))...)
		require.NoError(t, err)
		let(t, m.Input(), numbers(1, 3*paddedSteps*embed))
		for _, bad := range []float64{0, paddedSteps + 1, 1.5, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e30} {
			let(t, lengths, []float32{1, paddedSteps, float32(bad)})
			_, err := tryForward(m.Output())
			require.Error(t, err, "%v", bad)
			assert.Contains(t, err.Error(), fmt.Sprintf("lengths: element 2 is %v, want a whole number from 1 to 11", float32(bad)))
		}
		let(t, lengths, []float32{1, paddedSteps, 5})
		_, err = tryForward(m.Output())
		require.NoError(t, err)
	}
}
