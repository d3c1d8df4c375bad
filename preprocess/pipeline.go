// Package preprocess makes what a model reads of what was recorded: the same bits in
// training and wherever the model runs, for a model is saved with its Pipeline.
//
// Letters in comments: E channels, F features, T steps of the model's window.
package preprocess

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Pipeline makes a model's input of a series as it was recorded: missing
// values filled, channels scaled, steps framed, cut to the model's window. It is
// saved with the model, for a model is of no use without it.
//
//	filled = the channel's last value before; if there is none, its mean   // [steps, E]
//	scaled = (filled - mean) / std                                          // [steps, E]
//	framed = Frame steps side by side, every Hop steps                      // [n, Frame*E]
//	center = framed less its mean per channel, and then those means         // [n, Frame*E + E]
//	inputs = (framed - mean) / std, if Inputs is set                        // [n, F]
//
// Frames are aligned to the end: the last holds the last Frame steps, and the
// first (steps-Frame) mod Hop steps, the oldest, are in none (in more, if Hop is
// above Frame). A series shorter than a frame is one frame, its first step
// repeated before it. Of more than Window frames the last are kept.
//
// Apply runs in float64 and rounds once a stage, so that every CPU gives the
// same bits.
type Pipeline struct {
	Channels []string `json:"channels"`
	Scale    Scaler   `json:"scale"` // of the channels
	Frame    int      `json:"frame"` // 1: no frames
	Hop      int      `json:"hop"`
	Center   bool     `json:"center,omitempty"`
	Inputs   *Scaler  `json:"inputs,omitempty"` // of the features, after frames are made
	Window   int      `json:"window"`           // T
	// Missing says that values may be missing, because some of the data that it was
	// fitted to were. Without it a NaN is an error: the model never read a filled one.
	Missing bool `json:"missing,omitempty"`
	// Shortest and Longest are how many time steps the series have that it was fitted
	// to; 0 where that is not known. They change nothing: one of another length may be
	// a mistake.
	Shortest int `json:"shortest,omitempty"`
	Longest  int `json:"longest,omitempty"`
}

// featuresMost bounds what a saved model can ask memory for.
const featuresMost = 1 << 24

// Validate reports every fault of p at once.
func (p *Pipeline) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("preprocess: "+format, args...))
	}
	if len(p.Channels) == 0 {
		fault("no channels, want 1 or more")
	}
	if p.Frame < 1 || p.Hop < 1 || p.Window < 1 {
		fault("frame %d, hop %d, window %d, want 1 or more of each", p.Frame, p.Hop, p.Window)
	}
	if p.Frame > featuresMost/max(len(p.Channels), 1) {
		fault("frames of %d steps of %d channels, want at most %d values", p.Frame, len(p.Channels), featuresMost)
	}
	if err := p.Scale.Validate(len(p.Channels)); err != nil {
		fault("scale: %w", err)
	}
	if len(faults) == 0 && p.Inputs != nil {
		if err := p.Inputs.Validate(p.Features()); err != nil {
			fault("inputs: %w", err)
		}
	}
	return errors.Join(faults...)
}

// Features is F, the values of each step that the model reads.
func (p *Pipeline) Features() int {
	n := p.Frame * len(p.Channels)
	if p.Center {
		n += len(p.Channels)
	}
	return n
}

// Steps is how many steps the model reads of a series of so many: 1 to Window.
func (p *Pipeline) Steps(steps int) int { return min(p.Frames(steps), p.Window) }

// Frames is Steps before the window cuts it.
func (p *Pipeline) Frames(steps int) int { return max(steps-p.Frame, 0)/p.Hop + 1 }

// Apply writes what the model reads of a series into dst, which it grows only if
// it has no room, and returns it with its number of steps. It may run in several
// goroutines at once.
//
// Shapes: series [steps, E], with Missing NaN where a value is missing; out [n, F].
// Errors: a length that does not fit, a value that is infinite or becomes so, and
// without Missing NaN; dst is then of no use.
func (p *Pipeline) Apply(dst, series []float32, steps int) (out []float32, n int, err error) {
	channels := len(p.Channels)
	if steps < 1 || len(series) != steps*channels {
		return dst[:0], 0, fmt.Errorf("preprocess: %d values, want %d steps (1 or more) of %d channels", len(series), steps, channels)
	}
	if i := slices.IndexFunc(series, isNaN); i >= 0 && !p.Missing {
		return dst[:0], 0, fmt.Errorf("preprocess: step %d, channel %q: saw NaN, want a finite number: in training no value was missing", i/channels, p.Channels[i%channels])
	}
	n = p.Steps(steps)
	size := n * p.Features()
	if cap(dst) < size {
		dst = make([]float32, size)
	}
	dst = dst[:size]
	for c := range channels {
		p.frameChannel(dst, series, steps, n, c)
	}
	if p.Inputs != nil {
		for i, f := 0, 0; i < size; i++ {
			dst[i] = p.Inputs.Apply(dst[i], f)
			if f++; f == p.Features() {
				f = 0
			}
		}
	}
	return dst, n, p.checkFinite(dst, series)
}

// ApplyPadded is Apply into a row of a batch, with zeros in front. It returns
// the number of steps that are the series'.
//
// Shapes: series [steps, E]; dst [Window, F].
func (p *Pipeline) ApplyPadded(dst, series []float32, steps int) (n int, err error) {
	if len(dst) != p.Window*p.Features() {
		return 0, fmt.Errorf("preprocess: room for %d values, want window %d x %d features", len(dst), p.Window, p.Features())
	}
	if steps < 1 {
		return 0, fmt.Errorf("preprocess: %d steps, want 1 or more", steps)
	}
	pad := len(dst) - p.Steps(steps)*p.Features()
	clear(dst[:pad])
	_, n, err = p.Apply(dst[pad:pad:len(dst)], series, steps)
	return n, err
}

// frameChannel writes channel c of the last n frames.
func (p *Pipeline) frameChannel(dst, series []float32, steps, n, c int) {
	channels, features := len(p.Channels), p.Features()
	carried := float32(0) // the value before step at, scaled; 0 is the mean
	at := 0
	step := func(t int) float32 { // of the series; before its start, its first
		if v := series[max(t, 0)*channels+c]; v == v {
			carried = p.Scale.Apply(v, c)
		}
		return carried
	}
	for f := range n {
		start := steps - p.Frame - (n-1-f)*p.Hop
		for ; at < start; at++ {
			step(at)
		}
		before := carried
		row := dst[f*features : (f+1)*features]
		for k := range p.Frame {
			row[k*channels+c] = step(start + k)
		}
		carried = before
		if p.Center {
			center(row, p.Frame, channels, c)
		}
	}
}

// center takes the mean of a frame's channel out and puts it behind the frame.
func center(row []float32, frame, channels, c int) {
	sum := 0.0
	for k := range frame {
		sum += float64(row[k*channels+c])
	}
	mean := sum / float64(frame)
	for k := range frame {
		row[k*channels+c] = float32(float64(row[k*channels+c]) - mean)
	}
	row[frame*channels+c] = float32(mean)
}

// checkFinite looks for what no model should read.
func (p *Pipeline) checkFinite(out, series []float32) error {
	i := slices.IndexFunc(out, notFinite)
	if i < 0 {
		return nil
	}
	for k, v := range series {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("preprocess: step %d, channel %q: saw %v, want a finite number", k/len(p.Channels), p.Channels[k%len(p.Channels)], v)
		}
	}
	return fmt.Errorf("preprocess: input step %d, feature %d is %v once scaled, want a finite number", i/p.Features(), i%p.Features(), out[i])
}

func isNaN(v float32) bool { return v != v }

func notFinite(v float32) bool {
	return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
}
