package qat

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// crossEntropy is the mean of -log softmax(logits)[label], weighted if there is a
// third input.
type crossEntropy struct {
	classes int
	shape   []int // of the logits
	labels  []int
	probs   []float32
}

// weights are the third input, or nil.
func (c *crossEntropy) weights(in [][]float32) []float32 {
	if len(in) < 3 {
		return nil
	}
	return in[2]
}

func (c *crossEntropy) forward(out []float32, in [][]float32) error {
	if err := checkFinite(in[0], c.shape); err != nil {
		return fmt.Errorf("logits: %w", err)
	}
	for i, v := range in[1] {
		label := int(v)
		if !(v >= 0 && v < float32(c.classes)) || float32(label) != v {
			return fmt.Errorf("labels: element %d is %v, want a whole number from 0 to %d", i, v, c.classes-1)
		}
		c.labels[i] = label
	}
	for i, w := range c.weights(in) {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("weights: element %d is %v, want a finite number, 0 or more", i, w)
		}
	}
	out[0] = kernel.CrossEntropy(c.probs, in[0], c.labels, c.weights(in), c.classes)
	return nil
}

func (c *crossEntropy) backward(grads, in [][]float32, dout []float32) error {
	kernel.CrossEntropyBackward(grads[0], c.probs, c.labels, c.weights(in), c.classes, dout[0])
	return nil
}

// CrossEntropy returns the mean over the batch of -log softmax(logits)[label], a
// scalar.
//
// Shapes: logits [B, C]; labels [B], float32 class indices 0 to C-1, without a
// gradient.
// Errors: nil nodes, other shapes or types. Running the graph with a label that
// is no class, or a logit that is not finite, is an error that names it.
func CrossEntropy(logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	return newCrossEntropy("CrossEntropy", logits, named{"labels", labels})
}

// WeightedCrossEntropy is CrossEntropy with a weight for each sequence: that of its
// class, where classes are of unequal size.
//
//	sum(weight * loss) / sum(weight), or 0 where all weights are 0
//
// Shapes: logits [B, C]; labels, weights [B], without gradients.
// Errors: CrossEntropy's. Running the graph with a weight that is negative or not
// finite is an error that names it.
func WeightedCrossEntropy(logits, labels, weights *gorgonia.Node) (*gorgonia.Node, error) {
	return newCrossEntropy("WeightedCrossEntropy", logits, named{"labels", labels}, named{"weights", weights})
}

// named is an argument of a loss.
type named struct {
	name string
	node *gorgonia.Node
}

func newCrossEntropy(what string, logits *gorgonia.Node, rows ...named) (*gorgonia.Node, error) {
	errs := checkNode("logits", logits, 2)
	for _, r := range rows {
		errs = append(errs, checkNode(r.name, r.node, 1)...)
	}
	inputs := []*gorgonia.Node{logits}
	for _, r := range rows {
		if len(errs) > 0 {
			break
		}
		if r.node.Shape()[0] != logits.Shape()[0] {
			errs = append(errs, fmt.Errorf("%s: shape %v, want (%d) for logits of shape %v", r.name, r.node.Shape(), logits.Shape()[0], logits.Shape()))
		} else if r.node.Graph() != logits.Graph() {
			errs = append(errs, fmt.Errorf("%s: the node is in another graph than logits", r.name))
		}
		inputs = append(inputs, r.node)
	}
	if err := fail(what, errs); err != nil {
		return nil, err
	}
	s := logits.Shape().Clone()
	c := &crossEntropy{classes: s[1], shape: s, labels: make([]int, s[0]), probs: make([]float32, product(s))}
	return newOp("cross_entropy", what, c, tensor.Shape{}, len(rows), nil, inputs...)
}

// meanSquaredError is the mean of (x-y)^2.
type meanSquaredError struct{ shape []int }

func (m meanSquaredError) forward(out []float32, in [][]float32) error {
	for i, name := range []string{"predictions", "targets"} {
		if err := checkFinite(in[i], m.shape); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	out[0] = kernel.MeanSquaredError(in[0], in[1])
	return nil
}

func (m meanSquaredError) backward(grads, in [][]float32, dout []float32) error {
	s := 2 * dout[0] / float32(len(in[0]))
	for i, v := range in[0] {
		d := s * (v - in[1][i])
		grads[0][i], grads[1][i] = d, -d
	}
	return nil
}

// MeanSquaredError returns the mean over all elements of (predictions-targets)^2,
// a scalar.
//
// Shapes: predictions and targets have one shape.
// Errors: nil nodes, other shapes or types.
func MeanSquaredError(predictions, targets *gorgonia.Node) (*gorgonia.Node, error) {
	errs := append(checkNode("predictions", predictions, 0), checkNode("targets", targets, 0)...)
	if len(errs) == 0 && !targets.Shape().Eq(predictions.Shape()) {
		errs = append(errs, fmt.Errorf("targets: shape %v, want %v", targets.Shape(), predictions.Shape()))
	}
	if len(errs) == 0 && targets.Graph() != predictions.Graph() {
		errs = append(errs, fmt.Errorf("targets: the node is in another graph than predictions"))
	}
	if err := fail("MeanSquaredError", errs); err != nil {
		return nil, err
	}
	return newOp("mean_squared_error", "MeanSquaredError", meanSquaredError{predictions.Shape().Clone()}, tensor.Shape{}, 0, nil, predictions, targets)
}
