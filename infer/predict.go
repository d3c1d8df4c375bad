package infer

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Predict runs the model on one sequence and returns its outputs in dst, which it
// grows only if it has no room. They are the head's, logits or targets in the units
// of the data, or without a head what the pooling makes of the steps.
//
// With an input pipeline x is what was recorded, of any number of steps; the model
// reads the last T steps that the pipeline makes of it, and takes NaN for a missing
// value where Missing says so.
// Without one x is what the model reads, 1 to T steps.
//
// Shapes: x [n, Channels]; the result [Width], or [Steps(n), Width] with
// AllTimesteps pooling.
// Errors: a length that does not fit, a value that is not finite, but NaN where Missing
// says so; finite values that are so large that an output is not finite.
// dst is then of no use.
func (m *Model) Predict(dst, x []float32) ([]float32, error) {
	channels := m.Channels()
	if len(x)%channels != 0 || len(x) == 0 {
		return dst[:0], fmt.Errorf("infer: %d values, want steps (1 or more) of %d channels", len(x), channels)
	}
	w := m.borrow()
	defer m.giveBack(w)
	return named(m.predict(w, dst, x))
}

// named puts the package's name before an error.
func named(dst []float32, err error) ([]float32, error) {
	if err != nil {
		err = fmt.Errorf("infer: %w", err)
	}
	return dst, err
}

// predict is Predict, in w, for whole steps.
func (m *Model) predict(w *workspace, dst, x []float32) ([]float32, error) {
	x, n, err := m.read(w, x)
	if err != nil {
		return dst[:0], err
	}
	rows, err := m.run(w, x, 0, n, w.caches[:])
	if err != nil {
		return dst[:0], err
	}
	return m.finish(w, dst, rows, n)
}

// read returns what the model reads of x, [n, E].
func (m *Model) read(w *workspace, x []float32) (read []float32, n int, err error) {
	channels := m.Channels()
	n = len(x) / channels
	if m.input != nil {
		w.input, n, err = m.input.Apply(w.input, x, n)
		return w.input, n, err
	}
	if n > m.spec.WindowSize {
		return nil, 0, fmt.Errorf("%d steps, want 1 to the window of %d", n, m.spec.WindowSize)
	}
	if i := kernel.FirstNotFinite(x); i >= 0 {
		return nil, 0, fmt.Errorf("step %d, channel %d is %v, %w", i/channels, i%channels, x[i], quant.ErrNotFinite)
	}
	return x, n, nil
}

// finish makes the outputs in dst of what run returned of n steps: pooling, head,
// and units.
func (m *Model) finish(w *workspace, dst, rows []float32, n int) ([]float32, error) {
	hidden, k := m.spec.HiddenSize, 1
	switch m.spec.Pooling {
	case spec.Mean:
		mean := room(&w.mean, hidden)
		kernel.MeanPool(mean, rows, nil, 1, n, hidden)
		rows = mean
	case spec.AllTimesteps:
		k = n
	}
	dst = sized(dst, k*m.Width())
	if m.head == nil {
		copy(dst, rows)
	} else {
		m.head.forward(dst, rows, k)
	}
	if m.targets != nil {
		for i := range dst {
			dst[i] = m.targets.Invert(dst[i], i%m.head.out)
		}
	}
	if i := kernel.FirstNotFinite(dst); i >= 0 {
		return dst[:0], fmt.Errorf("output %d is %v: values of the model or of its input are too large", i, dst[i])
	}
	return dst, nil
}

// sized returns dst with n elements, in its own memory if that is enough.
func sized(dst []float32, n int) []float32 {
	if cap(dst) < n {
		return make([]float32, n)
	}
	return dst[:n]
}

// Probabilities writes the softmax of logits, each row of [rows, Width] on its own,
// to dst, which may be logits, and returns it:
//
//	exp(x - max x) / sum(exp(x - max x))
//
// with the exp, the order of summation and so the bits of the training graph's
// CrossEntropy.
//
// Errors: a model without a head, or whose head has targets; rows of another width;
// logits that are not finite.
func (m *Model) Probabilities(dst, logits []float32) ([]float32, error) {
	if err := m.checkLogits(logits); err != nil {
		return dst[:0], err
	}
	dst = sized(dst, len(logits))
	for i := 0; i < len(logits); i += m.head.out {
		kernel.SoftmaxRow(dst[i:i+m.head.out], logits[i:i+m.head.out])
	}
	return dst, nil
}

// Label returns the class of the largest of one sequence's logits, the first of
// equals: its name, which is empty where classes have none, and its index.
//
// Errors: as Probabilities; several rows of logits.
func (m *Model) Label(logits []float32) (name string, class int, err error) {
	if err := m.checkLogits(logits); err != nil {
		return "", 0, err
	}
	if len(logits) != m.head.out {
		return "", 0, fmt.Errorf("infer: %d logits, want one sequence's %d", len(logits), m.head.out)
	}
	for i, v := range logits {
		if v > logits[class] {
			class = i
		}
	}
	if len(m.classes) > 0 {
		name = m.classes[class]
	}
	return name, class, nil
}

func (m *Model) checkLogits(logits []float32) error {
	switch {
	case m.head == nil:
		return fmt.Errorf("infer: the model has no head: its outputs are no logits")
	case m.targets != nil:
		return fmt.Errorf("infer: the model has %d targets, no classes", m.head.out)
	case len(logits) == 0 || len(logits)%m.head.out != 0:
		return fmt.Errorf("infer: %d logits, want a multiple of %d", len(logits), m.head.out)
	}
	for i, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("infer: logit %d is %v, %w", i, v, quant.ErrNotFinite)
		}
	}
	return nil
}
