package main

import (
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/spec"
)

// operations are those of matrix products, in a model's linear layers and in
// attention, forward, for one sequence of steps: a multiplication and an addition are
// two. What the last block leaves out is not counted. A product whose sums are looked up
// counts as the product that it is.
func operations(m spec.Model, steps int) float64 {
	t, h := float64(steps), float64(m.HiddenSize)
	pairs := t * (t + 1) / 2 // a step attends to itself and to those before
	total := 0.0
	if m.EmbedDim != m.HiddenSize {
		total += t * float64(m.EmbedDim) * h
	}
	for i := range m.NumLayers {
		kept, attended := t, pairs
		if i == m.NumLayers-1 && m.Pooling == spec.LastTimestep {
			kept, attended = 1, t
		}
		total += 2*t*h*h + 2*attended*h + 10*kept*h*h // keys, values; attention; the others
	}
	return 2 * total
}

// trainOperations are those of a step: back twice what forward takes.
func trainOperations(m spec.Model, batch int) float64 {
	return 3 * float64(batch) * (operations(m, m.WindowSize) + 2*float64(m.HiddenSize)*benchClasses)
}

// predictOperations are those of a batch of whole windows.
func predictOperations(p *packed.Model, batch int) float64 {
	total := operations(p.Spec, p.Spec.WindowSize)
	if p.Head != nil {
		total += 2 * float64(p.Spec.HiddenSize) * float64(max(len(p.Head.Classes), 1))
	}
	return total * float64(batch)
}
