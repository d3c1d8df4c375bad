package train

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/preprocess"
)

// ridgePenalty is scikit-learn's default.
const ridgePenalty = 1.0

// MeanTarget predicts the mean of train's targets for every sequence of test.
//
// Errors: as NearestTargets.
func MeanTarget(train, test *dataset.Set) (Metrics, error) {
	return regress(train, test, func(scale *preprocess.Scaler) (func(x []float32, y []float64), error) {
		return func(_ []float32, y []float64) { copy(y, scale.Mean) }, nil
	})
}

// NearestTargets predicts the targets of the nearest sequence of train, by the
// distance of NearestNeighbour; of equals the first.
//
// Errors: a set that dataset.Set.Validate refuses, one without targets, or two sets
// of different steps, channels or numbers of targets.
func NearestTargets(train, test *dataset.Set) (Metrics, error) {
	return regress(train, test, func(*preprocess.Scaler) (func(x []float32, y []float64), error) {
		return func(x []float32, y []float64) {
			for k, v := range train.Example(nearest(train, x)).Targets {
				y[k] = float64(v)
			}
		}, nil
	})
}

// RidgeRegression fits a linear model of the values, and an intercept that is not
// penalised.
//
//	sum over train of (x W + b - y)^2 + sum(W*W), targets standardised
//
// Errors: as NearestTargets; equations that cannot be solved.
// Source: scikit-learn's Ridge() on standardised targets.
func RidgeRegression(train, test *dataset.Set) (Metrics, error) {
	return regress(train, test, func(scale *preprocess.Scaler) (func(x []float32, y []float64), error) {
		return fitRidge(train, scale)
	})
}

// regress fits a method to train and measures it on test, in the targets' units.
func regress(train, test *dataset.Set, fit func(*preprocess.Scaler) (func(x []float32, y []float64), error)) (Metrics, error) {
	if err := checkBaseline(train, test); err != nil {
		return Metrics{}, err
	}
	if train.Outputs == 0 {
		return Metrics{}, errors.New("train: baseline: the train set has classes, want targets")
	}
	scale, err := targetScale(train)
	if err != nil {
		return Metrics{}, err
	}
	predict, err := fit(&scale)
	if err != nil {
		return Metrics{}, err
	}
	task := Task{Outputs: train.Outputs, Targets: &scale}
	var t tally
	row, y := make([]float32, train.Outputs), make([]float64, train.Outputs)
	for i := range test.Len() {
		e := test.Example(i)
		predict(e.Values, y)
		for k := range row {
			row[k] = scale.Apply(float32(y[k]), k)
		}
		t.add(task, row, e)
		t.Loss += task.loss(row, e)
	}
	return t.metrics(task), nil
}

// fitRidge solves the equations of the smaller of features and sequences.
func fitRidge(train *dataset.Set, scale *preprocess.Scaler) (func(x []float32, y []float64), error) {
	n, features, outputs := train.Len(), train.Steps*train.Channels, train.Outputs
	mean := make([]float64, features)
	for i := range n {
		for k, v := range train.At(i) {
			mean[k] += float64(v) / float64(n)
		}
	}
	x, y := mat.NewDense(n, features, nil), mat.NewDense(n, outputs, nil)
	for i := range n {
		for k, v := range train.At(i) {
			x.Set(i, k, float64(v)-mean[k])
		}
		for k, v := range train.Example(i).Targets {
			y.Set(i, k, (float64(v)-scale.Mean[k])/scale.Std[k])
		}
	}
	var w mat.Dense
	if err := solveRidge(&w, x, y); err != nil {
		return nil, fmt.Errorf("train: ridge regression on %s: %w", train.Name, err)
	}
	return func(x []float32, out []float64) {
		for k := range out {
			sum := 0.0
			for f, v := range x {
				sum += float64((float64(v) - mean[f]) * w.At(f, k))
			}
			out[k] = sum*scale.Std[k] + scale.Mean[k]
		}
	}, nil
}

// solveRidge writes (XᵀX + I)⁻¹ Xᵀ y, which is Xᵀ (XXᵀ + I)⁻¹ y. The targets' mean
// is 0, and so is that of each column of x.
func solveRidge(w *mat.Dense, x, y *mat.Dense) error {
	n, features := x.Dims()
	gram, size := mat.NewSymDense(min(n, features), nil), min(n, features)
	var product mat.Dense
	if features <= n {
		product.Mul(x.T(), x)
	} else {
		product.Mul(x, x.T())
	}
	for i := range size {
		for j := i; j < size; j++ {
			v := product.At(i, j)
			if i == j {
				v += ridgePenalty
			}
			gram.SetSym(i, j, v)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return errors.New("the equations are singular")
	}
	var err error
	if features <= n {
		var right mat.Dense
		right.Mul(x.T(), y)
		err = chol.SolveTo(w, &right)
	} else {
		var dual mat.Dense
		if err = chol.SolveTo(&dual, y); err == nil {
			w.Mul(x.T(), &dual)
		}
	}
	var condition mat.Condition
	if errors.As(err, &condition) && !math.IsInf(float64(condition), 0) {
		err = nil // an answer that is good enough for a baseline
	}
	return err
}
