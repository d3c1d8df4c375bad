package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/qat-go/qat/preprocess"
)

// PreprocessOptions say what a preprocess.Pipeline is to do. The zero value scales, and
// frames by Framing.
type PreprocessOptions struct {
	Raw bool `json:"raw,omitempty"` // leave the channels unscaled
	// Frame is the steps of a frame: 1 for no frames, 0 for what Framing says of the
	// longest series, centred.
	Frame       int  `json:"frame,omitempty"`
	Hop         int  `json:"hop,omitempty"`          // steps from one frame to the next; 0: Frame, or what Framing says
	Center      bool `json:"center,omitempty"`       // take the mean out of each frame and keep it beside
	ScaleInputs bool `json:"scale_inputs,omitempty"` // standardise what the model reads, too, after frames are made
	Window      int  `json:"window,omitempty"`       // most time steps of a series that are read, the last ones; 0: all
}

// Framing is the frames that series of so many steps and channels are read in: a
// quarter apart, and large enough to show a shape, yet of few values, since a small
// training part learns those by heart. docs/recipes.md has what it was chosen by.
func Framing(steps, channels int) (frame, hop int) {
	const (
		stepsMost  = 32 // of a frame
		valuesMost = 48 // of a frame
		least      = 3  // frames side by side that a series has
		framesMost = 64 // of a series; attention grows with their square
		short      = 16 // steps of a series that needs no frames
	)
	if steps < short {
		return 1, 1
	}
	frame = 1
	for 2*frame <= stepsMost && 2*frame*channels <= valuesMost && least*2*frame <= steps {
		frame *= 2
	}
	hop = max(frame/4, 1, (steps+framesMost-1)/framesMost)
	return max(frame, hop), hop
}

// fill sets what o leaves open for series of at most so many steps.
func (o *PreprocessOptions) fill(longest, channels int) {
	if o.Window > 0 {
		longest = min(longest, o.Window)
	}
	o.Window = longest
	if o.Frame == 0 {
		frame, hop := Framing(longest, channels)
		o.Frame, o.Center = frame, o.Center || frame > 1
		if o.Hop == 0 {
			o.Hop = hop
		}
	}
	if o.Hop == 0 {
		o.Hop = o.Frame
	}
}

// FitPreprocess finds the scaling that o asks for from training data, and what o
// leaves open. It reads seq once, or twice for ScaleInputs.
//
// Values may be missing, NaN, of what it prepares if any of seq are.
//
// Errors: faults of o, the first error of seq, no series.
func FitPreprocess(o PreprocessOptions, channels []string, seq iter.Seq2[Series, error]) (*preprocess.Pipeline, error) {
	if o.Frame < 0 || o.Hop < 0 || o.Window < 0 {
		return nil, fmt.Errorf("dataset: frame %d, hop %d, window %d, want none below 0", o.Frame, o.Hop, o.Window)
	}
	fit, shortest, longest, missing := NewScalerFit(len(channels)), math.MaxInt, 0, false
	for one, err := range seq {
		if err != nil {
			return nil, err
		}
		if len(channels) == 0 || len(one.Values) != one.Steps*len(channels) || one.Steps < 1 {
			return nil, fmt.Errorf("dataset: %s: %d values, want %d steps of %d channels", one.Where, len(one.Values), one.Steps, len(channels))
		}
		fit.Add(one.Values)
		shortest, longest = min(shortest, one.Steps), max(longest, one.Steps)
		missing = missing || slices.ContainsFunc(one.Values, func(v float32) bool { return v != v })
	}
	if longest == 0 {
		return nil, errors.New("dataset: preprocessing is fitted to no series, want 1 or more")
	}
	o.fill(longest, len(channels))
	p := &preprocess.Pipeline{Channels: slices.Clone(channels), Scale: fit.Scaler(), Frame: o.Frame, Hop: o.Hop, Center: o.Center, Shortest: shortest, Longest: longest, Missing: missing}
	if o.Raw {
		p.Scale = preprocess.Identity(len(channels))
	}
	p.Window = p.Frames(o.Window)
	if err := p.Validate(); err != nil || !o.ScaleInputs {
		return p, err
	}
	return p, fitInputs(p, seq)
}

// fitInputs finds the scaling of the features.
func fitInputs(p *preprocess.Pipeline, seq iter.Seq2[Series, error]) error {
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
