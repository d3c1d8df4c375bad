package train

import (
	"context"
	"iter"
	"math"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFit(t *testing.T) {
	c := toyConfig()
	data := toySet(53, 1)
	whole := trainerOf(t, c, data)
	finish(t, whole)

	m, err := NewModel(c.Model, data, c.Seed)
	require.NoError(t, err)
	steps := 0
	for e, err := range Fit(context.Background(), m, data, WithConfig(c)) {
		require.NoError(t, err)
		steps++
		assert.Equal(t, steps, e.Step)
	}
	assert.Equal(t, 15, steps)
	assert.Equal(t, latents(t, whole.Model), latents(t, m))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range Fit(ctx, m, data) {
		require.ErrorIs(t, err, context.Canceled)
	}
	for _, err := range Fit(context.Background(), m, data, WithEpochs(0), WithLearnRate(-1)) {
		require.ErrorContains(t, err, "epochs 0")
		require.ErrorContains(t, err, "learning rate -1")
	}
	for _, err := range Fit(context.Background(), nil, data) {
		require.ErrorContains(t, err, "needs a model and data")
	}
	other := toySet(5, 1)
	other.Classes = []string{"x", "y", "z"}
	for _, err := range Fit(context.Background(), m, other) {
		require.ErrorContains(t, err, `classes ["x" "y" "z"] for a model of`)
	}
}

func TestOptions(t *testing.T) {
	data := toySet(53, 1)
	m, err := NewModel(toyConfig().Model, data, 7)
	require.NoError(t, err)
	tr, err := NewTrainer(m, data, WithEpochs(2), WithBatchSize(11), WithLearnRate(0.5), WithSchedule(LinearSchedule, 0.25),
		WithWeightDecay(0.125), WithQuantizeWarmup(0.5), WithClipNorm(3), WithAugment(Augment{Jitter: 0.5}), WithClassWeights(BalancedClasses),
		WithValidation(toySet(5, 2)), WithPatience(4))
	require.NoError(t, err)
	want := Recipe(data.Facts())
	want.Model, want.Seed = m.Spec(), 7
	want.Epochs, want.BatchSize, want.LearnRate, want.Schedule, want.Warmup = 2, 11, 0.5, LinearSchedule, 0.25
	want.QuantizeWarmup = 0.5
	want.WeightDecay, want.ClipNorm, want.Augment, want.ClassWeights, want.Patience = 0.125, 3, Augment{Jitter: 0.5}, BalancedClasses, 4
	assert.Equal(t, want, tr.Config())
}

// TestQuantizeWarmup: the first step of a training is a float one, and what follows the
// warm-up is quantized; a training that went on from a checkpoint ends alike.
func TestQuantizeWarmup(t *testing.T) {
	c, data := toyConfig(), toySet(53, 1)
	c.QuantizeWarmup = 0.5
	warm := trainerOf(t, c, data)
	for i, want := range []float64{0, 2.0 / 15, 4.0 / 15} {
		assert.InDelta(t, want, warm.quantization(), 1e-12, "step %d", i)
		step(t, warm)
	}
	float := c
	float.QuantizeWarmup, float.Model.Quantize, float.Model.Activations = 0, quant.Float, spec.FloatActivations
	one, other := trainerOf(t, c, data), trainerOf(t, float, data)
	step(t, one)
	step(t, other)
	assert.Equal(t, latents(t, other.Model), latents(t, one.Model))
	finish(t, warm)
	assert.InDelta(t, 2, warm.quantization(), 1e-12)
	cold := trainerOf(t, toyConfig(), data)
	finish(t, cold)
	assert.NotEqual(t, latents(t, cold.Model), latents(t, warm.Model))
}

// step makes one.
func step(t *testing.T, tr *Trainer) {
	t.Helper()
	for _, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		return
	}
}

// TestSchedules: the rate of the last step tells the schedules apart.
func TestSchedules(t *testing.T) {
	c := toyConfig()
	c.LearnRate, c.Warmup = 1, 0.2
	for name, want := range map[string]float64{
		ConstantSchedule: 1,
		LinearSchedule:   1.0 / 81,
		CosineSchedule:   (1 + math.Cos(math.Pi*80/81)) / 2,
	} {
		c.Schedule = name
		assert.InDelta(t, want, c.schedule(100).Rate(100), 1e-12, name)
		assert.InDelta(t, 0.5, c.schedule(100).Rate(10), 1e-12, "the warm-up of %s", name)
	}
	c.Schedule = "sawtooth"
	assert.ErrorContains(t, c.Validate(), `schedule "sawtooth", want one of cosine, linear, constant`)
}

func TestBalance(t *testing.T) {
	s := toySet(12, 1)
	s.Classes = append(s.Classes, "never")
	s.Labels = []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2}
	got, err := balance(s)
	require.NoError(t, err)
	assert.Equal(t, []float32{12.0 / (4 * 8), 12.0 / (4 * 3), 12.0 / 4, 0}, got)
	_, err = balance(regressionSet(5, 1))
	assert.ErrorContains(t, err, "need classes")
}

// TestClassWeights: a rare class that cannot be told from a common one is never
// predicted, but half of the time where classes weigh the same.
func TestClassWeights(t *testing.T) {
	data := toySet(130, 1)
	for i := range data.Labels {
		data.Labels[i] = 0
		if i%13 == 0 {
			data.Labels[i] = 1
		}
	}
	clear(data.Values)
	rare := func(weights string) float64 {
		c := toyConfig()
		c.ClassWeights, c.Epochs = weights, 20
		tr := trainerOf(t, c, data)
		finish(t, tr)
		p, err := tr.Predict(data)
		require.NoError(t, err)
		a, b := float64(p.Outputs[0]), float64(p.Outputs[1])
		return 1 / (1 + math.Exp(a-b))
	}
	assert.InDelta(t, 1.0/13, rare(""), 0.05)
	assert.InDelta(t, 0.5, rare(BalancedClasses), 0.1)
}

// regressionSet is n sequences whose targets are the last value of channel 0, times
// 100 plus 500, and the sum of channel 1.
func regressionSet(n int, seed uint64) *dataset.Set {
	s := toySet(n, seed)
	s.Classes, s.Labels, s.Outputs = nil, nil, 2
	for i := range n {
		x, sum := s.At(i), float32(0)
		for k := 1; k < len(x); k += 3 {
			sum += x[k]
		}
		s.Targets = append(s.Targets, 500+100*x[30], sum)
	}
	return s
}

func TestRegression(t *testing.T) {
	c := toyConfig()
	c.Epochs, c.LearnRate = 60, 5e-3
	learn, test := regressionSet(211, 1), regressionSet(97, 2)
	tr, err := New(c, learn, regressionSet(31, 3))
	require.NoError(t, err)
	events := finish(t, tr)
	assert.True(t, events[0].Metrics.Regression())
	m, err := tr.Evaluate(test)
	require.NoError(t, err)
	mean, err := MeanTarget(learn, test)
	require.NoError(t, err)
	assert.Less(t, m.RMSE, 0.4*mean.RMSE)
	assert.Greater(t, m.R2, 0.85)
	assert.InDelta(t, 0, mean.R2, 0.05, "a mean explains nothing")

	p, err := tr.Predict(test)
	require.NoError(t, err)
	assert.Equal(t, test.Targets, p.Targets)
	squared, absolute := 0.0, 0.0
	for i, v := range p.Outputs {
		d := float64(v) - float64(p.Targets[i])
		squared += d * d / float64(len(p.Outputs))
		absolute += math.Abs(d) / float64(len(p.Outputs))
	}
	const rounding = 1e-9 // of sums in another order
	assert.InEpsilon(t, math.Sqrt(squared), m.RMSE, rounding)
	assert.InEpsilon(t, absolute, m.MAE, rounding)

	best := tr.History()[tr.BestEpoch()-1]
	for _, e := range tr.History() {
		assert.LessOrEqual(t, best.Validation.Loss, e.Validation.Loss)
		assert.Positive(t, e.Training.RMSE)
	}
	path := t.TempDir() + "/latents.safetensors"
	require.NoError(t, tr.Save(path, Saved{Config: tr.Config(), Data: toySource}))
	loaded, saved, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, tr.Task(), saved.Task)
	again, err := loaded.Evaluate(test)
	require.NoError(t, err)
	assert.Equal(t, m, again)
	_, err = tr.Evaluate(toySet(5, 1))
	assert.ErrorContains(t, err, `classes ["a" "b" "c"] for a model of 11, 3, 2 targets`)
}

func TestMetricsJSON(t *testing.T) {
	for text, m := range map[string]Metrics{
		`{"loss":0.5,"accuracy":0}`:               {Loss: 0.5},
		`{"loss":0.5,"rmse":2,"mae":1,"r2":-0.5}`: {Loss: 0.5, RMSE: 2, MAE: 1, R2: -0.5, regression: true},
	} {
		got, err := m.MarshalJSON()
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
		var back Metrics
		require.NoError(t, back.UnmarshalJSON(got))
		assert.Equal(t, m, back)
	}
}

// TestCopyFrom: a quantized model that takes a trained float one's latents is that
// one quantized after training.
func TestCopyFrom(t *testing.T) {
	c := toyConfig()
	c.Model.Quantize, c.Epochs = quant.Float, 12
	float := trainerOf(t, c, toySet(53, 1))
	finish(t, float)
	for _, mode := range []quant.Mode{quant.Int8, quant.Float} {
		c.Model.Quantize = mode
		m, err := NewModel(c.Model, toySet(53, 1), 99)
		require.NoError(t, err)
		require.NoError(t, m.CopyFrom(float.Model))
		assert.Equal(t, latents(t, float.Model), latents(t, m))
		want, err := float.Evaluate(toySet(59, 2))
		require.NoError(t, err)
		got, err := m.Evaluate(toySet(59, 2))
		require.NoError(t, err)
		assert.InDelta(t, want.Loss, got.Loss, 0.05, "int8 is near to float")
	}
	c.Model.HiddenSize = 32
	m, err := NewModel(c.Model, toySet(53, 1), 99)
	require.NoError(t, err)
	before := latents(t, m)
	require.ErrorContains(t, m.CopyFrom(float.Model), "want [3 32]")
	assert.Equal(t, before, latents(t, m))
}

// TestStreamedTraining: data that is read anew each epoch trains the same model,
// where its order is the same.
func TestStreamedTraining(t *testing.T) {
	c := toyConfig()
	data := toySet(53, 1)
	whole := trainerOf(t, c, data)
	finish(t, whole)
	streamed, err := New(c, unsteady{data, 53}, nil)
	require.NoError(t, err)
	finish(t, streamed)
	assert.Equal(t, latents(t, whole.Model), latents(t, streamed.Model))

	short, err := New(c, unsteady{data, 51}, nil)
	require.NoError(t, err)
	var last error
	for _, last = range short.Steps(context.Background()) {
		if last != nil {
			break
		}
	}
	assert.ErrorContains(t, last, "epoch 1 of toy ended with 39 of its 53 sequences")
}

// unsteady is data that hands out the same memory for each sequence, and may end
// early.
type unsteady struct {
	*dataset.Set
	n int
}

func (u unsteady) Epoch(seed uint64, epoch int) iter.Seq2[dataset.Example, error] {
	return func(yield func(dataset.Example, error) bool) {
		values, n := make([]float32, u.Steps*u.Channels), 0
		for e := range u.Set.Epoch(seed, epoch) {
			if n++; n > u.n {
				return
			}
			copy(values, e.Values)
			e.Values = values
			if !yield(e, nil) {
				return
			}
			for i := range values {
				values[i] = float32(math.NaN())
			}
		}
	}
}
