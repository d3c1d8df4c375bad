package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// PreprocessOptions say what a Preprocess is to do. The zero value scales.
type PreprocessOptions struct {
	Raw         bool // leave the channels unscaled
	Frame       int  // steps of a frame; 0 or 1 with Hop 0 or 1: no frames
	Hop         int  // steps from one frame to the next; default: Frame
	Center      bool // take the mean out of each frame and keep it beside
	ScaleInputs bool // standardise what the model reads, too, after frames are made
	Window      int  // most steps that the model reads; 0: as many as the longest series has
}

// Preprocess makes a model's input of a series as it was recorded: missing
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
type Preprocess struct {
	Channels []string `json:"channels"`
	Scale    Scaler   `json:"scale"` // of the channels
	Frame    int      `json:"frame"` // 1: no frames
	Hop      int      `json:"hop"`
	Center   bool     `json:"center,omitempty"`
	Inputs   *Scaler  `json:"inputs,omitempty"` // of the features, after frames are made
	Window   int      `json:"window"`           // T
}

// FitPreprocess finds the scaling that o asks for from training data, and the
// window if o leaves it open. It reads seq once, or twice for ScaleInputs.
//
// Errors: faults of o, the first error of seq, no series.
func FitPreprocess(o PreprocessOptions, channels []string, seq iter.Seq2[Series, error]) (*Preprocess, error) {
	p := &Preprocess{Channels: slices.Clone(channels), Frame: max(o.Frame, 1), Hop: o.Hop, Center: o.Center, Window: o.Window}
	if p.Hop == 0 {
		p.Hop = p.Frame
	}
	p.Scale = identityScaler(len(channels))
	if o.Frame < 0 || o.Hop < 0 || o.Window < 0 {
		return nil, fmt.Errorf("dataset: frame %d, hop %d, window %d, want none below 0", o.Frame, o.Hop, o.Window)
	}
	fit, longest := NewScalerFit(len(channels)), 0
	for one, err := range seq {
		if err != nil {
			return nil, err
		}
		if len(channels) == 0 || len(one.Values) != one.Steps*len(channels) || one.Steps < 1 {
			return nil, fmt.Errorf("dataset: %s: %d values, want %d steps of %d channels", one.Where, len(one.Values), one.Steps, len(channels))
		}
		fit.Add(one.Values)
		longest = max(longest, one.Steps)
	}
	if longest == 0 {
		return nil, errors.New("dataset: preprocessing is fitted to no series, want 1 or more")
	}
	if !o.Raw {
		p.Scale = fit.Scaler()
	}
	if p.Window == 0 {
		p.Window = p.frames(longest)
	}
	if err := p.Validate(); err != nil || !o.ScaleInputs {
		return p, err
	}
	return p, p.fitInputs(seq)
}

// fitInputs finds the scaling of the features.
func (p *Preprocess) fitInputs(seq iter.Seq2[Series, error]) error {
	fit := NewScalerFit(p.Features())
	var inputs []float32
	for one, err := range seq {
		if err != nil {
			return err
		}
		if inputs, _, err = p.Apply(inputs, one.Values, one.Steps); err != nil {
			return fmt.Errorf("%w (%s)", err, one.Where)
		}
		fit.Add(inputs)
	}
	scale := fit.Scaler()
	p.Inputs = &scale
	return nil
}

// featuresMost bounds what a saved model can ask memory for.
const featuresMost = 1 << 24

// Validate reports every fault of p at once.
func (p *Preprocess) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("dataset: preprocessing: "+format, args...))
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
func (p *Preprocess) Features() int {
	n := p.Frame * len(p.Channels)
	if p.Center {
		n += len(p.Channels)
	}
	return n
}

// Steps is how many steps the model reads of a series of so many: 1 to Window.
func (p *Preprocess) Steps(steps int) int { return min(p.frames(steps), p.Window) }

// frames is Steps before the window cuts it.
func (p *Preprocess) frames(steps int) int { return max(steps-p.Frame, 0)/p.Hop + 1 }

// Apply writes what the model reads of a series into dst, which it grows only if
// it has no room, and returns it with its number of steps. It may run in several
// goroutines at once.
//
// Shapes: series [steps, E], NaN where a value is missing; out [n, F].
// Errors: a length that does not fit, and a value that is infinite or becomes so;
// dst is then of no use.
func (p *Preprocess) Apply(dst, series []float32, steps int) (out []float32, n int, err error) {
	channels := len(p.Channels)
	if steps < 1 || len(series) != steps*channels {
		return dst[:0], 0, fmt.Errorf("dataset: %d values, want %d steps (1 or more) of %d channels", len(series), steps, channels)
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
func (p *Preprocess) ApplyPadded(dst, series []float32, steps int) (n int, err error) {
	if len(dst) != p.Window*p.Features() {
		return 0, fmt.Errorf("dataset: room for %d values, want window %d x %d features", len(dst), p.Window, p.Features())
	}
	if steps < 1 {
		return 0, fmt.Errorf("dataset: %d steps, want 1 or more", steps)
	}
	pad := len(dst) - p.Steps(steps)*p.Features()
	clear(dst[:pad])
	_, n, err = p.Apply(dst[pad:pad:len(dst)], series, steps)
	return n, err
}

// frameChannel writes channel c of the last n frames.
func (p *Preprocess) frameChannel(dst, series []float32, steps, n, c int) {
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
func (p *Preprocess) checkFinite(out, series []float32) error {
	i := slices.IndexFunc(out, notFinite)
	if i < 0 {
		return nil
	}
	for k, v := range series {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("dataset: step %d, channel %q: saw %v, want a finite number or NaN where it is missing",
				k/len(p.Channels), p.Channels[k%len(p.Channels)], v)
		}
	}
	return fmt.Errorf("dataset: input step %d, feature %d is %v once scaled, want a finite number", i/p.Features(), i%p.Features(), out[i])
}
