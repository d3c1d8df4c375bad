package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/dataset"
)

// baselineSet is a set of one channel and the classes a, b, c.
func baselineSet(steps int, labels []int, values ...float32) *dataset.Set {
	return &dataset.Set{
		Name: "tiny", Steps: steps, Channels: 1, Classes: []string{"a", "b", "c"},
		Values: values, Labels: labels,
	}
}

// baselineDigits is the digits, split as given.
func baselineDigits(t *testing.T) (train, test *dataset.Set) {
	t.Helper()
	all, err := dataset.Digits()
	require.NoError(t, err)
	train, test, err = all.SplitAt(dataset.DigitsTrain)
	require.NoError(t, err)
	return train, test
}

func TestNearestNeighbour(t *testing.T) {
	train := baselineSet(2, []int{0, 1, 2},
		0, 0,
		4, 0,
		0, 4)
	test := baselineSet(2, []int{0, 1, 2, 0, 1, 1},
		1, 1, // a, right
		5, 1, // b, right
		1, 3, // c, right
		2, 0, // as near to a as to b: a, right
		2, 2, // as near to all: a, wrong
		3, 4, // c (9) before b (17), wrong
	)
	accuracy, err := NearestNeighbour(train, test)
	require.NoError(t, err)
	assert.Equal(t, 4.0/6, accuracy)

	// Turned round, the ties go to the other side.
	train, err = train.Subset([]int{2, 1, 0})
	require.NoError(t, err)
	accuracy, err = NearestNeighbour(train, test)
	require.NoError(t, err)
	assert.Equal(t, 3.0/6, accuracy)
}

// TestNearestNeighbour_digits: 344 by scikit-learn 1.2.1's data and numpy,
// ((test[:, None] - train[None])**2).sum(-1).argmin(1), in whole pixels.
func TestNearestNeighbour_digits(t *testing.T) {
	train, test := baselineDigits(t)
	accuracy, err := NearestNeighbour(train, test)
	require.NoError(t, err)
	assert.Equal(t, 344.0/360, accuracy)
}

func TestLogisticRegression(t *testing.T) {
	train := baselineSet(2, []int{0, 0, 1, 1, 2, 2},
		-2, 0, -3, 0,
		2, 0, 3, 0,
		0, 5, 0, 6)
	test := baselineSet(2, []int{0, 1, 2, 2},
		-5, 0,
		5, 0,
		0, 9,
		-5, -1) // a, wrong
	accuracy, err := LogisticRegression(train, test)
	require.NoError(t, err)
	assert.Equal(t, 0.75, accuracy)
}

// TestLogisticRegression_oneClass never predicts what it never saw.
func TestLogisticRegression_oneClass(t *testing.T) {
	accuracy, err := LogisticRegression(baselineSet(1, []int{1, 1}, 3, 5), baselineSet(1, []int{1, 0, 2, 1}, 3, 5, 7, 11))
	require.NoError(t, err)
	assert.Equal(t, 0.5, accuracy)
}

// TestLogistic_closedForm fits x = -1, +1 of two classes: by symmetry W is
// (-a, a) and b is 0, and the loss 2 log(1 + exp(-2a)) + a*a is least where
//
//	a = 2 / (1 + exp(2a))
func TestLogistic_closedForm(t *testing.T) {
	// The penalty makes the loss curve by 1/N = 1/2 or more, so a slope of
	// logisticTolerance is this far from the minimum at most.
	const near = 4 * logisticTolerance
	weights, err := newLogistic(baselineSet(1, []int{0, 2}, -1, 1)).minimize()
	require.NoError(t, err)
	require.Len(t, weights, 4, "class b is not in the set")
	a := weights[1]
	assert.InDelta(t, -a, weights[0], near)
	assert.InDelta(t, 2/(1+math.Exp(2*a)), a, near)
	assert.InDelta(t, 0, weights[2], near)
	assert.InDelta(t, 0, weights[3], near)
}

// TestLogistic_gradient holds the gradient against central differences.
func TestLogistic_gradient(t *testing.T) {
	const (
		seed  = 71
		n     = 17
		steps = 11
		step  = 1e-5
		// Central differences of a loss near 1 are wrong by about
		// step^2 + 1e-16/step.
		near = 1e-9
	)
	rng := rand.New(rand.NewPCG(seed, 0))
	f := newLogistic(baselineNoise(rng, n, steps))
	weights := make([]float64, len(f.grad))
	require.Len(t, weights, (steps+1)*3)
	for i := range weights {
		weights[i] = 0.3 * rng.NormFloat64()
	}
	f.evaluate(weights)
	grad := append([]float64(nil), f.grad...)
	for i, w := range weights {
		weights[i] = w + step
		f.evaluate(weights)
		up := f.loss
		weights[i] = w - step
		f.evaluate(weights)
		weights[i] = w
		assert.InDelta(t, (up-f.loss)/(2*step), grad[i], near, "weight %d, seed %d", i, seed)
	}
}

// TestLogisticRegression_digits: 325 and the loss by scikit-learn 1.2.1,
// LogisticRegression(tol=1e-10, max_iter=100000, solver="newton-cg").
func TestLogisticRegression_digits(t *testing.T) {
	train, test := baselineDigits(t)
	accuracy, err := LogisticRegression(train, test)
	require.NoError(t, err)
	assert.Equal(t, 325.0/360, accuracy)

	const (
		leastLoss = 282.163088214
		// Both are within rounding of the minimum.
		near = 1e-6
	)
	f := newLogistic(train)
	weights, err := f.minimize()
	require.NoError(t, err)
	f.evaluate(weights)
	assert.InDelta(t, leastLoss, f.loss*float64(train.Len()), near)
}

// TestLogisticRegression_notConverged has values whose squares overflow.
func TestLogisticRegression_notConverged(t *testing.T) {
	huge := baselineSet(1, []int{0, 1, 0}, math.MaxFloat32, math.MaxFloat32/2, -math.MaxFloat32)
	_, err := LogisticRegression(huge, huge)
	assert.ErrorContains(t, err, "train: logistic regression on tiny: not converged")
}

func TestBaseline_errors(t *testing.T) {
	good := func() *dataset.Set { return baselineSet(1, []int{0, 1, 2}, 11, 13, 17) }
	for _, tc := range []struct {
		name   string
		damage func(train, test **dataset.Set)
		want   string
	}{
		{"train_nil", func(train, _ **dataset.Set) { *train = nil }, "train: baseline: the train set: dataset: the set is nil"},
		{"test_nil", func(_, test **dataset.Set) { *test = nil }, "train: baseline: the test set: dataset: the set is nil"},
		{"train_empty", func(train, _ **dataset.Set) { *train = baselineSet(1, nil) },
			"train: baseline: the train set: dataset: tiny: no sequences, want 1 or more"},
		{"test_label", func(_, test **dataset.Set) { (*test).Labels[1] = 3 },
			"train: baseline: the test set: dataset: tiny: label of sequence 1 is 3, want 0 to 2"},
		{"train_value", func(train, _ **dataset.Set) { (*train).Values[2] = float32(math.NaN()) },
			"train: baseline: the train set: dataset: tiny: sequence 2, step 0, channel 0 is NaN, want a finite value"},
		{"steps", func(_, test **dataset.Set) { *test = baselineSet(3, []int{0}, 1, 2, 3) },
			"train: baseline: train has 1 steps x 1 channels, test 3 x 1"},
		{"classes", func(_, test **dataset.Set) { (*test).Classes[2] = "d" },
			`train: baseline: train has the classes ["a" "b" "c"], test ["a" "b" "d"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			train, test := good(), good()
			tc.damage(&train, &test)
			_, err := NearestNeighbour(train, test)
			assert.EqualError(t, err, tc.want)
			_, err = LogisticRegression(train, test)
			assert.EqualError(t, err, tc.want)
		})
	}
}

// baselineNoise is n sequences of normal values, whatever their class.
func baselineNoise(rng *rand.Rand, n, steps int) *dataset.Set {
	set := baselineSet(steps, nil)
	for i := range n {
		for range steps {
			set.Values = append(set.Values, float32(rng.NormFloat64()))
		}
		set.Labels = append(set.Labels, i%3)
	}
	return set
}

func TestLogistic_repeats(t *testing.T) {
	const seed = 73
	set := baselineNoise(rand.New(rand.NewPCG(seed, 0)), 101, 13)
	first, err := newLogistic(set).minimize()
	require.NoError(t, err)
	second, err := newLogistic(set).minimize()
	require.NoError(t, err)
	assert.Equal(t, first, second, "the same bits every time, seed %d", seed)
}
