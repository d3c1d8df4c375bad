package onnx

import "github.com/qat-go/qat/spec"

// output makes the graph's outputs of the stream h [N, n, H].
func (t *translator) output(h value) {
	dims, width := []dimension{batchDimension}, t.spec.HiddenSize
	axes := 2
	var steps []int64
	if t.spec.Pooling == spec.AllTimesteps {
		axes, steps = 3, []int64{int64(t.steps)}
		dims = append(dims, dimension{size: steps[0]})
	}
	y := t.pooled(h)
	head := t.model.Head
	if head != nil {
		y = t.dense("head", y, steps...)
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
	switch t.spec.Pooling {
	case spec.LastTimestep:
		if t.count == "" {
			h = t.gather(h, t.int(int64(t.steps-1)), 1)
		} else {
			h = t.gatherSteps(h, t.op("Sub", t.count, t.int(1)))
		}
		return t.norm("final_norm", h, 2)
	case spec.Mean:
		h = t.norm("final_norm", h, 3)
		counted, count, axis := t.ones(t.steps), t.float(float32(t.steps)), int64(0)
		if t.count != "" {
			counted, count, axis = t.unsqueeze(t.cast(t.real, typeFloat), 1), t.cast(t.count, typeFloat), 2
		}
		sum := t.chain(t.zeros(t.batch, int64(t.spec.HiddenSize)), counted, axis, h, 1, false)
		return t.op("Div", sum, count)
	}
	return t.norm("final_norm", h, 3)
}

// ones is n times 1.
func (t *translator) ones(n int) value {
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	return t.constant(typeFloat, rawFloats(ones), int64(n))
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
