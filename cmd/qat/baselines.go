package main

import (
	"math"

	"github.com/qat-go/qat/cmd/qat/internal/report"
	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/train"
)

// Above these numbers of operations, a good ten seconds, a baseline is left out.
const (
	nearestMost  = 1e10 // sequences x sequences x values
	logisticMost = 3e7  // sequences x values x classes, a few hundred times
	ridgeMost    = 2e10 // sequences x values x the smaller of the two
)

// baseline is a plain method to hold the model against.
type baseline struct {
	name       string
	cost, most float64
	compute    func(learn, test *dataset.Set) (float64, error)
}

// baselines are computed on the same parts as the model.
func baselines(learn, test dataset.Data) []report.Score {
	l, ok := learn.(*dataset.Set)
	t, held := test.(*dataset.Set)
	var all []report.Score
	for _, b := range methods(learn.Facts(), float64(test.Len())) {
		s := report.Score{Name: b.name}
		switch {
		case !ok || !held:
			s.Skipped = "left out, the data is read from its files"
		case b.cost > b.most:
			s.Skipped = "left out, the data is large"
		default:
			v, err := b.compute(l, t)
			if err != nil {
				s.Skipped = err.Error()
			}
			s.Value = v
		}
		all = append(all, s)
	}
	return all
}

func methods(f dataset.Facts, tests float64) []baseline {
	n, values := float64(f.N), float64(f.Steps*f.Channels)
	if f.Outputs > 0 {
		rmse := func(compute func(learn, test *dataset.Set) (train.Metrics, error)) func(learn, test *dataset.Set) (float64, error) {
			return func(learn, test *dataset.Set) (float64, error) {
				m, err := compute(learn, test)
				return m.RMSE, err
			}
		}
		return []baseline{
			{"ridge regression", n * values * min(n, values), ridgeMost, rmse(train.RidgeRegression)},
			{"1-nearest-neighbour", n * values * tests, nearestMost, rmse(train.NearestTargets)},
			{"mean of the targets", 0, math.Inf(1), rmse(train.MeanTarget)},
		}
	}
	return []baseline{
		{"logistic regression", n * values * float64(len(f.Classes)), logisticMost, train.LogisticRegression},
		{"1-nearest-neighbour", n * values * tests, nearestMost, train.NearestNeighbour},
		{"majority class", 0, math.Inf(1), train.MajorityClass},
	}
}
