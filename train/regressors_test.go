package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/dataset"
)

// targetSet is sequences of one step, each with a target.
func targetSet(channels int, targets []float32, values ...float32) *dataset.Set {
	return &dataset.Set{Name: "tiny", Steps: 1, Channels: channels, Outputs: 1, Targets: targets, Values: values}
}

func TestNearestTargets(t *testing.T) {
	train := targetSet(1, []float32{10, 20, 40}, 0, 4, 9)
	test := targetSet(1, []float32{11, 20, 37}, 1, 2, 30) // the second is as near to 0 as to 4: 10
	m, err := NearestTargets(train, test)
	require.NoError(t, err)
	assert.InDelta(t, math.Sqrt((1+100+9)/3.0), m.RMSE, 1e-5)
	assert.InDelta(t, (1+10+3)/3.0, m.MAE, 1e-5)
}

func TestMeanTarget(t *testing.T) {
	m, err := MeanTarget(targetSet(1, []float32{1, 3}, 5, 6), targetSet(1, []float32{2, 6}, 7, 8))
	require.NoError(t, err)
	assert.InDelta(t, 2, m.MAE, 1e-6)
	assert.InDelta(t, math.Sqrt(8), m.RMSE, 1e-6)
	assert.InDelta(t, 1-16.0/8, m.R2, 1e-6)
}

// TestRidgeRegression: with more features than sequences and with fewer, the weights
// are a stationary point of the loss that the comment gives.
func TestRidgeRegression(t *testing.T) {
	for _, channels := range []int{3, 17} {
		train := targetSet(channels, nil)
		for i := range 11 {
			sum := float32(0)
			for k := range channels {
				v := float32((i*7+k*5+i*k)%13) / 3
				train.Values = append(train.Values, v)
				sum += v * float32(k%3)
			}
			train.Targets = append(train.Targets, 100+10*sum)
		}
		scale, err := targetScale(train)
		require.NoError(t, err)
		predict, err := fitRidge(train, &scale)
		require.NoError(t, err)
		// The weights, from predictions of the unit vectors.
		y, zero := make([]float64, 1), make([]float32, channels)
		predict(zero, y)
		bias := (y[0] - scale.Mean[0]) / scale.Std[0]
		w := make([]float64, channels)
		for k := range w {
			unit := make([]float32, channels)
			unit[k] = 1
			predict(unit, y)
			w[k] = (y[0]-scale.Mean[0])/scale.Std[0] - bias
		}
		slope, slopeBias := append([]float64(nil), w...), 0.0
		for i := range train.Len() {
			x := train.At(i)
			r := bias - (float64(train.Targets[i])-scale.Mean[0])/scale.Std[0]
			for k, v := range x {
				r += w[k] * float64(v)
			}
			slopeBias += r
			for k, v := range x {
				slope[k] += r * float64(v)
			}
		}
		const solved = 1e-8 // of equations of condition below 1e4, in float64
		for k, v := range slope {
			assert.InDelta(t, 0, v, solved, "weight %d of %d", k, channels)
		}
		assert.InDelta(t, 0, slopeBias, solved)
		m, err := RidgeRegression(train, train)
		require.NoError(t, err)
		mean, err := MeanTarget(train, train)
		require.NoError(t, err)
		assert.Less(t, m.RMSE, mean.RMSE)
	}
}

func TestRegressors_faults(t *testing.T) {
	classes, targets := toySet(5, 1), regressionSet(5, 1)
	for _, f := range []func(train, test *dataset.Set) (Metrics, error){MeanTarget, NearestTargets, RidgeRegression} {
		_, err := f(classes, classes)
		assert.ErrorContains(t, err, "classes, want targets")
		_, err = f(targets, classes)
		assert.ErrorContains(t, err, "train has 2 targets, test 0")
	}
	_, err := NearestNeighbour(targets, targets)
	assert.ErrorContains(t, err, "targets, want classes")
}
