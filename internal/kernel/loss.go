package kernel

import "math"

// CrossEntropy returns the mean over rows of -log softmax(logits)[label] and
// writes the softmax to probs. Shapes: logits, probs [rows, classes];
// labels [rows], each in 0..classes-1.
func CrossEntropy(probs, logits []float32, labels []int, classes int) float32 {
	need("logits", len(logits), len(labels)*classes)
	need("probabilities", len(probs), len(labels)*classes)
	var total float64
	for i, label := range labels {
		x, p := logits[i*classes:(i+1)*classes], probs[i*classes:(i+1)*classes]
		m := x[0]
		for _, v := range x {
			m = max(m, v)
		}
		for j, v := range x {
			p[j] = Exp(v - m)
		}
		sum := Sum(p)
		for j := range p {
			p[j] /= sum
		}
		total += math.Log(float64(sum)) - float64(x[label]-m)
	}
	return float32(total / float64(len(labels)))
}

// CrossEntropyBackward writes the gradient of the logits for an upstream
// gradient of scale: (probs - onehot) * scale / rows.
func CrossEntropyBackward(dlogits, probs []float32, labels []int, classes int, scale float32) {
	need("logits' gradient", len(dlogits), len(labels)*classes)
	need("probabilities", len(probs), len(labels)*classes)
	s := scale / float32(len(labels))
	for i, p := range probs[:len(labels)*classes] {
		dlogits[i] = p * s
	}
	for i, label := range labels {
		dlogits[i*classes+label] -= s
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
