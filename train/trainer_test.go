package train

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/qat-go/qat/checkpoint"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/solver"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finish trains to the end and returns the events.
func finish(t *testing.T, tr *Trainer) []Event {
	t.Helper()
	var events []Event
	for e, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// latents returns every parameter's values.
func latents(t *testing.T, c *Model) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, l := range c.layers() {
		for _, p := range l.Params() {
			v, err := l.ParamValue(p.Name)
			require.NoError(t, err)
			all[p.Name] = v
		}
	}
	return all
}

func trainerOf(t *testing.T, c Config, s *dataset.Set) *Trainer {
	t.Helper()
	tr, err := New(c, s, nil)
	require.NoError(t, err)
	return tr
}

// stepOn makes one step on the sequences at indices.
func stepOn(t *testing.T, tr *Trainer, indices []int) {
	t.Helper()
	b, err := tr.newBatch(len(indices))
	require.NoError(t, err)
	for _, i := range indices {
		require.NoError(t, b.add(tr.data.(*dataset.Set).Example(i)))
	}
	_, err = tr.update(b)
	require.NoError(t, err)
}

func TestTrainerEvents(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(53, 1))
	events := finish(t, tr)
	require.Len(t, events, 15, "3 epochs of 4 full batches and one of 1 sequence")
	seen, ends := 0, 0
	for i, e := range events {
		assert.Equal(t, i+1, e.Step)
		assert.Equal(t, 15, e.Steps)
		assert.Equal(t, 1+i/5, e.Epoch)
		assert.Equal(t, i%5 == 4, e.EpochEnd, "step %d", e.Step)
		assert.Positive(t, e.ExamplesPerSecond)
		assert.False(t, math.IsNaN(e.Loss))
		assert.Equal(t, e.Loss, e.Metrics.Loss)
		assert.GreaterOrEqual(t, e.Metrics.Accuracy, 0.0)
		seen += e.Batch
		if e.EpochEnd {
			ends++
		}
	}
	assert.Equal(t, 3*53, seen, "every sequence is used once an epoch")
	assert.Equal(t, 3, ends)
	assert.Positive(t, events[14].LearnRate, "the last step learns too")
	assert.Less(t, events[14].LearnRate, 0.1*events[1].LearnRate, "the cosine nears 0")
}

func TestTrainerLearns(t *testing.T) {
	for _, mode := range quant.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			c := toyConfig()
			c.Model.Quantize, c.Epochs = mode, 12
			tr := trainerOf(t, c, toySet(53, 1))
			finish(t, tr)
			m, err := tr.Evaluate(toySet(59, 2))
			require.NoError(t, err)
			assert.Greater(t, m.Accuracy, 0.9, "chance is 0.33")
		})
	}
}

func TestTrainerRepeats(t *testing.T) {
	train := func(seed uint64, threads int) map[string][]float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		c := toyConfig()
		c.Seed = seed
		c.Augment = Augment{Jitter: 0.1, Scale: 0.1, Shift: 0.2}
		tr := trainerOf(t, c, toySet(53, 1))
		finish(t, tr)
		return latents(t, tr.Model)
	}
	first := train(5, 1)
	for _, threads := range []int{1, 2, 4} {
		assert.Equal(t, first, train(5, threads), "GOMAXPROCS %d", threads)
	}
	assert.NotEqual(t, first, train(6, 1), "another seed must train another model")
}

func TestEvaluateLeavesTrainingAlone(t *testing.T) {
	plain := trainerOf(t, toyConfig(), toySet(53, 1))
	finish(t, plain)
	watched := trainerOf(t, toyConfig(), toySet(53, 1))
	for e, err := range watched.Steps(context.Background()) {
		require.NoError(t, err)
		if e.EpochEnd {
			_, err := watched.Evaluate(toySet(17, 3))
			require.NoError(t, err)
		}
	}
	assert.Equal(t, latents(t, plain.Model), latents(t, watched.Model))
}

// TestPartialBatch makes the same steps, of 13 and of 5 sequences, by a trainer
// whose graph with the parameters is for 13 and by one whose graph is for 5: the
// parameters, moments and dropout's steps must be shared between the graphs.
func TestPartialBatch(t *testing.T) {
	train := func(batch int) map[string][]float32 {
		c := toyConfig()
		c.BatchSize = batch
		tr := trainerOf(t, c, toySet(53, 1))
		var err error
		tr.opt, err = solver.NewAdamW(solver.WithLearnRate(0.01)) // a schedule would depend on the batch size
		require.NoError(t, err)
		for _, indices := range [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {3, 1, 4, 15, 9}, {52, 51, 50, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}} {
			stepOn(t, tr, indices)
		}
		return latents(t, tr.Model)
	}
	assert.Equal(t, train(13), train(5))
}

func TestStepsStop(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(53, 1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	n := 0
	for _, err := range tr.Steps(ctx) {
		if last = err; err != nil {
			break
		}
		if n++; n == 2 {
			cancel()
		}
	}
	assert.Equal(t, 2, n, "a cancelled context stops before the next step")
	assert.ErrorIs(t, last, context.Canceled)
	for range tr.Steps(context.Background()) {
		break // leaving the loop must not hang or panic
	}
}

func TestNewFaults(t *testing.T) {
	_, err := New(Defaults(), nil, nil)
	assert.ErrorContains(t, err, "no data")
	c := toyConfig()
	c.Epochs, c.BatchSize, c.LearnRate, c.Warmup = 0, -1, math.NaN(), 2
	c.Augment = Augment{Jitter: -1, Shift: -1}
	c.Model.Pooling = spec.AllTimesteps
	_, err = New(c, toySet(53, 1), nil)
	for _, want := range []string{"epochs 0", "batch size -1", "learning rate NaN", "warm-up 2", "jitter -1", "shift -1", "pooling all"} {
		assert.ErrorContains(t, err, want)
	}
	c = toyConfig()
	c.Model.WindowSize, c.Model.EmbedDim = 12, 0
	_, err = New(c, toySet(53, 1), nil)
	assert.ErrorContains(t, err, "window 12, but the data has 11")
	c = toyConfig()
	c.Model.NumHeads = 5
	_, err = New(c, toySet(53, 1), nil)
	assert.ErrorContains(t, err, "hidden size 16 is not a multiple of 5 heads")
}

// TestValidation compares the trained weights with those at the end of each epoch.
// The validation labels are partly wrong, so that training soon makes it worse.
func TestValidation(t *testing.T) {
	c := toyConfig()
	c.Epochs, c.Patience = 40, 3
	validation := toySet(19, 4)
	for i := 0; i < 19; i += 2 {
		validation.Labels[i] = (validation.Labels[i] + 1) % 3
	}
	tr, err := New(c, toySet(53, 1), validation)
	require.NoError(t, err)
	byEpoch := map[int]map[string][]float32{}
	for e, err := range tr.Steps(context.Background()) {
		require.NoError(t, err)
		if e.EpochEnd && !tr.finished() {
			byEpoch[e.Epoch] = latents(t, tr.Model)
		}
	}
	history := tr.History()
	require.Less(t, len(history), c.Epochs, "patience must have ended it")
	best := tr.BestEpoch()
	assert.Equal(t, c.Patience, len(history)-best)
	assert.Equal(t, byEpoch[best], latents(t, tr.Model), "the best epoch's weights are kept")
	m, err := tr.Evaluate(validation)
	require.NoError(t, err)
	assert.Equal(t, *history[best-1].Validation, m)
	for _, e := range history {
		assert.False(t, e.Validation.better(m), "epoch %d", e.Epoch)
	}
	_, err = New(c, toySet(53, 1), nil)
	assert.ErrorContains(t, err, "patience 3 needs a validation part")
	other := toySet(19, 4)
	other.Classes = []string{"a", "b", "d"}
	_, err = New(c, toySet(53, 1), other)
	assert.ErrorContains(t, err, `"d"`)
}

func TestDivergence(t *testing.T) {
	c := toyConfig()
	c.LearnRate, c.ClipNorm, c.Epochs = 10, 0, 40
	tr := trainerOf(t, c, toySet(53, 1))
	tr.data.(*dataset.Set).Values[7] = math.MaxFloat32 // finite, but too large to compute with
	var last error
	for _, last = range tr.Steps(context.Background()) {
		if last != nil {
			break
		}
	}
	require.ErrorContains(t, last, "the training diverged")
	assert.ErrorContains(t, last, "try a lower learning rate")
	assert.NotContains(t, last.Error(), "PC ", "no words about the machine")
}

func TestMeasure(t *testing.T) {
	logits := []float32{
		2, 1, 0, // right
		0, 0, 0, // a tie goes to the first: wrong
		-1e4, 1e4, 0, // right, without overflow
	}
	m := Measure(logits, []int{0, 2, 1}, 3)
	want := math.Log(1+math.Exp(-1)+math.Exp(-2)) + math.Log(3) + 0
	assert.InDelta(t, 2.0/3, m.Accuracy, 1e-15)
	assert.InDelta(t, want/3, m.Loss, 1e-12, "one float64 rounding each")
	assert.Equal(t, Metrics{}, Measure(nil, nil, 3))
}

func TestSaveLoad(t *testing.T) {
	configs := map[string]Config{"modes": mixedConfig()}
	for _, mode := range []quant.Mode{quant.Float, quant.Ternary, quant.Int8} {
		c := toyConfig()
		c.Model.Quantize = mode
		configs[mode.String()] = c
	}
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			tr := trainerOf(t, c, toySet(53, 1))
			finish(t, tr)
			test := toySet(59, 2)
			want, err := tr.Evaluate(test)
			require.NoError(t, err)
			path := t.TempDir() + "/latents.safetensors"
			source := dataset.Source{Name: "digits", Split: dataset.SplitGiven}
			require.NoError(t, tr.Save(path, Saved{Config: tr.Config(), Data: source}))
			loaded, saved, err := Load(path)
			require.NoError(t, err)
			got, err := loaded.Evaluate(test)
			require.NoError(t, err)
			assert.Equal(t, want, got, "the same bits must give the same measures")
			assert.Equal(t, latents(t, tr.Model), latents(t, loaded))
			assert.Equal(t, tr.Config(), saved.Config)
			assert.Equal(t, source, saved.Data)
			assert.Equal(t, tr.Size(), loaded.Size())
		})
	}
}

func TestLoadFaults(t *testing.T) {
	tr := trainerOf(t, toyConfig(), toySet(53, 1))
	path := t.TempDir() + "/latents.safetensors"
	require.NoError(t, tr.Save(path, Saved{Config: tr.Config(), Data: dataset.Source{Name: "digits", Split: dataset.SplitGiven}}))
	for _, c := range []struct {
		name, want string
		damage     func(f *checkpoint.File)
	}{
		{"format", `format is "other"`, func(f *checkpoint.File) { f.Metadata["format"] = "other" }},
		{"version", `version is "2", want "1"`, func(f *checkpoint.File) { f.Metadata["version"] = "2" }},
		{"no json", `metadata "run"`, func(f *checkpoint.File) { f.Metadata["run"] = "{" }},
		{"empty json", "WithHiddenSize: hidden size 0", func(f *checkpoint.File) { f.Metadata["run"] = "{}" }},
		{"missing", "is missing", func(f *checkpoint.File) { f.Tensors = f.Tensors[1:] }},
		{"unknown", "tensor extra: the model has none", func(f *checkpoint.File) {
			f.Tensors = append(f.Tensors, checkpoint.Tensor{Name: "extra", Shape: []int{1}, Values: []float32{1}})
		}},
		{"shape", "want [", func(f *checkpoint.File) {
			x := &f.Tensors[0]
			x.Shape = append(append([]int{}, x.Shape...), 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := checkpoint.Read(path)
			require.NoError(t, err)
			c.damage(&f)
			bad := t.TempDir() + "/bad.safetensors"
			require.NoError(t, checkpoint.Write(bad, f))
			_, _, err = Load(bad)
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, bad)
		})
	}
}

func TestSize(t *testing.T) {
	c := toyConfig() // E 3, H 16, 2 layers, 3 classes, 11 learned positions
	tr := trainerOf(t, c, toySet(53, 1))
	quantized := 2 * (16*48 + 16*16 + 16*64 + 64*16)
	biases := 2 * (48 + 16 + 64 + 16)
	float := 3*16 + 16 + 11*16 + 5*32 + biases + 16*3 + 3
	packed := 2 * ((16*48+4)/5 + 4 + (16*16+4)/5 + 4 + 2*((16*64+4)/5+4))
	assert.Equal(t, Size{quantized + float, 4 * (quantized + float), packed + 4*float}, tr.Size())

	tr = trainerOf(t, mixedConfig(), toySet(53, 1))
	scales := 2*(48+16) + 64 + 16
	float += 2 * 16 * 64 // of blocks.1.ffn
	quantized -= 2 * 16 * 64
	packed = 2*(16*48/8+(16*16+4)/5) + 16*64/2 + 64*16 + 4*scales
	assert.Equal(t, Size{quantized + float, 4 * (quantized + float), packed + 4*float}, tr.Size(), "by the layer")
}

// Float weights in every layer imply float inputs; in some, or but for some, they do
// not.
func TestImpliedActivations(t *testing.T) {
	one := spec.LayerMode{Pattern: "*.0.ffn.up", Mode: quant.Int8}
	every := spec.LayerMode{Pattern: "*", Mode: quant.Float}
	for _, c := range []struct {
		mode   quant.Mode
		layers []spec.LayerMode
		want   spec.Activations
	}{
		{quant.Ternary, nil, spec.Int8Activations},
		{quant.Float, nil, spec.FloatActivations},
		{quant.Ternary, []spec.LayerMode{every}, spec.FloatActivations},
		{quant.Ternary, []spec.LayerMode{every, one}, spec.Int8Activations},
		{quant.Float, []spec.LayerMode{one}, spec.Int8Activations},
	} {
		cfg := toyConfig()
		cfg.Model.Quantize, cfg.Model.LayerModes = c.mode, c.layers
		tr := trainerOf(t, cfg, toySet(53, 1))
		assert.Equal(t, c.want, tr.Spec().Activations, tr.Spec().WeightModes())
	}
}

func TestStartFrom(t *testing.T) {
	c := toyConfig()
	c.Model.Quantize, c.Model.Activations = quant.Float, spec.FloatActivations
	float := trainerOf(t, c, toySet(53, 1))
	finish(t, float)
	ternary := trainerOf(t, toyConfig(), toySet(53, 1))
	require.NoError(t, ternary.StartFrom(float.Model))
	assert.Equal(t, latents(t, float.Model), latents(t, ternary.Model))
	codes, err := ternary.Codes()
	require.NoError(t, err)
	assert.Equal(t, codes, ternary.codes, "flips are counted from the weights that it began with")
	finish(t, ternary)
	assert.ErrorContains(t, ternary.StartFrom(float.Model), "steps were made already")

	set := toySet(53, 1)
	set.Classes = slices.Clone(set.Classes)
	set.Classes[0] = "another"
	assert.ErrorContains(t, trainerOf(t, toyConfig(), set).StartFrom(float.Model), "its classes are")
}
