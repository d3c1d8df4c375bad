package qat_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// This file holds package infer to the promise of docs/parity.md: the reference is
// the graph in evaluation mode, run by a TapeMachine.

// minCompared is how many values TestInferMatchesGraph compares at least.
const minCompared = 1_000_000

// twin is a model as a graph in evaluation mode, and as packed from it.
type twin struct {
	spec    spec.Model
	batch   int
	x       *G.Node
	lengths *G.Node // nil where every sequence is whole
	out     *G.Node
	width   int
	m       *qat.Model
	head    *qat.Layer // nil without
	vm      G.VM
	packed  *infer.Model
}

// newTwin builds a graph with a head of so many outputs (0: none), gives every
// parameter values that a training could leave, and packs it.
func newTwin(t testing.TB, s spec.Model, batch, outputs int, uneven bool) *twin {
	t.Helper()
	g := G.NewGraph()
	w := &twin{spec: s, batch: batch, width: s.HiddenSize}
	opts := []qat.Option{qat.WithSpec(s), qat.WithBatchSize(batch), qat.WithName("net")}
	if uneven {
		w.lengths = placeholder(g, "lengths", batch)
		opts = append(opts, qat.WithLengths(w.lengths))
	}
	w.m = ok(qat.Build(g, opts...))
	w.m.SetTraining(false)
	w.x, w.out = w.m.Input(), w.m.Output()
	trained(t, w.m, 1)
	var export []qat.ExportOption
	if outputs > 0 {
		w.head = ok(qat.Dense(w.out, outputs, qat.WithName("classes")))
		trained(t, w.head, 2)
		w.out, w.width = w.head.Output(), outputs
		export = append(export, qat.WithHead(w.head))
	}
	w.vm = G.NewTapeMachine(g)
	t.Cleanup(func() { w.vm.Close() })
	w.packed = ok(infer.New(ok(qat.Export(w.m, export...))))
	return w
}

// trained gives every parameter values that are the same on every CPU: normal, with
// gains round 1 and a few biases that are -0, where a sum that begins with its first
// term shows.
func trained(t testing.TB, m parameterised, seed uint64) {
	t.Helper()
	for _, p := range m.Params() {
		key, shape := kernel.NewKey(seed, 0, p.Name), p.Node.Shape()
		values := make([]float32, shape.TotalSize())
		size := 1 / float32(math.Sqrt(float64(shape[0])))
		for j := range values {
			values[j] = float32(key.Normal(uint64(j)) * size)
			if strings.HasSuffix(p.Name, "norm.weight") {
				values[j]++
			} else if len(shape) == 1 && j%7 == 3 {
				values[j] = float32(math.Copysign(0, -1))
			}
		}
		require.NoError(t, m.SetParam(p.Name, values))
	}
}

// sequences are the inputs of one batch: [batch, T, E] with NaN where there is
// padding, and the real lengths.
type sequences struct {
	x       []float32
	lengths []int
}

// sequences draws a batch whose values' sizes range from 1e-6 to 1e3.
func (w *twin) sequences(rng *rand.Rand) sequences {
	t, e := w.spec.WindowSize, w.spec.EmbedDim
	s := sequences{make([]float32, w.batch*t*e), make([]int, w.batch)}
	for b := range w.batch {
		s.lengths[b] = t
		if w.lengths != nil {
			s.lengths[b] = 1 + rng.IntN(t)
		}
		size := math.Pow(10, 3-9*rng.Float64())
		for i := range t * e {
			v := float32(math.NaN())
			if i/e >= t-s.lengths[b] {
				v = float32(size * rng.NormFloat64())
			}
			s.x[b*t*e+i] = v
		}
	}
	return s
}

// real returns the real steps of sequence b, [length, E].
func (w *twin) real(s sequences, b int) []float32 {
	t, e := w.spec.WindowSize, w.spec.EmbedDim
	return s.x[(b*t+t-s.lengths[b])*e : (b+1)*t*e]
}

// graph runs the graph and returns what it says of each sequence; with AllTimesteps
// pooling of its real steps.
func (w *twin) graph(t testing.TB, s sequences) [][]float32 {
	t.Helper()
	let(t, w.x, s.x)
	if w.lengths != nil {
		lengths := make([]float32, w.batch)
		for b, n := range s.lengths {
			lengths[b] = float32(n)
		}
		let(t, w.lengths, lengths)
	}
	require.NoError(t, w.vm.RunAll())
	all := floats(w.out.Value())
	w.vm.Reset()
	n := len(all) / w.batch
	rows := make([][]float32, w.batch)
	for b := range rows {
		rows[b] = all[b*n : (b+1)*n]
		if w.spec.Pooling == qat.AllTimesteps {
			rows[b] = rows[b][(w.spec.WindowSize-s.lengths[b])*w.width:]
		}
	}
	return rows
}

// compare runs both on a batch, the packed model one sequence at a time and all at
// once, and returns how many values were equal, which is all of them.
func (w *twin) compare(t testing.TB, rng *rand.Rand) int {
	t.Helper()
	s := w.sequences(rng)
	want := w.graph(t, s)
	var x []float32
	for b, row := range want {
		x = append(x, w.real(s, b)...)
		requireBits(t, fmt.Sprintf("%v: sequence %d of %d steps", w.spec, b, s.lengths[b]), ok(w.packed.Predict(nil, w.real(s, b))), row)
	}
	all := slices.Concat(want...)
	requireBits(t, fmt.Sprintf("%v: the batch", w.spec), ok(w.packed.PredictBatch(nil, x, s.lengths)), all)
	return len(all)
}

// small is a model of prime sizes.
func small(mode qat.Mode) spec.Model {
	s := spec.Model{
		EmbedDim: 11, HiddenSize: 26, NumHeads: 13, NumLayers: 2, WindowSize: 17,
		Quantize: mode, Dropout: 0.1, Pooling: qat.AllTimesteps,
	}
	if mode == qat.Float {
		s.Activations = qat.FloatActivations
	}
	return s
}

// mixedLayers are modes of layers that are not the model's.
var mixedLayers = []spec.LayerMode{
	{Pattern: "blocks.0.ffn.*", Mode: qat.Int8}, {Pattern: "*.attn.out", Mode: qat.Float},
	{Pattern: "blocks.1.attn.qkv", Mode: qat.Binary}, {Pattern: "blocks.1.ffn.down", Mode: qat.Int4},
}

// promised are the models that TestInferMatchesGraph compares.
func promised() []spec.Model {
	var all []spec.Model
	add := func(mode qat.Mode, change func(*spec.Model)) {
		s := small(mode)
		change(&s)
		all = append(all, s)
	}
	for _, mode := range modes {
		for _, granularity := range []quant.Granularity{quant.PerTensor, quant.PerChannel} {
			for _, pooling := range poolings {
				for _, positions := range []spec.Positions{qat.NoPositions, qat.Rotary, qat.Learned} {
					add(mode, func(s *spec.Model) { s.Granularity, s.Pooling, s.Positions = granularity, pooling, positions })
				}
			}
			add(mode, func(s *spec.Model) { s.Granularity, s.Activations = granularity, qat.FloatActivations })
			add(mode, func(s *spec.Model) { s.Granularity, s.EmbedDim = granularity, s.HiddenSize }) // no projection
		}
		add(mode, func(s *spec.Model) { s.Numerics, s.Activations = qat.Edifice, qat.FloatActivations })
		add(mode, func(s *spec.Model) { // no projection, whose bias would hide a variance below epsilon
			s.Numerics, s.Activations, s.EmbedDim = qat.Edifice, qat.FloatActivations, s.HiddenSize
		})
		add(mode, func(s *spec.Model) { s.WindowSize, s.Pooling = 1, qat.LastTimestep })
		add(mode, func(s *spec.Model) { s.HiddenSize, s.NumHeads, s.WindowSize, s.NumLayers = 13, 1, 13, 3 })
		add(mode, func(s *spec.Model) {
			s.HiddenSize, s.NumHeads, s.Pooling, s.WindowSize = 64, 4, qat.LastTimestep, 29
		})
	}
	for _, granularity := range granularities {
		add(qat.Ternary, func(s *spec.Model) { s.LayerModes, s.Granularity = mixedLayers, granularity })
	}
	add(qat.Ternary, func(s *spec.Model) {
		s.LayerModes, s.Numerics, s.Activations = mixedLayers, qat.Edifice, qat.FloatActivations
	})
	return all
}

// TestInferMatchesGraph: the packed model gives the graph's outputs, to the bit, for
// every mode, granularity, pooling and kind of positions, alone and in a batch, and
// for every real length.
func TestInferMatchesGraph(t *testing.T) {
	compared := 0
	for i, s := range promised() {
		for _, outputs := range []int{0, 5} {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(outputs)))
			w := newTwin(t, s, 31, outputs, (i+outputs)%2 == 0)
			compared += w.compare(t, rng)
			if !testing.Short() {
				compared += w.compare(t, rng)
			}
		}
	}
	t.Logf("%d values", compared)
	if !testing.Short() {
		require.GreaterOrEqual(t, compared, minCompared)
	}
}

// TestInferMatchesGraph_sizes is the same for the sizes that people use.
func TestInferMatchesGraph_sizes(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of larger models")
	}
	for i, mode := range modes {
		for _, granularity := range granularities {
			for _, layers := range [][]spec.LayerMode{nil, mixedLayers} {
				s := small(mode)
				s.HiddenSize, s.NumHeads, s.WindowSize, s.Pooling, s.Positions = 256, 4, 60, qat.LastTimestep, qat.Rotary
				s.Granularity, s.LayerModes = granularity, layers
				w := newTwin(t, s, 3, 5, i%2 == 0)
				w.compare(t, rand.New(rand.NewPCG(uint64(i), 3)))
			}
		}
	}
}

// TestInferMatchesGraph_int8 has layers of so many inputs that a float32 sum of
// their codes is not exact: all of one sign, from 64 to 127.
func TestInferMatchesGraph_int8(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of larger models")
	}
	for _, hidden := range []int{260, 512, 1024} {
		for _, granularity := range granularities {
			for _, rest := range []qat.Mode{qat.Int8, qat.Ternary} { // the mode of the other layers
				t.Run(fmt.Sprint(4*hidden, granularity, rest), func(t *testing.T) { compareInt8(t, hidden, granularity, rest) })
			}
		}
	}
}

func compareInt8(t *testing.T, hidden int, granularity qat.Granularity, rest qat.Mode) {
	s := spec.Model{
		EmbedDim: 11, HiddenSize: hidden, NumHeads: 4, NumLayers: 1, WindowSize: 3, Quantize: rest, Granularity: granularity,
		LayerModes: []spec.LayerMode{{Pattern: "*.ffn.down", Mode: qat.Int8}},
	}
	w := newTwin(t, s, 5, 0, false)
	set := func(name string, value func() float32) []float32 {
		values := ok(w.m.ParamValue(name))
		for i := range values {
			values[i] = value()
		}
		require.NoError(t, w.m.SetParam(name, values))
		return values
	}
	// A layer up whose weight is nothing hands its bias down: silu(x) is nearly x.
	rng := rand.New(rand.NewPCG(1, uint64(4*hidden)))
	draw := func() float32 { return (64.6 + 62*rng.Float32()) / 16 }
	set("net.blocks.0.ffn.up.weight", func() float32 { return 0 })
	up := set("net.blocks.0.ffn.up.bias", draw)
	down := set("net.blocks.0.ffn.down.weight", draw)
	w.packed = ok(infer.New(ok(qat.Export(w.m))))
	requireUnlikeFloatSum(t, up, down, granularity, 4*hidden > 1040)
	w.compare(t, rng)
}

// requireUnlikeFloatSum requires that all codes of a layer down are from 64 to 127,
// and says of its sums whether some differ when float32 adds them.
func requireUnlikeFloatSum(t *testing.T, up, down []float32, granularity qat.Granularity, differ bool) {
	t.Helper()
	in := len(up)
	out := len(down) / in
	x, w := make([]float32, in), make([]float32, len(down))
	kernel.SiLU(x, up, nil)
	_, err := quant.QuantizeActivations(x, x)
	require.NoError(t, err)
	require.NoError(t, quant.QuantizeWeight(w, down, out, qat.Int8, granularity, make([]float32, granularity.Scales(out))))
	for _, code := range slices.Concat(x, w) {
		require.True(t, code >= 64 && code <= 127, "code %v", code)
	}
	unlike := 0
	for o := range out {
		var sum float32
		var acc int64
		for k, v := range x {
			sum += v * w[k*out+o]
			acc += int64(v) * int64(w[k*out+o])
		}
		if sum != float32(acc) {
			unlike++
		}
	}
	require.Equal(t, differ, unlike > 0, "%d of %d float32 sums of %d products are not the integer's", unlike, out, in)
}

// TestInferMatchesGraph_recordings: raw values, with some missing, through the
// pipeline that training used; targets in the units of the data.
func TestInferMatchesGraph_recordings(t *testing.T) {
	for i, frame := range [][2]int{{1, 1}, {4, 2}, {2, 5}} {
		s := small(qat.Ternary)
		s.Pooling, s.Positions = qat.Mean, qat.Learned
		p := &preprocess.Pipeline{Channels: []string{"x", "y", "z"}, Frame: frame[0], Hop: frame[1], Center: i > 0, Window: s.WindowSize, Missing: true}
		p.Scale = preprocess.Scaler{Mean: []float64{1, -2, 0.3}, Std: []float64{3, 0.7, 1.1}}
		inputs := preprocess.Identity(p.Features())
		p.Inputs = &inputs
		s.EmbedDim = p.Features()
		targets := &preprocess.Scaler{Mean: []float64{100, -5}, Std: []float64{12.5, 0.3}}

		w := newTwin(t, s, 7, 2, true)
		w.packed = ok(infer.New(ok(qat.Export(w.m, qat.WithHead(w.head), qat.WithTargets(targets), qat.WithPipeline(p)))))
		in := sequences{make([]float32, 7*s.WindowSize*s.EmbedDim), make([]int, 7)}
		var raw [][]float32
		for b, n := range []int{1, 2, 3, 13, 17, 50, 200} { // up to beyond the window
			raw = append(raw, numbers(uint64(b), 3*n))
			for k := range raw[b] {
				if k%5 == b%5 {
					raw[b][k] = float32(math.NaN())
				}
			}
			row := in.x[b*s.WindowSize*s.EmbedDim : (b+1)*s.WindowSize*s.EmbedDim]
			in.lengths[b] = ok(p.ApplyPadded(row, raw[b], n))
		}
		for b, want := range w.graph(t, in) {
			for k, v := range want {
				want[k] = targets.Invert(v, k)
			}
			requireBits(t, fmt.Sprintf("frames of %v: recording %d", frame, b), ok(w.packed.Predict(nil, raw[b])), want)
		}
	}
}

// TestInferMatchesGraph_stream: the last answer of a stream that just filled the
// window is the graph's.
func TestInferMatchesGraph_stream(t *testing.T) {
	for _, mode := range modes {
		for _, pooling := range poolings {
			s := small(mode)
			s.Pooling, s.Positions = pooling, qat.Rotary
			w := newTwin(t, s, 3, 5, true)
			in := w.sequences(rand.New(rand.NewPCG(uint64(mode), 9)))
			for b, want := range w.graph(t, in) {
				stream, frames := w.packed.NewStream(), w.real(in, b)
				var got []float32
				for k := range in.lengths[b] {
					require.NoError(t, stream.Push(frames[k*s.EmbedDim:(k+1)*s.EmbedDim]))
					got = ok(stream.Predict(got))
				}
				requireBits(t, fmt.Sprint(w.spec), got, want)
			}
		}
	}
}
