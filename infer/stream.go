package infer

import (
	"fmt"
	"math"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
)

// Stream is one sequence that grows a frame at a time. Its answer is, to the bit,
// Predict's on the frames so far; of a model without an input pipeline, on the last
// T of them.
//
// While the window fills, keys and values of the frames before are kept, and a frame
// costs the work of one step. Once it is full, the oldest frame goes; every step
// that is left had read it, so an answer then costs a whole Predict. Frames that are
// pushed without asking cost nothing until the next question. With an input
// pipeline whose Frame or Hop is above 1, steps are aligned to the newest frame and
// all move with it: an answer always costs a whole Predict.
//
// A Stream keeps the frames that the window spans, with each missing value filled by
// the channel's last one before: so the fill too is that of the whole recording.
// It is for one goroutine at a time; a model may have any number of them.
type Stream struct {
	m      *Model
	most   int       // frames that are kept
	frames []float32 // [kept, Channels]: the kept ones are the last most of them
	seen   int       // frames pushed, up to most+1

	// Of the steps computed so far, while the window fills.
	done   int
	caches []cache   // of each block
	rows   []float32 // what the pooling reads of them, after the final norm
}

// NewStream returns an empty stream.
func (m *Model) NewStream() *Stream {
	s := &Stream{m: m, most: m.spec.WindowSize}
	if p := m.input; p != nil {
		s.most = math.MaxInt // for steps so far apart that an int cannot count them
		if span := float64(p.Window-1)*float64(p.Hop) + float64(p.Frame); span < math.MaxInt32 {
			s.most = (p.Window-1)*p.Hop + p.Frame
		}
	}
	return s
}

// stepwise says that each frame is a step of the model's, whatever follows it.
func (s *Stream) stepwise() bool {
	return s.m.input == nil || s.m.input.Frame == 1 && s.m.input.Hop == 1
}

// Len is how many frames the next answer is about.
func (s *Stream) Len() int { return min(s.seen, s.most) }

// Reset makes the stream empty.
func (s *Stream) Reset() { s.frames, s.seen, s.done, s.rows = s.frames[:0], 0, 0, s.rows[:0] }

// Push adds one frame, as recorded.
//
// Shapes: frame [Channels].
// Errors: another number of values; one that is not finite, but NaN where the model's
// Missing says so. The stream is then as it was.
func (s *Stream) Push(frame []float32) error {
	channels := s.m.Channels()
	if len(frame) != channels {
		return fmt.Errorf("infer: a frame of %d values, want %d channels", len(frame), channels)
	}
	for c, v := range frame {
		if missing := v != v; missing && !s.m.Missing() || math.IsInf(float64(v), 0) {
			return fmt.Errorf("infer: channel %d is %v, %w", c, v, quant.ErrNotFinite)
		}
	}
	if kept := len(s.frames) / channels; kept-s.most >= s.most { // half of them are old
		copy(s.frames, s.frames[(kept-s.most)*channels:])
		s.frames = s.frames[:s.most*channels]
	}
	before := len(s.frames) - channels
	s.frames = append(s.frames, frame...)
	for c, v := range frame {
		if v != v && before >= 0 {
			s.frames[before+channels+c] = s.frames[before+c]
		}
	}
	if s.seen <= s.most {
		s.seen++
	}
	return nil
}

// Predict returns the outputs for the frames so far in dst, as the model's Predict.
//
// Errors: an empty stream; as the model's Predict.
func (s *Stream) Predict(dst []float32) ([]float32, error) {
	if s.seen == 0 {
		return dst[:0], fmt.Errorf("infer: the stream is empty: want a frame")
	}
	w := s.m.borrow()
	defer s.m.giveBack(w)
	if s.seen > s.most || !s.stepwise() {
		s.caches, s.rows = nil, nil // of no use until a Reset
		return named(s.m.predict(w, dst, s.last(s.Len())))
	}
	if err := s.extend(w); err != nil {
		return named(dst[:0], err)
	}
	return named(s.m.finish(w, dst, s.rows, s.seen))
}

// last returns the newest n frames.
func (s *Stream) last(n int) []float32 { return s.frames[len(s.frames)-n*s.m.Channels():] }

// extend computes the steps that were not yet.
func (s *Stream) extend(w *workspace) error {
	if s.done == s.seen {
		return nil
	}
	x, n, err := s.m.read(w, s.last(s.seen-s.done))
	if err != nil {
		return err
	}
	if s.caches == nil {
		s.caches = make([]cache, len(s.m.blocks))
	}
	rows, err := s.m.run(w, x, s.done, n, s.caches)
	if err != nil {
		return err
	}
	if s.m.spec.Pooling == spec.LastTimestep {
		s.rows = s.rows[:0]
	}
	s.rows = append(s.rows, rows...)
	s.done = s.seen
	return nil
}
