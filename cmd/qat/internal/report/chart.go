package report

import (
	"fmt"
	"math"
	"strings"
)

// The size of a chart and of the frame in it, in units of the SVG, which a screen
// shows at about one pixel each.
const (
	chartWidth, chartHeight = 360, 216
	frameLeft, frameRight   = 46, 350
	frameTop, frameBottom   = 10, 180
	xTicks, yTicks          = 6, 4
	maxPoints               = frameRight - frameLeft
	lineStyles              = 4 // in page.css
)

// chartView is a chart in coordinates.
type chartView struct {
	Title, Unit, XLabel, Label string
	Scatter                    bool
	XTicks, YTicks             []tickView
	Lines                      []lineView
}

type tickView struct{ Pos, Text string }

type lineView struct {
	Name, Last string // Last is the last value, but of a scatter
	Style      int
	Path       string
	Dots       []dotView
}

type dotView struct{ X, Y string }

// newChartView places a chart's lines; ok is false if there is nothing to show.
func newChartView(c Chart) (v chartView, ok bool) {
	lo, hi, ok := bounds(c)
	if !ok {
		return v, false
	}
	xs, ys := []float64{lo.X}, ticks(lo.Y, hi.Y, yTicks, false)
	if hi.X > lo.X {
		xs = inside(ticks(lo.X, hi.X, xTicks, true), lo.X, hi.X)
	}
	lo.Y, hi.Y = ys[0], ys[len(ys)-1]
	place := func(p Point) (x, y float64) {
		x, y = (frameLeft+frameRight)/2, frameBottom-(p.Y-lo.Y)/(hi.Y-lo.Y)*(frameBottom-frameTop)
		if hi.X > lo.X {
			x = frameLeft + (p.X-lo.X)/(hi.X-lo.X)*(frameRight-frameLeft)
		}
		return x, y
	}
	v = chartView{Title: clean(c.Title), Unit: clean(c.Unit), XLabel: clean(c.XLabel), Scatter: c.Scatter}
	for _, t := range xs {
		x, _ := place(Point{t, 0})
		v.XTicks = append(v.XTicks, tickView{at(x), plain(t, 6)})
	}
	for _, t := range ys {
		_, y := place(Point{0, t})
		text := plain(t, 6)
		if c.Fraction {
			text = plain(100*t, 6) + "%"
		}
		v.YTicks = append(v.YTicks, tickView{at(y), text})
	}
	said := []string{}
	for i, l := range c.Lines {
		if !c.Scatter {
			l.Points = thin(l.Points)
		}
		line := newLineView(l, place)
		line.Style = i % lineStyles
		last := lastFinite(l.Points)
		if last == nil {
			continue
		}
		v.Lines = append(v.Lines, line)
		if c.Scatter {
			said = append(said, line.Name)
			continue
		}
		text := number(last.Y)
		if c.Fraction {
			text = percent(last.Y) + "%"
		}
		v.Lines[len(v.Lines)-1].Last = text
		said = append(said, line.Name+" ends at "+text)
	}
	v.Label = fmt.Sprintf("%s by %s: %s", v.Title, v.XLabel, strings.Join(said, "; "))
	return v, true
}

// bounds are the least and greatest of a chart's points, 0 and 100% included but for
// a scatter; ok is false if there are no points.
func bounds(c Chart) (lo, hi Point, ok bool) {
	lo, hi = Point{math.Inf(1), 0}, Point{math.Inf(-1), math.Inf(-1)}
	if c.Scatter {
		lo.Y = math.Inf(1)
	}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if finite(p.X) && finite(p.Y) {
				lo.X, hi.X = min(lo.X, p.X), max(hi.X, p.X)
				lo.Y, hi.Y = min(lo.Y, p.Y), max(hi.Y, p.Y)
				ok = true
			}
		}
	}
	if c.Fraction {
		hi.Y = max(hi.Y, 1)
	}
	if hi.Y <= lo.Y {
		hi.Y = lo.Y + 1
	}
	return lo, hi, ok
}

// inside drops the ticks beyond lo and hi.
func inside(all []float64, lo, hi float64) []float64 {
	var in []float64
	for _, t := range all {
		if t >= lo && t <= hi {
			in = append(in, t)
		}
	}
	return in
}

func lastFinite(points []Point) *Point {
	for i := len(points) - 1; i >= 0; i-- {
		if finite(points[i].X) && finite(points[i].Y) {
			return &points[i]
		}
	}
	return nil
}

// newLineView draws a path through the points, broken where one is not finite. A
// point with no neighbour gets a dot, since a path would not show it.
func newLineView(l Line, place func(Point) (x, y float64)) lineView {
	v := lineView{Name: clean(l.Name)}
	var path strings.Builder
	points := l.Points
	drawn := func(i int) bool {
		return i >= 0 && i < len(points) && finite(points[i].X) && finite(points[i].Y)
	}
	for i := range points {
		if !drawn(i) {
			continue
		}
		x, y := place(points[i])
		if l.Dots || !drawn(i-1) && !drawn(i+1) {
			v.Dots = append(v.Dots, dotView{at(x), at(y)})
			continue
		}
		command := "L"
		if !drawn(i - 1) {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%s %s", command, at(x), at(y))
	}
	v.Path = path.String()
	return v
}

// thin keeps the least and the greatest of each run of points where there are more
// than the chart has pixels, and both ends.
func thin(points []Point) []Point {
	run := (len(points) + maxPoints - 1) / maxPoints
	if run < 3 {
		return points
	}
	kept := []Point{points[0]}
	for i := 1; i < len(points)-1; i += run {
		lo, hi := i, i
		for k := i; k < min(i+run, len(points)-1); k++ {
			if points[k].Y < points[lo].Y {
				lo = k
			}
			if points[k].Y > points[hi].Y {
				hi = k
			}
		}
		kept = append(kept, points[min(lo, hi)])
		if lo != hi {
			kept = append(kept, points[max(lo, hi)])
		}
	}
	return append(kept, points[len(points)-1])
}
