package train

import "fmt"

// Confusion counts what was predicted for what.
type Confusion struct {
	Classes []string
	Counts  [][]int // [actual][predicted]
}

// NewConfusion compares labels with predictions, both indices into classes.
//
// Errors: a different number of the two, or an index outside classes.
func NewConfusion(classes []string, labels, predicted []int) (Confusion, error) {
	c := Confusion{Classes: classes, Counts: make([][]int, len(classes))}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(classes))
	}
	if len(labels) != len(predicted) {
		return c, fmt.Errorf("train: %d predictions for %d labels", len(predicted), len(labels))
	}
	for i, label := range labels {
		if got := predicted[i]; min(label, got) < 0 || max(label, got) >= len(classes) {
			return c, fmt.Errorf("train: sequence %d has label %d and prediction %d, want 0 to %d", i, label, got, len(classes)-1)
		}
		c.Counts[label][predicted[i]]++
	}
	return c, nil
}

// Total is the number of sequences.
func (c Confusion) Total() int {
	n := 0
	for _, row := range c.Counts {
		for _, k := range row {
			n += k
		}
	}
	return n
}

// Right is the number of sequences that were predicted right.
func (c Confusion) Right() int {
	n := 0
	for i, row := range c.Counts {
		n += row[i]
	}
	return n
}

// Accuracy is the share that is right; 0 of nothing.
func (c Confusion) Accuracy() float64 { return ratio(c.Right(), c.Total()) }

// ClassScore is how well one class is told from the others.
//
//	precision = right / predicted,  recall = right / support
//	F1 = 2 right / (predicted + support)
//
// Units: fractions; 0 where there is nothing to divide by.
// Source: scikit-learn's precision_recall_fscore_support with zero_division 0.
type ClassScore struct {
	Class                 string
	Precision, Recall, F1 float64
	Support               int // sequences of the class
	Predicted             int // sequences taken for it
}

// PerClass returns a score for each class.
func (c Confusion) PerClass() []ClassScore {
	all := make([]ClassScore, len(c.Classes))
	for i, name := range c.Classes {
		s := ClassScore{Class: name}
		for j := range c.Classes {
			s.Support += c.Counts[i][j]
			s.Predicted += c.Counts[j][i]
		}
		right := c.Counts[i][i]
		s.Precision = ratio(right, s.Predicted)
		s.Recall = ratio(right, s.Support)
		s.F1 = ratio(2*right, s.Predicted+s.Support)
		all[i] = s
	}
	return all
}

// Macro is the plain mean of the classes that occur or are predicted, each
// counting the same.
func (c Confusion) Macro() ClassScore {
	m, n := ClassScore{Class: "macro average"}, 0
	for _, s := range c.PerClass() {
		if s.Support+s.Predicted == 0 {
			continue
		}
		n++
		m.Precision += s.Precision
		m.Recall += s.Recall
		m.F1 += s.F1
		m.Support += s.Support
		m.Predicted += s.Predicted
	}
	k := float64(max(n, 1))
	m.Precision, m.Recall, m.F1 = m.Precision/k, m.Recall/k, m.F1/k
	return m
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
