package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/train"
)

// sample is a report with every part, of so many classes and epochs.
func sample(classes, epochs int) Report {
	r := Report{
		Title: "digits: ternary", Subtitle: "Trained for a while",
		Metric:    Metric{Name: "test accuracy", Fraction: true},
		Model:     Score{Name: "this model, ternary", Value: 0.925},
		Baselines: []Score{{Name: "logistic regression", Value: 0.9}, {Name: "1-nearest-neighbour", Skipped: "left out, the data is large"}},
		Test:      200,
		Tiles:     []Fact{{"packed size", "31.8 kB", "12.8 times smaller"}},
		Facts:     []Facts{{"Data", []Fact{{"name", "digits", ""}}}},
		Notes:     []string{"3 series are shorter than the rest"},
		Command:   "qat train --quantize ternary",
	}
	loss, rate := Line{Name: "training"}, Line{Name: "learning rate"}
	for e := range epochs {
		loss.Points = append(loss.Points, Point{float64(e + 1), 2.3 / float64(e+1)})
		rate.Points = append(rate.Points, Point{float64(e + 1), 2e-3 * float64(epochs-e) / float64(epochs)})
	}
	r.Charts = []Chart{
		{Title: "Loss", XLabel: "epoch", Unit: "nats", Lines: []Line{loss, {Name: "test", Dots: true, Points: []Point{{float64(epochs), 0.5}}}}},
		{Title: "Learning rate", XLabel: "epoch", Lines: []Line{rate}},
	}
	r.Confusion = train.Confusion{Classes: make([]string, classes), Counts: make([][]int, classes)}
	for i := range classes {
		r.Confusion.Classes[i] = fmt.Sprintf("class %d", i)
		r.Confusion.Counts[i] = make([]int, classes)
		r.Confusion.Counts[i][i] = 17
		r.Confusion.Counts[i][(i+1)%classes]++
	}
	flips := make([]float64, epochs)
	for i := range flips {
		flips[i] = 0.05 / float64(i+1)
	}
	for _, mode := range quant.Modes()[1:] {
		codes := make([]int, 2*mode.MaxCode()+1)
		for i := range codes {
			if mode != quant.Binary || i != 1 {
				codes[i] = 11 + i
			}
		}
		r.Layers = append(r.Layers, Layer{train.LayerStats{
			Name: "blocks.0.attn.qkv.weight", Shape: []int{11, 33}, Mode: mode, Scales: []float32{0.25}, Signal: 4, Noise: 1,
			Codes: codes, PackedBytes: 77,
		}, flips})
	}
	return r
}

func render(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Render(&b, r))
	return b.String()
}

// element is what a test wants to know of a page's elements.
type element struct {
	name  string
	attrs map[string]string
}

// parse holds a page to well-formed XML, which it is besides being HTML, and
// returns its elements and its text outside the style.
func parse(t *testing.T, page string) (all []element, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	var said strings.Builder
	style := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, said.String()
		}
		require.NoError(t, err)
		switch x := token.(type) {
		case xml.StartElement:
			e := element{x.Name.Local, map[string]string{}}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			all = append(all, e)
			style = e.name == "style"
		case xml.EndElement:
			style = false
		case xml.CharData:
			if !style {
				said.Write(x)
			}
		}
	}
}

func count(all []element, name, class string) int {
	n := 0
	for _, e := range all {
		if e.name == name && (class == "" || strings.Contains(" "+e.attrs["class"]+" ", " "+class+" ")) {
			n++
		}
	}
	return n
}

// harmless holds a page to what every page must be.
func harmless(t *testing.T, page string) []element {
	t.Helper()
	all, text := parse(t, page)
	for _, e := range all {
		assert.NotContains(t, []string{"script", "iframe", "object", "embed", "link", "img", "base", "form"}, e.name)
		for name, value := range e.attrs {
			assert.False(t, strings.HasPrefix(name, "on") || name == "src" || name == "href", "%s %s=%q", e.name, name, value)
			assert.NotRegexp(t, `NaN|Inf|ZgotmplZ`, value, "%s %s", e.name, name)
		}
		if e.name == "svg" {
			assert.True(t, e.attrs["aria-hidden"] == "true" || e.attrs["role"] == "img" && e.attrs["aria-label"] != "", "a picture needs words: %v", e.attrs)
		}
	}
	assert.NotRegexp(t, `\bNaN\b|\bInf\b|ZgotmplZ|%!`, text)
	assert.NotRegexp(t, `https?://|url\(|@import`, page, "the page needs nothing from outside")
	return all
}

func TestRender(t *testing.T) {
	page := render(t, sample(10, 30))
	all := harmless(t, page)
	assert.Equal(t, page, render(t, sample(10, 30)), "the bytes depend on the report alone")
	assert.True(t, strings.HasPrefix(page, "<!DOCTYPE html>\n<html lang=\"en\">"))
	assert.Equal(t, 1, count(all, "svg", "bars"))
	assert.Equal(t, 2, count(all, "rect", "bar"), "the model and a baseline; the other was left out")
	assert.Equal(t, 2, count(all, "svg", "chart"))
	assert.Equal(t, 10, count(all, "td", "right"))
	assert.Equal(t, 10, count(all, "td", "wrong"))
	assert.Equal(t, 80, count(all, "td", "zero"))
	assert.Equal(t, 4, count(all, "svg", "histogram"))
	assert.Equal(t, 4, count(all, "svg", "spark"))
	_, text := parse(t, page)
	for _, want := range []string{
		"test accuracy", "185 of 200 test sequences; 95% interval 88.0 to 95.4%",
		"Better than the baseline, logistic regression (90.0%), which has 5 fewer sequences right. That is within the interval",
		"1-nearest-neighbour: left out, the data is large",
		"class 3", "94.4", "macro average", "blocks.0.attn.qkv", "11 × 33, ternary", "6.0",
		"5.0 → 0.2", "qat train --quantize ternary", "31.8 kB", "3 series are shorter",
	} {
		assert.Contains(t, text, want)
	}
}

func TestRender_edges(t *testing.T) {
	for _, c := range []struct {
		name   string
		report Report
	}{
		{"empty", Report{}},
		{"one epoch, two classes", sample(2, 1)},
		{"no epoch, one class", sample(1, 0)},
		{"100 classes", sample(100, 3)},
		{"5000 epochs", sample(3, 5000)},
		{"not finite", func() Report {
			r := sample(3, 5)
			nan, inf := math.NaN(), math.Inf(1)
			r.Model.Value, r.Baselines[0].Value = nan, inf
			r.Charts[0].Lines[0].Points = []Point{{1, nan}, {2, 1}, {3, inf}, {nan, 4}, {5, 1}, {6, 1}}
			r.Charts[1].Lines[0].Points = []Point{{1, nan}}
			r.Layers[0].Noise, r.Layers[1].Signal, r.Layers[2].Noise = 0, 0, nan
			r.Layers[0].Flips = []float64{nan, 0.5}
			r.Layers[1].Flips = []float64{0.5, nan}
			return r
		}()},
		{"no weights", func() Report {
			r := sample(3, 5)
			for i := range r.Layers {
				r.Layers[i].LayerStats = train.LayerStats{Mode: r.Layers[i].Mode, Codes: make([]int, 2*r.Layers[i].Mode.MaxCode()+1)}
			}
			return r
		}()},
		{"equal and zero values", func() Report {
			r := sample(3, 2)
			r.Model.Value, r.Baselines[0].Value, r.Test = 0, 0, 1
			r.Charts[0].Lines = []Line{{Name: "flat", Points: []Point{{1, 0}, {2, 0}}}}
			return r
		}()},
	} {
		t.Run(c.name, func(t *testing.T) { harmless(t, render(t, c.report)) })
	}
	page := render(t, Report{NoLayers: "None, in float mode."})
	assert.Contains(t, page, "None, in float mode.")
	assert.NotContains(t, page, "<h2>Training</h2>")

	all := harmless(t, render(t, sample(100, 3)))
	assert.Zero(t, count(all, "table", "matrix"))
	assert.Equal(t, 1, count(all, "svg", "heat"))
	assert.Equal(t, 200, count(all, "rect", "right")+count(all, "rect", "wrong"))
	assert.Less(t, len(render(t, sample(3, 5000))), 200_000, "long curves are thinned")
}

// everywhere is a report with the text wherever text can come from.
func everywhere(text string) Report {
	r := sample(3, 4)
	r.Title, r.Subtitle, r.Metric.Name, r.Model.Name, r.Command, r.NoLayers = text, text, text, text, text, text
	r.Baselines = []Score{{Name: text, Value: 0.99}, {Name: text, Skipped: text}}
	r.Tiles = []Fact{{text, text, text}}
	r.Facts = []Facts{{text, r.Tiles}}
	r.Notes = []string{text}
	for i := range r.Charts {
		r.Charts[i].Title, r.Charts[i].Unit, r.Charts[i].XLabel = text, text, text
		r.Charts[i].Lines[0].Name = text
	}
	r.Confusion.Classes = []string{text, text, text}
	for i := range r.Layers {
		r.Layers[i].Name = text
	}
	return r
}

func TestRender_escaping(t *testing.T) {
	plain := len(harmless(t, render(t, everywhere("x"))))
	for _, evil := range []string{
		`<script>alert("1")</script>`,
		`'"><img src=x onerror=alert(2)>`,
		`</title></style></svg></table><b>`,
		`&amp; ]]> --> {{.}} <!-- /*`,
		`x" style="--shade:0;background:red`,
	} {
		page := render(t, everywhere(evil))
		assert.Len(t, harmless(t, page), plain, "text adds no elements: %s", evil)
		_, text := parse(t, page)
		assert.Contains(t, text, evil, "it is shown as it is")
	}
	_, text := parse(t, render(t, everywhere("\x00\x1b[31m\xff\u202egnp.exe\n")))
	assert.NotRegexp(t, "[\u202e\x1b\x00]", text)

	r := sample(30, 1)
	r.Confusion.Classes[7] = `<script>alert(3)</script>`
	harmless(t, render(t, r))
}

func TestRender_policy(t *testing.T) {
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(render(t, sample(2, 2)))
	require.NotNil(t, policy)
	assert.Equal(t, "default-src 'none'; style-src 'unsafe-inline'", policy[1])
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, Write(path, sample(3, 3)))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, render(t, sample(3, 3)), string(b))
	assert.ErrorContains(t, Write(filepath.Join(path, "no"), sample(3, 3)), path)
}
