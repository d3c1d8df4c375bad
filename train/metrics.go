package train

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/qat-go/qat/dataset"
)

// Metrics is how well a model does on data. A classification has an Accuracy, a
// regression the three below it.
type Metrics struct {
	// Loss is the mean cross entropy, in nats, or the mean squared error of
	// standardised targets.
	Loss     float64
	Accuracy float64 // fraction of sequences whose label has the largest logit, the first of equals

	RMSE float64 // root of the mean squared error, in the units of the targets
	MAE  float64 // mean absolute error, in those units
	// R2 is the share of the targets' variance that is explained, the mean over
	// targets; one that does not vary counts as 1 where it is met, else as 0.
	R2 float64

	regression bool
}

// Regression says which of the measures apply.
func (m Metrics) Regression() bool { return m.regression }

// Score is the measure to choose by and how it is called: larger is better for an
// accuracy, smaller for an error.
func (m Metrics) Score() (name string, value float64) {
	if m.regression {
		return "RMSE", m.RMSE
	}
	return "accuracy", m.Accuracy
}

// better ranks by accuracy, and by loss among equals; a regression by loss.
func (m Metrics) better(than Metrics) bool {
	if m.regression || m.Accuracy == than.Accuracy {
		return m.Loss < than.Loss
	}
	return m.Accuracy > than.Accuracy
}

// metricsJSON has what applies.
type metricsJSON struct {
	Loss     float64  `json:"loss"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	RMSE     *float64 `json:"rmse,omitempty"`
	MAE      *float64 `json:"mae,omitempty"`
	R2       *float64 `json:"r2,omitempty"`
}

// MarshalJSON writes the measures that apply.
func (m Metrics) MarshalJSON() ([]byte, error) {
	if m.regression {
		return json.Marshal(metricsJSON{Loss: m.Loss, RMSE: &m.RMSE, MAE: &m.MAE, R2: &m.R2})
	}
	return json.Marshal(metricsJSON{Loss: m.Loss, Accuracy: &m.Accuracy})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Metrics) UnmarshalJSON(text []byte) error {
	var j metricsJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*m = Metrics{Loss: j.Loss, regression: j.RMSE != nil}
	for to, from := range map[*float64]*float64{&m.Accuracy: j.Accuracy, &m.RMSE: j.RMSE, &m.MAE: j.MAE, &m.R2: j.R2} {
		if from != nil {
			*to = *from
		}
	}
	return nil
}

// tally adds up the measures of sequences that come one by one. Its JSON form is
// exact, so that a checkpoint within an epoch can hold it.
type tally struct {
	N       int         `json:"n"`
	Loss    float64     `json:"loss"`
	Right   int         `json:"right,omitempty"`
	Outputs []outputSum `json:"outputs,omitempty"` // of a regression
}

// outputSum is of one target, in its units.
type outputSum struct {
	Squared  float64 `json:"squared"`
	Absolute float64 `json:"absolute"`
	Mean     float64 `json:"mean"` // of the targets
	M2       float64 `json:"m2"`   // their squared distances from it
}

// add takes in a sequence; its loss is the caller's to add.
func (t *tally) add(task Task, row []float32, e dataset.Example) {
	t.N++
	if !task.Regression() {
		if argmax(row) == e.Label {
			t.Right++
		}
		return
	}
	if t.Outputs == nil {
		t.Outputs = make([]outputSum, task.Outputs)
	}
	for k := range t.Outputs {
		o, want := &t.Outputs[k], float64(e.Targets[k])
		d := float64(task.Targets.Invert(row[k], k)) - want
		o.Squared += float64(d * d)
		o.Absolute += math.Abs(d)
		before := want - o.Mean
		o.Mean += before / float64(t.N)
		o.M2 += float64(before * (want - o.Mean))
	}
}

// loss is of one sequence, as the graph has it but in float64.
func (task Task) loss(row []float32, e dataset.Example) float64 {
	if task.Regression() {
		sum := 0.0
		for k, v := range row {
			d := float64(v) - float64(task.Targets.Apply(e.Targets[k], k))
			sum += float64(d * d)
		}
		return sum / float64(len(row))
	}
	best := float64(row[argmax(row)])
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - best)
	}
	return math.Log(sum) - (float64(row[e.Label]) - best)
}

// metrics are the measures so far.
func (t *tally) metrics(task Task) Metrics {
	n := float64(max(t.N, 1))
	m := Metrics{Loss: t.Loss / n, regression: task.Regression()}
	if !m.regression {
		m.Accuracy = float64(t.Right) / n
		return m
	}
	k := float64(max(len(t.Outputs), 1))
	for _, o := range t.Outputs {
		m.RMSE += o.Squared / n / k
		m.MAE += o.Absolute / n / k
		switch {
		case o.M2 > 0:
			m.R2 += (1 - o.Squared/o.M2) / k
		case o.Squared == 0:
			m.R2 += 1 / k
		}
	}
	m.RMSE = math.Sqrt(m.RMSE)
	return m
}

// argmax is the index of the largest, the first of equals.
func argmax(row []float32) int {
	best := 0
	for j, v := range row {
		if v > row[best] {
			best = j
		}
	}
	return best
}

// Meter measures what a model makes of sequences that come one by one, by the
// arithmetic of Evaluate.
type Meter struct {
	task  Task
	tally tally
}

// NewMeter returns a meter of a task's outputs.
//
// Errors: a task without classes and targets; targets without a scale.
func NewMeter(task Task) (*Meter, error) {
	if err := task.validate(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return &Meter{task: task}, nil
}

// Add takes in a sequence: its row of outputs, as the head has them (standardised
// targets), and its label or targets. It panics on a label or lengths that are not the
// task's.
func (m *Meter) Add(row []float32, e dataset.Example) {
	m.tally.add(m.task, row, e)
	m.tally.Loss += m.task.loss(row, e)
}

// Len is how many sequences were added.
func (m *Meter) Len() int { return m.tally.N }

// Metrics are the measures so far.
func (m *Meter) Metrics() Metrics { return m.tally.metrics(m.task) }

// Measure compares logits with labels. Shapes: logits [n, classes], labels [n].
func Measure(logits []float32, labels []int, classes int) Metrics {
	m := Meter{task: Task{Classes: make([]string, classes)}}
	for i, label := range labels {
		m.Add(logits[i*classes:(i+1)*classes], dataset.Example{Label: label})
	}
	return m.Metrics()
}
