package kernel

import (
	"math"
	"slices"
)

// CrossEntropy returns the weighted mean over rows of -log softmax(logits)[label]
// and writes the softmax to probs. Weights of nil are 1 each.
//
//	sum(weight * loss) / sum(weight), or 0 where all weights are 0
//
// Shapes: logits, probs [rows, classes]; labels [rows], each in 0..classes-1;
// weights [rows], none negative.
func CrossEntropy(probs, logits []float32, labels []int, weights []float32, classes int) float32 {
	need("logits", len(logits), len(labels)*classes)
	need("probabilities", len(probs), len(labels)*classes)
	n := totalWeight(weights, len(labels))
	var total float64
	for i, label := range labels {
		x, p := logits[i*classes:(i+1)*classes], probs[i*classes:(i+1)*classes]
		m, sum := SoftmaxRow(p, x)
		loss := math.Log(float64(sum)) - float64(x[label]-m)
		if weights != nil {
			loss = float64(loss * float64(weights[i]))
		}
		total += loss
	}
	if n == 0 {
		return 0
	}
	return float32(total / n)
}

// SoftmaxRow writes the softmax of x, at least one element, to y, and returns the
// largest element, and the sum of exp(x - largest).
func SoftmaxRow(y, x []float32) (most, sum float32) {
	need("softmax", len(y), len(x))
	y = y[:len(x)]
	most = slices.Max(x)
	sum = expSum(y, x, most)
	divide(y, sum)
	return most, sum
}

// totalWeight is the sum of weights, or rows without any.
func totalWeight(weights []float32, rows int) float64 {
	if weights == nil {
		return float64(rows)
	}
	need("weights", len(weights), rows)
	total := 0.0
	for _, w := range weights {
		total += float64(w)
	}
	return total
}

// CrossEntropyBackward writes the gradient of the logits for an upstream
// gradient of scale: (probs - onehot) * scale * weight / sum(weight).
func CrossEntropyBackward(dlogits, probs []float32, labels []int, weights []float32, classes int, scale float32) {
	need("logits' gradient", len(dlogits), len(labels)*classes)
	need("probabilities", len(probs), len(labels)*classes)
	n := totalWeight(weights, len(labels))
	if n == 0 {
		clear(dlogits[:len(labels)*classes])
		return
	}
	each := scale / float32(n)
	for i, label := range labels {
		s := each
		if weights != nil {
			s *= weights[i]
		}
		row := dlogits[i*classes : (i+1)*classes]
		for j, p := range probs[i*classes : (i+1)*classes] {
			row[j] = p * s
		}
		row[label] -= s
	}
}

// MeanSquaredError returns the mean of (x-y)^2.
func MeanSquaredError(x, y []float32) float32 {
	need("targets", len(y), len(x))
	var total float64
	for i, v := range x {
		d := float64(v) - float64(y[i])
		total += float64(d * d)
	}
	return float32(total / float64(len(x)))
}
