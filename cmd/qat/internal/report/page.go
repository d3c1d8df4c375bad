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
	Charts          []chartSection
	Matrix          *matrixView
	Layers          *layersView
	NoLayers        string
	Facts           []Facts
	Notes           []string
	Command         string
}

// chartSection is charts under a heading.
type chartSection struct {
	Title  string
	Charts []chartView
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
	for _, s := range []struct {
		title string
		all   []Chart
	}{{"Training", r.Charts}, {"Predictions of the test part", r.Predictions}} {
		section := chartSection{Title: s.title}
		for _, c := range s.all {
			if v, ok := newChartView(c); ok {
				section.Charts = append(section.Charts, v)
			}
		}
		if len(section.Charts) > 0 {
			p.Charts = append(p.Charts, section)
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
