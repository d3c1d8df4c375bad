package train

import (
	"fmt"

	"github.com/qat-go/qat/dataset"
)

// Logits runs the classifier on a set, without dropout or augmentation.
//
// Shapes: [N, classes], row-major.
// Errors: a set of other dimensions or classes than the model's.
func (c *Classifier) Logits(s *dataset.Set) ([]float32, error) {
	if err := c.fits(s); err != nil {
		return nil, err
	}
	logits := make([]float32, 0, s.Len()*len(s.Classes))
	for at := 0; at < s.Len(); at += evalBatch {
		indices := make([]int, min(evalBatch, s.Len()-at))
		for i := range indices {
			indices[i] = at + i
		}
		p, err := c.program(c.evaluate, shape{len(indices), s.Lengths != nil}, false)
		if err != nil {
			return nil, err
		}
		p.load(s, indices)
		if err := p.run(); err != nil {
			return nil, fmt.Errorf("train: evaluation: %w", err)
		}
		logits = append(logits, p.logit()...)
	}
	return logits, nil
}

// Predictions returns the class of the largest logit of each row, the first of
// equals. Shapes: logits [n, classes]; the result [n].
func Predictions(logits []float32, classes int) []int {
	best := make([]int, len(logits)/classes)
	for i := range best {
		row := logits[i*classes : (i+1)*classes]
		for j, v := range row {
			if v > row[best[i]] {
				best[i] = j
			}
		}
	}
	return best
}
