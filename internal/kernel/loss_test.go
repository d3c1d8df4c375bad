package kernel

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	// lossTolerance: probabilities are good to a few ulp, their logarithms too.
	lossTolerance = 1e-6
	// lossGradTolerance: (p - onehot)/rows, each good to a few ulp of 1.
	lossGradTolerance = 1e-6
)

func crossEntropyOracle(logits []float64, labels []int, classes int) float64 {
	var total float64
	for i, label := range labels {
		row := logits[i*classes : (i+1)*classes]
		m := slices.Max(row)
		var sum float64
		for _, v := range row {
			sum += math.Exp(v - m)
		}
		total += math.Log(sum) - (row[label] - m)
	}
	return total / float64(len(labels))
}

func someLabels(seed uint64, rows, classes int) []int {
	rng := newRand(seed)
	labels := make([]int, rows)
	for i := range labels {
		labels[i] = rng.IntN(classes)
	}
	labels[0], labels[rows-1] = 0, classes-1
	return labels
}

func TestCrossEntropy(t *testing.T) {
	for _, size := range []float32{0, 1e-3, 1, 30, 80} {
		for _, shape := range [][2]int{{1, 1}, {11, 2}, {13, 11}, {17, 67}, {101, 10}} {
			rows, classes := shape[0], shape[1]
			logits, labels := noise(1, rows*classes, size), someLabels(2, rows, classes)
			probs := guarded(t, rows*classes)
			loss := CrossEntropy(probs, logits, labels, nil, classes)
			within(t, []float64{crossEntropyOracle(wide(logits), labels, classes)}, []float32{loss}, lossTolerance, "%dx%d up to %v", rows, classes, size)
			for i := range rows {
				var sum float64
				for _, p := range probs[i*classes : (i+1)*classes] {
					sum += float64(p)
				}
				assert.InDelta(t, 1, sum, lossTolerance*10, "probabilities of row %d", i)
			}
			got := guarded(t, rows*classes)
			const upstream = 3
			CrossEntropyBackward(got, probs, labels, nil, classes, upstream)
			want := differences(wide(logits), 1e-5, func(x []float64) float64 {
				return upstream * crossEntropyOracle(x, labels, classes)
			})
			within(t, want, got, upstream*lossGradTolerance, "gradient of %dx%d up to %v", rows, classes, size)
		}
	}
}

// TestWeightedCrossEntropy: a whole weight is as many copies of the row.
func TestWeightedCrossEntropy(t *testing.T) {
	const rows, classes, upstream = 13, 11, 3
	logits, labels := noise(1, rows*classes, 2), someLabels(2, rows, classes)
	weights := make([]float32, rows)
	var copied []float32
	var copies, from []int
	for i := range weights {
		weights[i] = float32(i % 4)
		for range i % 4 {
			copied = append(copied, logits[i*classes:(i+1)*classes]...)
			copies, from = append(copies, labels[i]), append(from, i)
		}
	}
	probs, wide := guarded(t, rows*classes), make([]float32, len(copied))
	got, want := CrossEntropy(probs, logits, labels, weights, classes), CrossEntropy(wide, copied, copies, nil, classes)
	assert.InDelta(t, want, got, lossTolerance)

	grad, each := guarded(t, rows*classes), make([]float32, len(copied))
	CrossEntropyBackward(grad, probs, labels, weights, classes, upstream)
	CrossEntropyBackward(each, wide, copies, nil, classes, upstream)
	sum := make([]float64, rows*classes)
	for k, i := range from {
		for c := range classes {
			sum[i*classes+c] += float64(each[k*classes+c])
		}
	}
	within(t, sum, grad, upstream*lossGradTolerance, "gradient")

	assert.Zero(t, CrossEntropy(probs, logits, labels, make([]float32, rows), classes), "nothing weighs anything")
	CrossEntropyBackward(grad, probs, labels, make([]float32, rows), classes, upstream)
	assert.Equal(t, make([]float32, rows*classes), []float32(grad))
	panicsWith(t, "weights", rows-1, rows, func() { CrossEntropy(probs, logits, labels, weights[1:], classes) })
}

// TestCrossEntropyLarge: the row maximum is subtracted first, so that nothing
// overflows, and a sure wrong answer costs the difference of the logits.
func TestCrossEntropyLarge(t *testing.T) {
	tests := map[string]struct {
		logits []float32
		label  int
		want   float32
	}{
		"large and right":  {[]float32{1e30, 0, -1e30}, 0, 0},
		"large and wrong":  {[]float32{1e4, 0}, 1, 1e4},
		"very wrong":       {[]float32{1e30, -1e30}, 1, 2e30},
		"all large":        {[]float32{1e4, 1e4}, 0, math.Ln2},
		"all very small":   {[]float32{-1e30, -1e30, -1e30, -1e30}, 2, 2 * math.Ln2},
		"largest float32":  {[]float32{math.MaxFloat32, 0}, 0, 0},
		"one class":        {[]float32{-7}, 0, 0},
		"far below others": {[]float32{-200, 0, 0}, 0, 200 + math.Ln2},
	}
	for name, tt := range tests {
		probs := guarded(t, len(tt.logits))
		got := CrossEntropy(probs, tt.logits, []int{tt.label}, nil, len(tt.logits))
		within(t, []float64{float64(tt.want)}, []float32{got}, lossTolerance, "%s", name)
		for _, p := range probs {
			assert.False(t, math.IsNaN(float64(p)), "%s: probabilities %v", name, probs)
		}
	}
}

func TestCrossEntropyShort(t *testing.T) {
	long, short := make([]float32, 26), make([]float32, 25)
	labels := []int{0, 1}
	panicsWith(t, "logits", 25, 26, func() { CrossEntropy(long, short, labels, nil, 13) })
	panicsWith(t, "probs", 25, 26, func() { CrossEntropy(short, long, labels, nil, 13) })
	panicsWith(t, "dlogits", 25, 26, func() { CrossEntropyBackward(short, long, labels, nil, 13, 1) })
	panicsWith(t, "probs", 25, 26, func() { CrossEntropyBackward(long, short, labels, nil, 13, 1) })
}

func TestMeanSquaredError(t *testing.T) {
	for n := 1; n < longest; n++ {
		x, y := noise(uint64(n), n, 3), noise(uint64(n+1), n, 3)
		var want float64
		for i := range x {
			want += float64((float64(x[i]) - float64(y[i])) * (float64(x[i]) - float64(y[i])))
		}
		sameBits(t, []float32{float32(want / float64(n))}, []float32{MeanSquaredError(x, y)}, "%d elements", n)
	}
	assert.Zero(t, MeanSquaredError([]float32{1e30}, []float32{1e30}))
	assert.Equal(t, float32(2.5), MeanSquaredError([]float32{1, 5}, []float32{3, 4}))
	panicsWith(t, "targets", 12, 13, func() { MeanSquaredError(make([]float32, 13), make([]float32, 12)) })
}
