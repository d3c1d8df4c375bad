package train

import (
	"fmt"
	"slices"

	"github.com/qat-go/qat/dataset"
)

// evalBatch bounds the batches of an evaluation, and so its memory.
const evalBatch = 128

// Evaluate runs the model on data, without dropout or augmentation.
//
// Errors: data of other dimensions, classes or targets than the model's; what
// reading it gives.
func (c *Model) Evaluate(d dataset.Data) (Metrics, error) {
	m := Meter{task: c.task}
	err := c.each(d, m.Add)
	return m.Metrics(), err
}

// Prediction is what a model says of data, in the data's order.
type Prediction struct {
	// Outputs are logits of classes, or targets in the units of the data.
	// Shapes: [N, C] or [N, K], row-major.
	Outputs []float32
	Labels  []int     // the data's own [N]; nil with targets
	Targets []float32 // the data's own [N, K]; nil with classes
}

// Predict runs the model on data, without dropout or augmentation.
//
// Errors: as Evaluate.
func (c *Model) Predict(d dataset.Data) (Prediction, error) {
	var p Prediction
	err := c.each(d, func(row []float32, e dataset.Example) {
		if !c.task.Regression() {
			p.Outputs, p.Labels = append(p.Outputs, row...), append(p.Labels, e.Label)
			return
		}
		for k, v := range row {
			p.Outputs = append(p.Outputs, c.task.Targets.Invert(v, k))
		}
		p.Targets = append(p.Targets, e.Targets...)
	})
	return p, err
}

// each calls do with the head's outputs for each sequence of d. What it hands over
// is valid until do returns.
func (c *Model) each(d dataset.Data, do func(row []float32, e dataset.Example)) error {
	width := c.task.width()
	return c.eachBatch(d, func(outputs []float32, batch []dataset.Example) error {
		for i, e := range batch {
			do(outputs[i*width:(i+1)*width], e)
		}
		return nil
	})
}

// eachBatch is each for batches, until do fails.
//
// Shapes: outputs [len(batch), width].
func (c *Model) eachBatch(d dataset.Data, do func(outputs []float32, batch []dataset.Example) error) error {
	if err := c.fits(d); err != nil {
		return err
	}
	f := d.Facts()
	var p *program
	var batch []dataset.Example
	left := f.N
	for e, err := range d.Epoch(0, 0) {
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			if p, err = c.program(c.evaluate, shape{min(evalBatch, left), f.Uneven}, false); err != nil {
				return err
			}
		}
		e.Values = p.set(len(batch), e, 1)
		e.Targets, e.Recorded = slices.Clone(e.Targets), slices.Clone(e.Recorded)
		if batch = append(batch, e); len(batch) < p.batch {
			continue
		}
		if err := p.run(); err != nil {
			return fmt.Errorf("train: evaluation: %w", err)
		}
		if err := do(p.outputs(), batch); err != nil {
			return err
		}
		left -= len(batch)
		batch = batch[:0]
	}
	return nil
}

// Predictions returns the class of the largest logit of each row, the first of
// equals. Shapes: logits [n, classes]; the result [n].
func Predictions(logits []float32, classes int) []int {
	best := make([]int, len(logits)/classes)
	for i := range best {
		best[i] = argmax(logits[i*classes : (i+1)*classes])
	}
	return best
}
