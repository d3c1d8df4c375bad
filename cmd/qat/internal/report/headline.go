package report

import (
	"fmt"
	"math"
	"strings"
)

// headline is the number, its bars, and what they say in words.
type headline struct {
	Metric, Value, Unit string
	Detail              string // of how many, and the interval
	Verdict             string
	Beaten              bool // a baseline is better
	Bars                *barsView
	Skipped             []Score
}

func newHeadline(r Report) headline {
	h := headline{Metric: clean(r.Metric.Name)}
	scores := []Score{}
	for _, s := range append([]Score{r.Model}, r.Baselines...) {
		s.Name, s.Skipped = short(s.Name, 40), clean(s.Skipped)
		switch {
		case s.Skipped != "":
			h.Skipped = append(h.Skipped, s)
		case finite(s.Value):
			scores = append(scores, s)
		}
	}
	if !finite(r.Model.Value) || r.Model.Skipped != "" {
		return h
	}
	h.Value, h.Unit = r.Metric.text(r.Model.Value), ""
	if r.Metric.Fraction {
		h.Value, h.Unit = percent(r.Model.Value), "%"
	}
	if r.Test > 0 {
		h.Detail = fmt.Sprintf("on %s test sequences", Count(r.Test))
	}
	if r.Metric.Fraction && r.Test > 0 {
		lo, hi := wilson(r.Model.Value, r.Test)
		h.Detail = fmt.Sprintf("%s of %s test sequences; 95%% interval %s to %s%%",
			Count(r.right(r.Model.Value)), Count(r.Test), percent(lo), percent(hi))
	}
	h.Verdict, h.Beaten = r.verdict(scores)
	h.Bars = newBarsView(r, scores)
	return h
}

// right is how many test sequences an accuracy stands for.
func (r Report) right(v float64) int { return int(math.Round(v * float64(r.Test))) }

func (m Metric) text(v float64) string {
	if m.Fraction {
		return percent(v) + "%"
	}
	return number(v)
}

func (m Metric) better(a, b float64) bool {
	if m.LowerIsBetter {
		return a < b
	}
	return a > b
}

// verdict compares the model, scores[0], with the baselines.
func (r Report) verdict(scores []Score) (text string, beaten bool) {
	if len(scores) < 2 {
		return "", false
	}
	ours, best := scores[0].Value, scores[1]
	var winners []string
	for _, s := range scores[1:] {
		if r.Metric.better(s.Value, best.Value) {
			best = s
		}
		if r.Metric.better(s.Value, ours) {
			winners = append(winners, fmt.Sprintf("%s (%s)", s.Name, r.Metric.text(s.Value)))
		}
	}
	switch {
	case len(winners) == 1:
		text = fmt.Sprintf("A baseline does better: %s", winners[0])
	case len(winners) > 1:
		text = fmt.Sprintf("%d baselines do better: %s; the best is %s", len(winners), strings.Join(winners, ", "), best.Name)
	case best.Value == ours:
		text = fmt.Sprintf("No better than a baseline: %s does as well", best.Name)
	case len(scores) == 2:
		text = fmt.Sprintf("Better than the baseline, %s (%s)", best.Name, r.Metric.text(best.Value))
	default:
		text = fmt.Sprintf("Better than all %d baselines; the best of them, %s, reaches %s",
			len(scores)-1, best.Name, r.Metric.text(best.Value))
	}
	if r.Metric.Fraction && r.Test > 0 {
		text += r.apart(ours, best.Value)
	}
	return text + ".", len(winners) > 0
}

// apart says how many sequences lie between the model and the best baseline, and
// what that is worth.
func (r Report) apart(ours, best float64) string {
	n := r.right(best) - r.right(ours)
	if n == 0 {
		return ""
	}
	than, sequences := "more", "sequences"
	if n < 0 {
		n, than = -n, "fewer"
	}
	if n == 1 {
		sequences = "sequence"
	}
	text := fmt.Sprintf(", which has %s %s %s right", Count(n), than, sequences)
	if lo, hi := wilson(ours, r.Test); best >= lo && best <= hi {
		text += ". That is within the interval: this test part is too small to tell the two apart well"
	}
	return text
}

// barsView is a horizontal bar for each score.
type barsView struct {
	Label  string
	Height int
	Bars   []barView
}

type barView struct {
	Name, Value            string
	Ours                   bool
	TextY, BarY            int
	Width                  string
	Low, High, MidY, Whisk string // the interval, if Whisk is not empty
}

// barWidth is the track's length and barStep a row's height, in units of the SVG.
const (
	barWidth = 400
	barStep  = 40
)

func newBarsView(r Report, scores []Score) *barsView {
	top := 0.0
	for _, s := range scores {
		top = max(top, s.Value)
	}
	if r.Metric.Fraction {
		top = 1
	}
	if top <= 0 {
		top = 1
	}
	v := &barsView{Height: barStep * len(scores)}
	var said []string
	for i, s := range scores {
		b := barView{
			Name: s.Name, Value: r.Metric.text(s.Value), Ours: i == 0,
			TextY: i*barStep + 15, BarY: i*barStep + 22,
			Width: at(barWidth * min(max(s.Value, 0)/top, 1)),
		}
		if b.Ours && r.Metric.Fraction && r.Test > 0 {
			lo, hi := wilson(s.Value, r.Test)
			b.Whisk, b.Low, b.High, b.MidY = "y", at(barWidth*lo), at(barWidth*hi), at(float64(b.BarY)+5)
		}
		said = append(said, b.Name+" "+b.Value)
		v.Bars = append(v.Bars, b)
	}
	v.Label = clean(r.Metric.Name) + ": " + strings.Join(said, ", ")
	return v
}
