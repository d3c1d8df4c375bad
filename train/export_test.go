package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uneven gives the sequences of a set lengths from 1 to its steps, with noise where
// nothing may be read.
func uneven(s *dataset.Set) *dataset.Set {
	for i := range s.Len() {
		n := 1 + i%s.Steps
		s.Lengths = append(s.Lengths, n)
		for k := range (s.Steps - n) * s.Channels {
			s.At(i)[k] = float32(1000 + i)
		}
	}
	return s
}

// targeted turns the classes of a set into two targets.
func targeted(s *dataset.Set) *dataset.Set {
	for i, label := range s.Labels {
		s.Targets = append(s.Targets, float32(1000+label), s.At(i)[4])
	}
	s.Classes, s.Labels, s.Outputs = nil, nil, 2
	return s
}

// parityCases are models to pack, with data of more than a batch.
func parityCases() map[string]struct {
	config Config
	data   func(n int, seed uint64) *dataset.Set
} {
	type parityCase = struct {
		config Config
		data   func(n int, seed uint64) *dataset.Set
	}
	all := map[string]parityCase{"modes": {mixedConfig(), toySet}}
	for _, mode := range quant.Modes() {
		c := toyConfig()
		c.Model.Quantize = mode
		all[mode.String()] = parityCase{c, toySet}
	}
	edifice := toyConfig()
	edifice.Model.Numerics, edifice.Model.Activations, edifice.Model.Quantize = spec.Edifice, spec.FloatActivations, quant.Int4
	all["edifice"] = parityCase{edifice, toySet}
	mean := toyConfig()
	mean.Model.Pooling, mean.Model.Positions = spec.Mean, spec.Rotary
	all["uneven"] = parityCase{mean, func(n int, seed uint64) *dataset.Set { return uneven(toySet(n, seed)) }}
	all["targets"] = parityCase{mixedConfig(), func(n int, seed uint64) *dataset.Set { return targeted(toySet(n, seed)) }}
	return all
}

// TestCheckParity: what a training leaves has the same bits packed.
func TestCheckParity(t *testing.T) {
	for name, c := range parityCases() {
		t.Run(name, func(t *testing.T) {
			tr := trainerOf(t, c.config, c.data(53, 1))
			finish(t, tr)
			p, err := tr.Export(nil)
			require.NoError(t, err)
			assert.Equal(t, tr.Task().Classes, p.Head.Classes)
			assert.Equal(t, tr.Task().Targets, p.Head.Targets)
			assert.NoError(t, tr.CheckParity(p, c.data(evalBatch+11, 2)))
		})
	}
}

// TestCheckParity_differs changes one thing of a packed model as little as it can be.
func TestCheckParity_differs(t *testing.T) {
	find := func(p *packed.Model, name string) []float32 {
		return p.Tensors[slices.IndexFunc(p.Tensors, func(v packed.Tensor) bool { return v.Name == name })].Values
	}
	up := func(v *float32) { *v = math.Nextafter32(*v, 1e9) }
	for _, c := range []struct {
		name, of string
		change   func(p *packed.Model)
		want     string
	}{
		{"the head's bias", "ternary", func(p *packed.Model) { find(p, "head.bias")[2] = 1e-6 }, "example 0, output 2: the graph has "},
		{"an ulp of a scale", "int8", func(p *packed.Model) { up(&p.Weights[0].Scales[0]) }, "the graph has "},
		{"an ulp of a norm", "binary", func(p *packed.Model) { up(&find(p, "final_norm.weight")[3]) }, "the graph has "},
		{"a code", "binary", func(p *packed.Model) { p.Weights[1].Codes[0] ^= 1 }, "the graph has "},
		{"the scale of a target", "targets", func(p *packed.Model) { p.Head.Targets.Mean[1]++ }, "example 0, output 1: the graph has "},
		{"an overflow", "ternary", func(p *packed.Model) {
			clear(find(p, "final_norm.weight"))
			for i := range find(p, "final_norm.bias") {
				find(p, "final_norm.bias")[i] = math.MaxFloat32
			}
		}, "from example 0 on: infer: sequence "},
		{"no head", "ternary", func(p *packed.Model) { p.Head, p.Tensors = nil, p.Tensors[:len(p.Tensors)-2] }, "its head is not that of classes"},
		{"no targets", "targets", func(p *packed.Model) { p.Head.Targets = nil }, "its head is not that of 2 targets"},
		{"a fault", "ternary", func(p *packed.Model) { p.Weights[0].Scales[0] = -1 }, "scale 0 is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := parityCases()[c.of]
			tr := trainerOf(t, of.config, of.data(13, 1))
			p, err := tr.Export(nil)
			require.NoError(t, err)
			require.NoError(t, tr.CheckParity(p, of.data(11, 2)))
			c.change(p)
			err = tr.CheckParity(p, of.data(11, 2))
			assert.ErrorIs(t, err, ErrParity)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// TestCheckParity_data: data that does not fit is no difference.
func TestCheckParity_data(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(13, 1))
	p, err := tr.Export(nil)
	require.NoError(t, err)
	other := toySet(5, 3)
	other.Channels, other.Steps = 11, 3
	err = tr.CheckParity(p, other)
	assert.ErrorContains(t, err, "data of 3 steps, 11 channels")
	assert.NotErrorIs(t, err, ErrParity)
}

// TestParity_batch: an example is named by its place in all of the data.
func TestParity_batch(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(13, 1))
	p, err := tr.Export(nil)
	require.NoError(t, err)
	runs, err := infer.New(p)
	require.NoError(t, err)
	test := toySet(5, 2)
	var batch []dataset.Example
	for i := range test.Len() {
		batch = append(batch, test.Example(i))
	}
	outputs, err := runs.PredictBatch(nil, test.Values, []int{11, 11, 11, 11, 11})
	require.NoError(t, err)
	check := parity{task: tr.Task(), runs: runs}
	require.NoError(t, check.batch(outputs, batch))
	outputs[3*3+1] = 0.5
	assert.ErrorContains(t, check.batch(outputs, batch), "example 8, output 1: the graph has 0.5 (3f000000), the packed model ")
}

// recordedSet makes what the model reads of recordings of 1 to 40 steps, with values
// missing: channels x, y, z scaled, in frames.
func recordedSet(t *testing.T, n int, seed uint64) *dataset.Set {
	t.Helper()
	toy := toySet(n, seed)
	p := &preprocess.Pipeline{
		Channels: []string{"x", "y", "z"}, Frame: 4, Hop: 3, Center: true, Window: 11, Missing: true,
		Scale: preprocess.Scaler{Mean: []float64{1, -2, 0.3}, Std: []float64{3, 0.7, 1.1}},
	}
	s := &dataset.Set{Name: "recorded", Steps: p.Window, Channels: p.Features(), Classes: toy.Classes, Labels: toy.Labels, Pipeline: p}
	rng := rand.New(rand.NewPCG(seed, 5))
	for i := range n {
		series := make([]float32, 3*(1+(7*i)%40))
		for k := range series {
			if series[k] = float32(3 * rng.NormFloat64()); k%5 == i%5 {
				series[k] = float32(math.NaN())
			}
		}
		row := make([]float32, p.Window*p.Features())
		length, err := p.ApplyPadded(row, series, len(series)/3)
		require.NoError(t, err)
		s.Values, s.Lengths, s.Recorded = append(s.Values, row...), append(s.Lengths, length), append(s.Recorded, series)
	}
	return s
}

// TestCheckParity_recorded: a model that carries its pipeline runs on what was
// recorded, so that a fault of the pipeline it carries is a difference.
func TestCheckParity_recorded(t *testing.T) {
	tr := trainerOf(t, toyConfig(), recordedSet(t, 53, 1))
	finish(t, tr)
	test := recordedSet(t, evalBatch+11, 2)
	p, err := tr.Export(test.Pipeline)
	require.NoError(t, err)
	require.NoError(t, tr.CheckParity(p, test))
	require.NotNil(t, p.Input, "a check changes nothing")
	for name, change := range map[string]func(*preprocess.Pipeline){
		"an ulp of a mean": func(p *preprocess.Pipeline) { p.Scale.Mean[1] = float64(math.Nextafter32(float32(p.Scale.Mean[1]), 9)) },
		"a hop":            func(p *preprocess.Pipeline) { p.Hop++ },
		"a scale of frames": func(p *preprocess.Pipeline) {
			inputs := preprocess.Identity(p.Features())
			inputs.Std[14] = 1.5
			p.Inputs = &inputs
		},
	} {
		p, err := tr.Export(test.Pipeline)
		require.NoError(t, err)
		change(p.Input)
		err = tr.CheckParity(p, test)
		assert.ErrorIs(t, err, ErrParity, name)
		assert.ErrorContains(t, err, "the graph has ", name)
	}
	bare := *test
	bare.Recorded, bare.Pipeline = nil, nil
	err = tr.CheckParity(p, &bare)
	assert.ErrorContains(t, err, "the packed model reads what was recorded")
	assert.NotErrorIs(t, err, ErrParity)
}

// TestExport_pipeline: the model carries what made its input.
func TestExport_pipeline(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(13, 1))
	pipeline := &preprocess.Pipeline{Channels: []string{"x", "y", "z"}, Scale: preprocess.Identity(3), Frame: 1, Hop: 1, Window: 11}
	p, err := tr.Export(pipeline)
	require.NoError(t, err)
	assert.Equal(t, pipeline, p.Input)
	assert.NotNil(t, p.Head)

	pipeline.Window = 13
	_, err = tr.Export(pipeline)
	assert.ErrorContains(t, err, "WithPipeline: it makes windows of 13 steps, the model reads 11")
}

func TestMeter(t *testing.T) {
	_, err := NewMeter(Task{})
	assert.ErrorContains(t, err, "no classes")
	_, err = NewMeter(Task{Outputs: 2})
	assert.ErrorContains(t, err, "targets without a scale")
	tr := trainerOf(t, toyConfig(), targeted(toySet(13, 1)))
	test := targeted(toySet(evalBatch+11, 2))
	want, err := tr.Evaluate(test)
	require.NoError(t, err)
	m, err := NewMeter(tr.Task())
	require.NoError(t, err)
	require.NoError(t, tr.each(test, m.Add))
	assert.Equal(t, want, m.Metrics())
	assert.Equal(t, test.Len(), m.Len())
}
