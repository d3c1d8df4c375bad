package dataset

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/qat-go/qat/preprocess"
)

// PreprocessOptions say what a preprocess.Pipeline is to do. The zero value scales.
type PreprocessOptions struct {
	Raw         bool // leave the channels unscaled
	Frame       int  // steps of a frame; 0 or 1 with Hop 0 or 1: no frames
	Hop         int  // steps from one frame to the next; default: Frame
	Center      bool // take the mean out of each frame and keep it beside
	ScaleInputs bool // standardise what the model reads, too, after frames are made
	Window      int  // most steps that the model reads; 0: as many as the longest series has
}

// FitPreprocess finds the scaling that o asks for from training data, and the
// window if o leaves it open. It reads seq once, or twice for ScaleInputs.
//
// Errors: faults of o, the first error of seq, no series.
func FitPreprocess(o PreprocessOptions, channels []string, seq iter.Seq2[Series, error]) (*preprocess.Pipeline, error) {
	p := &preprocess.Pipeline{Channels: slices.Clone(channels), Frame: max(o.Frame, 1), Hop: o.Hop, Center: o.Center, Window: o.Window}
	if p.Hop == 0 {
		p.Hop = p.Frame
	}
	p.Scale = preprocess.Identity(len(channels))
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
		p.Window = p.Frames(longest)
	}
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
