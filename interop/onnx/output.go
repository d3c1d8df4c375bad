package onnx

import "github.com/qat-go/qat/spec"

// output makes the graph's outputs of the stream h [N, n, H].
func (t *translator) output(h value) {
	dims, width := []dimension{batchDimension}, t.spec.HiddenSize
	axes := 2
	if t.spec.Pooling == spec.AllTimesteps {
		axes = 3
		dims = append(dims, dimension{size: int64(t.steps)})
	}
	y := t.pooled(h)
	head := t.model.Head
	if head != nil {
		y = t.dense("head", y)
		width = head.Width
	}
	dims = append(dims, dimension{size: int64(width)})
	logits := y
	if head != nil && head.Targets != nil {
		y = t.unscaled(y, head.Targets.Mean, head.Targets.Std)
	}
	t.returns("outputs", y, dims)
	if head != nil && head.Targets == nil {
		t.returns("probabilities", t.softmax(logits, width, axes, 0), dims)
	}
}

// pooled is the final norm and what the pooling reads of it.
func (t *translator) pooled(h value) value {
	h = t.norm("final_norm", h, 3)
	hidden, n := int64(t.spec.HiddenSize), int64(t.steps)
	switch t.spec.Pooling {
	case spec.LastTimestep: // of the one step that the last block computed
		return t.reshape(h, 0, hidden)
	case spec.Mean:
		count := t.float(float32(n))
		if t.count != "" {
			h = t.op("Where", t.unsqueeze(t.real, 2), h, t.float(0))
			count = t.cast(t.count, typeFloat)
		}
		sum := t.float(0)
		for _, step := range t.each(h, 1, n) {
			sum = t.op("Add", sum, step)
		}
		return t.op("Div", t.reshape(sum, 0, hidden), count)
	}
	return h
}

// returns names y, [N, width] or [N, n, width], as an output of the graph: of a series
// that is shorter with zeros in front, and of one that infer refuses NaN.
func (t *translator) returns(name string, y value, dims []dimension) {
	fault := t.unsqueeze(t.fault, 1)
	if t.spec.Pooling == spec.AllTimesteps {
		fault = t.unsqueeze(fault, 2)
		if t.count != "" {
			y = t.behind(y)
		}
	}
	t.graph.outputs = append(t.graph.outputs, valueInfo{t.named(name, t.op("Add", y, fault)), typeFloat, dims})
}

// behind puts the real steps of y [N, n, width] behind the others, which are zeros.
func (t *translator) behind(y value) value {
	n := int64(t.steps)
	step := t.op("Add", t.upTo(t.steps, n), t.op("Sub", t.count, t.int(n))) // [N, n]
	y = t.gatherSteps(y, t.unsqueeze(t.op("Max", step, t.int(0)), 2))
	return t.op("Where", t.unsqueeze(t.op("GreaterOrEqual", step, t.int(0)), 2), y, t.float(0))
}
