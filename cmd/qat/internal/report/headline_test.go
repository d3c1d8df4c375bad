package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVerdict(t *testing.T) {
	accuracy := Metric{Name: "test accuracy", Fraction: true}
	loss := Metric{Name: "test error", LowerIsBetter: true}
	for _, c := range []struct {
		name      string
		metric    Metric
		n         int
		ours      float64
		baselines []Score
		want      string
		beaten    bool
	}{
		{"none", accuracy, 100, 0.9, nil, "", false},
		{"wins", accuracy, 100, 0.9, []Score{{Name: "a", Value: 0.5}, {Name: "b", Value: 0.7}},
			"Better than all 2 baselines; the best of them, b, reaches 70.0%, which has 20 fewer sequences right.", false},
		{"narrowly", accuracy, 100, 0.9, []Score{{Name: "a", Value: 0.89}},
			"Better than the baseline, a (89.0%), which has 1 fewer sequence right. That is within the interval: this test part is too small to tell the two apart well.", false},
		{"tie", accuracy, 100, 0.9, []Score{{Name: "a", Value: 0.9}, {Name: "b", Value: 0.1}},
			"No better than a baseline: a does as well.", false},
		{"loses", accuracy, 100, 0.5, []Score{{Name: "a", Value: 0.8}, {Name: "b", Value: 0.1}},
			"A baseline does better: a (80.0%), which has 30 more sequences right.", true},
		{"loses twice", accuracy, 100, 0.5, []Score{{Name: "a", Value: 0.8}, {Name: "b", Value: 0.9}},
			"2 baselines do better: a (80.0%), b (90.0%); the best is b, which has 40 more sequences right.", true},
		{"error wins", loss, 100, 0.5, []Score{{Name: "a", Value: 0.8}}, "Better than the baseline, a (0.8).", false},
		{"error loses", loss, 100, 0.5, []Score{{Name: "a", Value: 0.25}, {Name: "b", Value: 3}}, "A baseline does better: a (0.25).", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHeadline(Report{Metric: c.metric, Test: c.n, Model: Score{Name: "m", Value: c.ours}, Baselines: c.baselines})
			assert.Equal(t, c.want, h.Verdict)
			assert.Equal(t, c.beaten, h.Beaten)
			assert.Len(t, h.Bars.Bars, 1+len(c.baselines))
		})
	}
}

// TestWilson holds the ends of the interval to what defines them: the shares p
// from which the observed one is 1.96 standard deviations of p away.
func TestWilson(t *testing.T) {
	const near = 1e-12 // of a few float64 operations
	for _, c := range []struct{ k, n int }{{0, 11}, {1, 11}, {5, 11}, {11, 11}, {328, 360}, {1, 100_003}} {
		share := float64(c.k) / float64(c.n)
		lo, hi := wilson(share, c.n)
		assert.True(t, 0 <= lo && lo <= share && share <= hi && hi <= 1, "%d of %d: %v to %v", c.k, c.n, lo, hi)
		for _, p := range []float64{lo, hi} {
			assert.InDelta(t, 1.959964*math.Sqrt(p*(1-p)/float64(c.n)), math.Abs(share-p), near, "%d of %d", c.k, c.n)
		}
	}
}
