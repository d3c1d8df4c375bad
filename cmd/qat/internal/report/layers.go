package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/qat-go/qat/quant"
)

// layersView is the table of quantized weights.
type layersView struct {
	Rows       []layerRow
	Flips      bool // some row has them
	Weights    string
	PackedSize string
}

type layerRow struct {
	Name, Full, Shape, Mode       string
	Scale, SNR, Sparsity, Entropy string
	Packed                        string
	HistogramLabel                string
	Bars                          []histogramBar
	Flip, FlipLabel, FlipPath     string
}

// histogramBar is a bar of the codes' histogram.
type histogramBar struct {
	X, Y, W, H string
	Zero       bool // holds code 0
}

// The sizes of the pictures in the table, in units of the SVG.
const (
	histogramWidth, histogramHeight = 102, 26
	sparkWidth, sparkHeight         = 64, 22
	// histogramBars is the most bars: the 255 codes of int8 go five to a bar, with
	// code 0 in the middle of the middle one.
	histogramBars = 51
)

func newLayersView(layers []Layer) *layersView {
	if len(layers) == 0 {
		return nil
	}
	v := &layersView{}
	weights, packed := 0, 0
	for _, l := range layers {
		row := layerRow{
			Name: short(strings.TrimSuffix(l.Name, ".weight"), nameRunes), Full: clean(l.Name),
			Mode: l.Mode.String(), Shape: shapeText(l.Shape),
			Scale: scaleText(l.Scales), SNR: "–",
			Sparsity: percent(l.Sparsity()), Entropy: strconv.FormatFloat(l.Entropy(), 'f', 2, 64),
			Packed: Count(l.PackedBytes),
		}
		if l.Mode == quant.Binary {
			row.Sparsity = "–" // there is no code 0
		}
		if snr := l.SNR(); l.Noise == 0 {
			row.SNR = "exact"
		} else if finite(snr) {
			row.SNR = minus(strconv.FormatFloat(snr, 'f', 1, 64))
		}
		row.Bars, row.HistogramLabel = histogram(l)
		if last := len(l.Flips) - 1; last >= 0 && finite(l.Flips[last]) {
			v.Flips = true
			row.Flip = percent(l.Flips[last])
			if last > 0 {
				row.Flip = percent(greatest(l.Flips)) + " → " + row.Flip
			}
			row.FlipPath, row.FlipLabel = spark(l.Flips)
		}
		weights += l.Len()
		packed += l.PackedBytes
		v.Rows = append(v.Rows, row)
	}
	v.Weights, v.PackedSize = Count(weights), Count(packed)
	return v
}

// scaleText is the scale, or the least and the largest.
func scaleText(scales []float32) string {
	if len(scales) == 0 {
		return "–"
	}
	lo, hi := number(float64(slices.Min(scales))), number(float64(slices.Max(scales)))
	if lo == hi {
		return lo
	}
	return lo + " to " + hi
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = strconv.Itoa(d)
	}
	return strings.Join(parts, " × ")
}

// histogram draws the codes from the most negative to the most positive.
func histogram(l Layer) (bars []histogramBar, label string) {
	limit := len(l.Codes) / 2
	per := (len(l.Codes) + histogramBars - 1) / histogramBars
	counts, zero := []int{}, -1
	for lo := 0; lo < len(l.Codes); lo += per {
		if l.Mode == quant.Binary && lo == limit {
			continue
		}
		n := 0
		for _, k := range l.Codes[lo:min(lo+per, len(l.Codes))] {
			n += k
		}
		if lo <= limit && limit < lo+per {
			zero = len(counts)
		}
		counts = append(counts, n)
	}
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	step := float64(histogramWidth) / float64(max(len(counts), 1))
	gap := 0.0
	if step > 4 {
		gap = min(step/4, 2)
	}
	var said []string
	for i, n := range counts {
		h := float64(histogramHeight) * float64(n) / float64(most)
		if n > 0 {
			h = max(h, 0.8)
		}
		bars = append(bars, histogramBar{at(float64(i) * step), at(histogramHeight - h), at(step - gap), at(h), i == zero})
	}
	if limit == 1 {
		for i, k := range l.Codes {
			if l.Mode != quant.Binary || i != limit {
				said = append(said, fmt.Sprintf("%s: %s%%", minus(strconv.Itoa(i-limit)), percent(float64(k)/float64(max(l.Len(), 1)))))
			}
		}
		return bars, "Codes " + strings.Join(said, ", ")
	}
	return bars, fmt.Sprintf("Codes from %s to %d; 0: %s%%", minus(strconv.Itoa(-limit)), limit, percent(l.Sparsity()))
}

func greatest(rates []float64) float64 {
	top := 0.0
	for _, r := range rates {
		if finite(r) {
			top = max(top, r)
		}
	}
	return top
}

// spark draws the flip rates of the epochs, from 0 up.
func spark(rates []float64) (path, label string) {
	top := greatest(rates)
	points := make([]Point, 0, len(rates))
	for i, r := range rates {
		points = append(points, Point{float64(i), r})
	}
	label = fmt.Sprintf("Codes that changed in an epoch: at most %s%%, in the last %s%%", percent(top), percent(rates[len(rates)-1]))
	if top == 0 {
		top = 1
	}
	v := newLineView(Line{Points: points}, func(p Point) (x, y float64) {
		return 1 + p.X/float64(max(len(rates)-1, 1))*(sparkWidth-2), sparkHeight - 1 - p.Y/top*(sparkHeight-2)
	})
	return v.Path, label
}
