package report

import (
	"html/template"
	"slices"
)

// page is a report with everything computed that the template shows.
type page struct {
	Style           template.CSS
	Title, Subtitle string
	Headline        headline
	Tiles           []Fact
	Charts          []chartView
	Matrix          *matrixView
	Layers          *layersView
	NoLayers        string
	Facts           []Facts
	Notes           []string
	Command         string
}

func newPage(r Report) page {
	p := page{
		Style: template.CSS(pageStyle),
		Title: clean(r.Title), Subtitle: clean(r.Subtitle),
		Headline: newHeadline(r),
		Tiles:    cleanFacts(r.Tiles),
		Matrix:   newMatrixView(r.Confusion),
		Layers:   newLayersView(r.Layers),
		NoLayers: clean(r.NoLayers),
		Command:  clean(r.Command),
	}
	for _, n := range r.Notes {
		p.Notes = append(p.Notes, clean(n))
	}
	for _, c := range r.Charts {
		if v, ok := newChartView(c); ok {
			p.Charts = append(p.Charts, v)
		}
	}
	for _, f := range r.Facts {
		if len(f.Facts) > 0 {
			p.Facts = append(p.Facts, Facts{clean(f.Title), cleanFacts(f.Facts)})
		}
	}
	return p
}

func cleanFacts(facts []Fact) []Fact {
	out := slices.Clone(facts)
	for i, f := range out {
		out[i] = Fact{clean(f.Name), clean(f.Value), clean(f.Note)}
	}
	return out
}
