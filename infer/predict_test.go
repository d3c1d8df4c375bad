package infer

import (
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"testing"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The results have the sizes that the model says, in the caller's memory where it is
// enough.
func TestPredict_sizes(t *testing.T) {
	for _, pooling := range everyPooling {
		for _, width := range []int{0, 5} {
			s := ternary()
			s.Pooling = pooling
			m := newModel(t, s, width)
			assert.Equal(t, map[int]int{0: 22, 5: 5}[width], m.Width())
			assert.Equal(t, 3, m.Channels())
			for n := 1; n <= s.WindowSize; n++ {
				x := numbers(uint64(n), 3*n)
				got := predict(t, m, x)
				rows := 1
				if pooling == spec.AllTimesteps {
					rows = m.Steps(n)
				}
				require.Len(t, got, rows*m.Width())
				buf := make([]float32, len(got)+3)
				into, err := m.Predict(buf, x)
				require.NoError(t, err)
				require.Same(t, &buf[0], &into[0])
				requireBits(t, got, into, "into a slice")
				assert.Zero(t, buf[len(got)], "beside the result")
			}
		}
	}
}

// A step's output is that of the sequence up to it, so that pooling, head and
// attention look at nothing else.
func TestPredict_causal(t *testing.T) {
	for _, positions := range everyPosition {
		s := ternary()
		s.Positions, s.Pooling = positions, spec.AllTimesteps
		p := newPacked(t, s, 5)
		all := ready(t, p)
		p.Spec.Pooling = spec.LastTimestep
		last := ready(t, p)
		x := numbers(1, 3*13)
		steps := predict(t, all, x)
		for n := 1; n <= 13; n++ {
			requireBits(t, steps[5*(n-1):5*n], predict(t, last, x[:3*n]), "%v: %d steps", positions, n)
		}
	}
}

func TestPredict_errors(t *testing.T) {
	m := newModel(t, ternary(), 5)
	for _, tc := range []struct {
		name string
		x    []float32
		want string
	}{
		{"empty", nil, "infer: 0 values, want steps (1 or more) of 3 channels"},
		{"part of a step", make([]float32, 7), "infer: 7 values, want steps (1 or more) of 3 channels"},
		{"too long", make([]float32, 3*14), "infer: 14 steps, want 1 to the window of 13"},
		{"NaN", []float32{0, 0, 0, 0, 0, nan, nan}[:6], "infer: step 1, channel 2 is NaN, not a finite number"},
		{"Inf", []float32{0, -inf, 0}, "infer: step 0, channel 1 is -Inf, not a finite number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := m.Predict(nil, tc.x)
			require.EqualError(t, err, tc.want)
			_, err = m.PredictBatch(nil, append([]float32{0, 0, 0}, tc.x...), []int{1, len(tc.x) / 3})
			require.Error(t, err)
		})
	}
	_, err := m.Predict(nil, []float32{0, nan, 0})
	require.ErrorIs(t, err, quant.ErrNotFinite)
}

// Finite values that overflow are an error, wherever they do.
func TestPredict_overflow(t *testing.T) {
	huge := func(values []float32) {
		for i := range values {
			values[i] = 3e38
		}
	}
	for _, tc := range []struct {
		tensor string
		want   string
	}{
		{"input_projection.weight", "infer: blocks.0.attn.qkv: its input is not finite: values of the model or of its input are too large"},
		{"blocks.1.ffn_norm.weight", "infer: blocks.1.ffn.up: its input is not finite: values of the model or of its input are too large"},
		{"head.weight", "infer: output 0 is "},
	} {
		for _, activations := range []spec.Activations{spec.Int8Activations, spec.FloatActivations} {
			s := ternary()
			s.Activations = activations
			p := newPacked(t, s, 5)
			for _, tensor := range p.Tensors {
				if tensor.Name == tc.tensor {
					huge(tensor.Values)
				}
			}
			m := ready(t, p)
			x := []float32{300, 200, 100}
			_, err := m.Predict(nil, x)
			require.ErrorContains(t, err, tc.want)
			// The model goes on: nothing of a failed call stays.
			_, err = m.Predict(nil, x[:2])
			require.ErrorContains(t, err, "2 values")
		}
	}
}

// With a pipeline, raw values give what the pipeline's output gives without one.
func TestPredict_pipeline(t *testing.T) {
	for _, f := range [][2]int{{1, 1}, {4, 2}, {2, 3}} {
		s := ternary()
		in := pipeline(&s, 2, f[0], f[1], true)
		p := newPacked(t, s, 5)
		plain := ready(t, p)
		p.Input = in
		m := ready(t, p)
		assert.Equal(t, 2, m.Channels())
		assert.Equal(t, []string{"x0", "x1"}, m.ChannelNames())
		assert.Nil(t, plain.ChannelNames())
		for _, steps := range []int{1, 2, 7, 13, 100} {
			x := numbers(uint64(steps), 2*steps)
			x[len(x)-1], x[0] = nan, nan
			read, n, err := in.Apply(nil, x, steps)
			require.NoError(t, err)
			assert.Equal(t, n, m.Steps(steps))
			requireBits(t, predict(t, plain, read), predict(t, m, x), "frames of %v, %d steps", f, steps)
		}
		_, err := m.Predict(nil, []float32{1, 2, inf, 3})
		require.EqualError(t, err, `infer: preprocess: step 1, channel "x0": saw +Inf, want a finite number`)
		assert.True(t, m.Missing())
		assert.False(t, plain.Missing())
		in.Missing = false
		assert.False(t, m.Missing())
		_, err = m.Predict(nil, []float32{1, 2, 0, nan})
		require.EqualError(t, err, `infer: preprocess: step 1, channel "x1": saw NaN, want a finite number: in training no value was missing`)
	}
}

func TestPredict_targets(t *testing.T) {
	p := newPacked(t, ternary(), 2)
	x := numbers(1, 3*13)
	plain := ready(t, p)
	want := predict(t, plain, x)
	p.Head.Targets = &preprocess.Scaler{Mean: []float64{10, -3}, Std: []float64{2, 0.5}}
	m := ready(t, p)
	for k, v := range want {
		want[k] = p.Head.Targets.Invert(v, k)
	}
	requireBits(t, want, predict(t, m, x), "in the units of the data")
	assert.Equal(t, p.Head.Targets, m.Targets())
	assert.Nil(t, plain.Targets())
	_, _, err := m.Label(want)
	require.EqualError(t, err, "infer: the model has 2 targets, no classes")
}

func TestProbabilities(t *testing.T) {
	p := newPacked(t, ternary(), 3)
	p.Head.Classes = []string{"a", "b", "c"}
	m := ready(t, p)
	logits := []float32{1, 2, 3, -100, 300, 300}
	want := make([]float32, 6)
	kernel.CrossEntropy(want, logits, []int{0, 0}, nil, 3)
	got, err := m.Probabilities(nil, logits)
	require.NoError(t, err)
	requireBits(t, want, got, "the training graph's softmax")
	for i, row := range [][]float64{{1, 2, 3}, {-100, 300, 300}} {
		sum := math.Exp(row[0]-row[2]) + math.Exp(row[1]-row[2]) + 1
		for k, v := range row {
			assert.InDelta(t, math.Exp(v-row[2])/sum, got[3*i+k], 1e-6, "float64's softmax")
		}
	}
	assert.Equal(t, []float32{0, 0.5, 0.5}, got[3:])
	got, err = m.Probabilities(logits, logits)
	require.NoError(t, err)
	requireBits(t, want, got, "in place")

	for _, tc := range []struct {
		logits []float32
		want   string
	}{
		{nil, "infer: 0 logits, want a multiple of 3"},
		{make([]float32, 4), "infer: 4 logits, want a multiple of 3"},
		{[]float32{0, nan, 0}, "infer: logit 1 is NaN, not a finite number"},
	} {
		_, err = m.Probabilities(nil, tc.logits)
		require.EqualError(t, err, tc.want)
		_, _, err = m.Label(tc.logits)
		require.EqualError(t, err, tc.want)
	}
	_, err = newModel(t, ternary(), 0).Probabilities(nil, make([]float32, 22))
	require.EqualError(t, err, "infer: the model has no head: its outputs are no logits")
}

func TestLabel(t *testing.T) {
	p := newPacked(t, ternary(), 3)
	p.Head.Classes = []string{"a", "b", "c"}
	m := ready(t, p)
	assert.Equal(t, []string{"a", "b", "c"}, m.Classes())
	for _, tc := range []struct {
		logits []float32
		name   string
		class  int
	}{{[]float32{1, 3, 2}, "b", 1}, {[]float32{-1, -2, -1}, "a", 0}, {[]float32{0, 0, 1e-9}, "c", 2}} {
		name, class, err := m.Label(tc.logits)
		require.NoError(t, err)
		assert.Equal(t, tc.name, name)
		assert.Equal(t, tc.class, class)
	}
	_, _, err := m.Label(make([]float32, 6))
	require.EqualError(t, err, "infer: 6 logits, want one sequence's 3")
	name, class, err := newModel(t, ternary(), 3).Label([]float32{0, 1, 0})
	require.NoError(t, err)
	assert.Equal(t, "", name)
	assert.Equal(t, 1, class)
}

// anyModels are models whose calls must neither allocate nor disturb one another.
func anyModels(t testing.TB) map[string]*Model {
	models := map[string]*Model{}
	for _, mode := range quant.Modes() {
		s := ternary()
		s.Quantize, s.Granularity = mode, quant.PerChannel
		if mode == quant.Float {
			s.Activations = spec.FloatActivations
		}
		models[mode.String()] = newModel(t, s, 5)
		s.Pooling, s.Granularity, s.Activations, s.Positions = spec.AllTimesteps, quant.PerTensor, spec.FloatActivations, spec.Rotary
		models[mode.String()+"_float_activations"] = newModel(t, s, 0)
		s.Numerics = spec.Edifice
		models[mode.String()+"_edifice"] = newModel(t, s, 5)
	}
	s := ternary()
	in := pipeline(&s, 3, 4, 2, true)
	p := newPacked(t, s, 5)
	p.Input, p.Head.Targets = in, &preprocess.Scaler{Mean: make([]float64, 5), Std: []float64{1, 2, 3, 4, 5}}
	models["pipeline"] = ready(t, p)
	return models
}

func TestPredict_allocations(t *testing.T) {
	for name, m := range anyModels(t) {
		x, dst := numbers(1, m.Channels()*13), make([]float32, 13*m.Width())
		run := func() {
			_, err := m.Predict(dst, x)
			require.NoError(t, err)
		}
		run()
		assert.Zero(t, testing.AllocsPerRun(20, run), name)
	}
}

// Calls at the same time do not disturb one another.
func TestPredict_goroutines(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for name, m := range anyModels(t) {
		var group sync.WaitGroup
		for g := range 4 {
			group.Go(func() {
				fresh := m.NewStream()
				for i := range rounds {
					n := 1 + (g+3*i)%13
					x := numbers(uint64(g*100+i), m.Channels()*n)
					got, err := m.Predict(nil, x)
					assert.NoError(t, err)
					again, err := m.PredictBatch(nil, append(x, x...), []int{n, n})
					assert.NoError(t, err)
					assert.Equal(t, append(got, got...), again, "%s: a batch of two", name)
					fresh.Reset()
					for k := range n {
						assert.NoError(t, fresh.Push(x[k*m.Channels():(k+1)*m.Channels()]))
					}
					streamed, err := fresh.Predict(nil)
					assert.NoError(t, err)
					assert.Equal(t, got, streamed, "%s: a stream", name)
				}
			})
		}
		group.Wait()
	}
}

func BenchmarkPredict(b *testing.B) {
	for name, s := range map[string]spec.Model{
		"small":  {EmbedDim: 8, HiddenSize: 64, NumHeads: 4, NumLayers: 2, WindowSize: 8},
		"medium": {EmbedDim: 256, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60},
	} {
		for _, mode := range quant.Modes() {
			s.Quantize, s.Activations = mode, spec.Int8Activations
			if mode == quant.Float {
				s.Activations = spec.FloatActivations
			}
			b.Run(fmt.Sprintf("%s/%v", name, mode), func(b *testing.B) {
				m, x, dst := newModel(b, s, 5), numbers(1, s.WindowSize*s.EmbedDim), make([]float32, 5)
				b.ReportAllocs()
				for b.Loop() {
					_, err := m.Predict(dst, x)
					require.NoError(b, err)
				}
			})
		}
	}
}

// BenchmarkOpen is from a file of 3 million weights to the first answer.
func BenchmarkOpen(b *testing.B) {
	s := spec.Model{EmbedDim: 256, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: quant.Ternary}
	path := filepath.Join(b.TempDir(), "model.qat")
	require.NoError(b, newPacked(b, s, 5).Write(path))
	x, dst := numbers(1, s.EmbedDim), make([]float32, 5)
	for b.Loop() {
		m, err := Open(path)
		require.NoError(b, err)
		_, err = m.Predict(dst, x)
		require.NoError(b, err)
	}
}
