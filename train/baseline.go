package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/qat-go/qat/dataset"
)

const (
	// logisticC is the inverse strength of the penalty: scikit-learn's default.
	logisticC = 1.0

	// logisticTolerance is the largest slope of the mean loss at the minimum.
	// scikit-learn stops at 1e-4, from where the accuracy can still change.
	logisticTolerance = 1e-7

	// logisticAccept is scikit-learn's tolerance: good enough where rounding
	// keeps the line search from going further.
	logisticAccept = 1e-4

	// logisticIterations is seven times what the digits need when their pixels
	// are 0 to 16, the slowest of the scales tried; 0 to 1 needs 228.
	logisticIterations = 20000
)

// NearestNeighbour classifies each sequence of test as the nearest one of
// train, and returns the share that is right.
//
//	distance = sum over steps and channels of (a - b)^2
//
// Ties go to the lowest index in train. Sums are float64, one ascending chain.
//
// Units: accuracy is a fraction, 0 to 1.
// Errors: a set that dataset.Set.Validate refuses, or two sets of different
// steps, channels or classes.
func NearestNeighbour(train, test *dataset.Set) (accuracy float64, err error) {
	if err := checkClasses(train, test); err != nil {
		return 0, err
	}
	right := 0
	for i, label := range test.Labels {
		if train.Labels[nearest(train, test.At(i))] == label {
			right++
		}
	}
	return float64(right) / float64(test.Len()), nil
}

// nearest returns the index of the sequence of set that is nearest to x.
func nearest(set *dataset.Set, x []float32) int {
	best, at := math.Inf(1), 0
	for i := range set.Len() {
		sum := 0.0
		for k, v := range set.At(i) {
			d := float64(v) - float64(x[k])
			sum += float64(d * d) // rounded, never fused
		}
		if sum < best {
			best, at = sum, i
		}
	}
	return at
}

// LogisticRegression fits a linear classifier with a softmax to train, and
// returns the share of test that it gets right.
//
//	loss = C * sum over train of cross entropy + 0.5 * sum(W*W), C = 1
//
// The values are taken as they are; the intercepts are not penalised; classes
// that train does not have are never predicted; ties go to the lowest class.
// It starts from zero and runs L-BFGS to convergence, without any randomness;
// the last bits of the fit may differ between kinds of CPU.
//
// Units: accuracy is a fraction, 0 to 1.
// Errors: as NearestNeighbour, or a fit that did not converge.
// Source: scikit-learn's LogisticRegression() with a multinomial loss, which
// is its default for three classes or more (for two, its default penalises
// one weight vector where this penalises two).
func LogisticRegression(train, test *dataset.Set) (accuracy float64, err error) {
	if err := checkClasses(train, test); err != nil {
		return 0, err
	}
	fit := newLogistic(train)
	weights, err := fit.minimize()
	if err != nil {
		return 0, fmt.Errorf("train: logistic regression on %s: %w", train.Name, err)
	}
	right := 0
	logits := make([]float64, len(fit.classes))
	for i, label := range test.Labels {
		fit.logits(logits, weights, test.At(i))
		if fit.classes[floats.MaxIdx(logits)] == label {
			right++
		}
	}
	return float64(right) / float64(test.Len()), nil
}

// checkClasses reports what keeps classifiers from being compared on the two sets.
func checkClasses(train, test *dataset.Set) error {
	if err := checkBaseline(train, test); err != nil {
		return err
	}
	if train.Outputs > 0 {
		return errors.New("train: baseline: the train set has targets, want classes")
	}
	return nil
}

// checkBaseline reports what keeps the two sets from being compared.
func checkBaseline(train, test *dataset.Set) error {
	for _, part := range []struct {
		name string
		set  *dataset.Set
	}{{"train", train}, {"test", test}} {
		if err := part.set.Validate(); err != nil {
			return fmt.Errorf("train: baseline: the %s set: %w", part.name, err)
		}
	}
	if train.Steps != test.Steps || train.Channels != test.Channels {
		return fmt.Errorf("train: baseline: train has %d steps x %d channels, test %d x %d",
			train.Steps, train.Channels, test.Steps, test.Channels)
	}
	if train.Outputs != test.Outputs {
		return fmt.Errorf("train: baseline: train has %d targets, test %d", train.Outputs, test.Outputs)
	}
	if !slices.Equal(train.Classes, test.Classes) {
		return fmt.Errorf("train: baseline: train has the classes %q, test %q", train.Classes, test.Classes)
	}
	return nil
}

// logistic is the loss of a set, as a function of weights [features+1, classes]
// whose last row is the intercepts. It is divided by the number of sequences,
// which moves no minimum and makes one tolerance fit all sizes.
type logistic struct {
	set      *dataset.Set
	features int
	classes  []int // the labels that the set has, ascending
	column   []int // where each label is in classes

	at   []float64 // the weights that loss and grad are of
	loss float64
	grad []float64
}

func newLogistic(set *dataset.Set) *logistic {
	f := &logistic{set: set, features: set.Steps * set.Channels, column: make([]int, len(set.Classes))}
	for label := range set.Classes {
		if slices.Contains(set.Labels, label) {
			f.column[label] = len(f.classes)
			f.classes = append(f.classes, label)
		}
	}
	f.grad = make([]float64, (f.features+1)*len(f.classes))
	return f
}

// logits computes x W + b, k ascending.
func (f *logistic) logits(dst, weights []float64, x []float32) {
	n := len(dst)
	copy(dst, weights[f.features*n:])
	for k, v := range x {
		if v == 0 { // half of the digits' pixels
			continue
		}
		for c, w := range weights[k*n : (k+1)*n] {
			dst[c] += float64(w * float64(v))
		}
	}
}

// evaluate brings loss and grad to weights. The optimizer asks for the two one
// after the other, and gets both for one pass.
func (f *logistic) evaluate(weights []float64) {
	if slices.Equal(f.at, weights) {
		return
	}
	f.at = append(f.at[:0], weights...)
	n := len(f.classes)
	penalised := f.features * n
	f.loss = 0
	clear(f.grad)
	for k, w := range weights[:penalised] {
		f.loss += 0.5 * w * w
		f.grad[k] = w
	}
	p := make([]float64, n)
	for i, label := range f.set.Labels {
		x := f.set.At(i)
		f.logits(p, weights, x)
		right := f.column[label]
		total := floats.LogSumExp(p)
		f.loss += logisticC * (total - p[right])
		for c := range p {
			p[c] = logisticC * math.Exp(p[c]-total)
		}
		p[right] -= logisticC
		for k, v := range x {
			if v == 0 {
				continue
			}
			for c, d := range p {
				f.grad[k*n+c] += float64(d * float64(v))
			}
		}
		floats.Add(f.grad[penalised:], p)
	}
	scale := 1 / float64(f.set.Len())
	f.loss *= scale
	floats.Scale(scale, f.grad)
}

// minimize returns the weights of the least loss.
func (f *logistic) minimize() ([]float64, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 {
			f.evaluate(x)
			return f.loss
		},
		Grad: func(grad, x []float64) {
			f.evaluate(x)
			copy(grad, f.grad)
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: logisticTolerance,
		Converger:         optimize.NeverTerminate{},
		MajorIterations:   logisticIterations,
	}
	result, err := optimize.Minimize(problem, make([]float64, len(f.grad)), settings, &optimize.LBFGS{})
	if result == nil {
		return nil, err
	}
	f.evaluate(result.X)
	slope := floats.Norm(f.grad, math.Inf(1))
	if !(slope <= logisticAccept) { // NaN fails too
		return nil, errors.Join(fmt.Errorf("not converged after %d iterations: slope %.3g, want at most %.3g",
			result.MajorIterations, slope, logisticAccept), err)
	}
	return result.X, nil
}
