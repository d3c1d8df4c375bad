package train

import (
	"math"
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

// TestExport_pipeline: the model carries what made its input.
func TestExport_pipeline(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(13, 1))
	pipeline := &preprocess.Pipeline{Channels: []string{"x", "y", "z"}, Scale: preprocess.Identity(3), Frame: 1, Hop: 1, Window: 11}
	p, err := tr.Export(pipeline)
	require.NoError(t, err)
	assert.Equal(t, pipeline, p.Input)
	assert.NoError(t, tr.CheckParity(p, toySet(11, 2)))
	assert.NotNil(t, p.Input, "a check changes nothing")
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
