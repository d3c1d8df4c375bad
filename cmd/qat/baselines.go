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

// method is a plain one to hold the model against.
type method struct {
	name       string
	cost, most float64
	compute    func(learn, test *dataset.Set) (float64, error)
}

// baseline is what a method came to: its accuracy, or its RMSE.
type baseline struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Skipped string  `json:"skipped,omitempty"` // why there is no value
}

// baselines are computed on the same parts as the model; now is told of each.
func baselines(learn, test dataset.Data, now func(what string)) []baseline {
	l, ok := learn.(*dataset.Set)
	t, held := test.(*dataset.Set)
	var all []baseline
	for _, b := range methods(learn.Facts(), float64(test.Len())) {
		s := baseline{Name: b.name}
		switch {
		case !ok || !held:
			s.Skipped = "left out, the data is read from its files"
		case b.cost > b.most:
			s.Skipped = "left out, the data is large"
		default:
			now("a baseline, " + b.name)
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

// scores are baselines for the page.
func scores(all []baseline) (out []report.Score) {
	for _, b := range all {
		out = append(out, report.Score(b))
	}
	return out
}

func methods(f dataset.Facts, tests float64) []method {
	n, values := float64(f.N), float64(f.Steps*f.Channels)
	if f.Outputs > 0 {
		rmse := func(compute func(learn, test *dataset.Set) (train.Metrics, error)) func(learn, test *dataset.Set) (float64, error) {
			return func(learn, test *dataset.Set) (float64, error) {
				m, err := compute(learn, test)
				return m.RMSE, err
			}
		}
		return []method{
			{"ridge regression", n * values * min(n, values), ridgeMost, rmse(train.RidgeRegression)},
			{"1-nearest-neighbour", n * values * tests, nearestMost, rmse(train.NearestTargets)},
			{"mean of the targets", 0, math.Inf(1), rmse(train.MeanTarget)},
		}
	}
	return []method{
		{"logistic regression", n * values * float64(len(f.Classes)), logisticMost, train.LogisticRegression},
		{"1-nearest-neighbour", n * values * tests, nearestMost, train.NearestNeighbour},
		{"majority class", 0, math.Inf(1), train.MajorityClass},
	}
}
