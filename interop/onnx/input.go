package onnx

import (
	"fmt"

	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
)

// reading says how a model reads its input: raw steps of so many channels, made into
// so many steps of the model.
type reading struct {
	raw, channels, frames int
	lengths               bool // whether a series may be shorter than raw
	pipeline              preprocess.Pipeline
}

// rawMost bounds the raw steps of a sequence, which a file may name at will.
const rawMost = 1 << 20

// readingOf says how m reads: as many raw steps as the longest series had that the
// pipeline was fitted to, and if they all had as many, no other. Where that is not
// known, the raw steps of a full window.
func readingOf(m *packed.Model) (reading, error) {
	if m.Input == nil {
		n := m.Spec.WindowSize
		p := preprocess.Pipeline{Frame: 1, Hop: 1, Window: n}
		return reading{raw: n, channels: m.Spec.EmbedDim, frames: n, lengths: n > 1, pipeline: p}, nil
	}
	p := *m.Input
	raw := p.Longest
	if raw == 0 {
		if p.Hop > rawMost/p.Window {
			return reading{}, fmt.Errorf("input: %d hops of %d steps, want at most %d steps", p.Window, p.Hop, rawMost)
		}
		raw = p.Frame + (p.Window-1)*p.Hop
	}
	if raw < 1 || raw > rawMost {
		return reading{}, fmt.Errorf("input: series of %d steps, want 1 to %d", raw, rawMost)
	}
	return reading{raw, len(p.Channels), p.Steps(raw), p.Shortest != p.Longest || p.Longest == 0, p}, nil
}

// input makes what the model reads of the graph's inputs, [N, n, E]: of a series that is
// shorter its steps in front, and the last one again behind them. So positions count from
// the first real step, and a causal mask keeps those behind from every real one.
func (t *translator) input() value {
	r := &t.reading
	x := value("input")
	t.inputs = []valueInfo{{"input", typeFloat, []dimension{batchDimension, {size: int64(r.raw)}, {size: int64(r.channels)}}}}
	if r.lengths {
		t.inputs = append(t.inputs, valueInfo{"lengths", typeInt64, []dimension{batchDimension}})
		t.count = t.unsqueeze("lengths", 1) // [N, 1]
	}
	t.batch = t.op("Slice", t.op("Shape", x), t.ints(0), t.ints(1))
	x = t.filled(x)
	if r.lengths {
		x = t.ownFrames(x)
	} else {
		x = t.frames(x)
	}
	if r.pipeline.Center {
		x = t.centred(x)
	}
	if s := r.pipeline.Inputs; s != nil {
		x = t.scaled(x, s.Mean, s.Std)
	}
	t.judge(x)
	return x
}

// filled scales the channels and fills in what is missing, carried from step to step, or
// marks a series as refused where nothing may be. Steps before a series are 0, the mean.
func (t *translator) filled(x value) value {
	r := &t.reading
	if t.model.Input == nil {
		return x
	}
	x = t.scaled(x, r.pipeline.Scale.Mean, r.pipeline.Scale.Std)
	if r.lengths {
		raw := int64(r.raw)
		inSeries := t.op("GreaterOrEqual", t.upTo(r.raw, raw), t.op("Sub", t.int(raw), t.count)) // [N, raw]
		x = t.op("Where", t.unsqueeze(inSeries, 2), x, t.float(0))
	}
	if r.pipeline.Missing {
		return t.carried(x)
	}
	t.refuse(t.total(t.op("Where", t.op("IsNaN", x), x, t.float(0))))
	return x
}

// frames takes the steps of each frame of series that are all as long as raw.
func (t *translator) frames(x value) value {
	r := &t.reading
	p := &r.pipeline
	if p.Frame == 1 && p.Hop == 1 && r.frames == r.raw {
		return x
	}
	starts := make([]int64, r.frames)
	for f := range starts {
		starts[f] = int64(r.raw - p.Frame - (r.frames-1-f)*p.Hop)
	}
	steps := t.op("Add", t.constant(typeInt64, rawInts(starts), int64(r.frames), 1), t.upTo(p.Frame, int64(p.Frame)))
	x = t.gather(x, t.op("Max", steps, t.int(0)), 1) // [N, n, frame, channels]
	return t.reshape(x, 0, int64(r.frames), int64(p.Frame*r.channels))
}

// ownFrames is frames for series of lengths of their own, whose last step is the last
// of raw; it sets which frames are real. The first step of a series that is shorter than
// a frame stands before it too.
func (t *translator) ownFrames(x value) value {
	r := &t.reading
	p := &r.pipeline
	raw, n, frame, hop := int64(r.raw), int64(r.frames), int64(p.Frame), int64(p.Hop)
	first := t.op("Sub", t.int(raw), t.count) // [N, 1]
	t.count = t.op("Max", t.op("Sub", t.count, t.int(frame)), t.int(0))
	t.count = t.op("Min", t.op("Add", t.op("Div", t.count, t.int(hop)), t.int(1)), t.int(n))
	t.real = t.op("Less", t.upTo(r.frames, n), t.count)                        // [N, n]
	behind := t.op("Sub", t.op("Sub", t.count, t.int(1)), t.upTo(r.frames, n)) // frames behind each
	start := t.op("Sub", t.int(raw-frame), t.op("Mul", behind, t.int(hop)))    // [N, n]
	steps := t.op("Add", t.unsqueeze(start, 2), t.upTo(p.Frame, frame))        // [N, n, frame]
	steps = t.op("Min", t.op("Max", steps, t.unsqueeze(first, 2)), t.int(raw-1))
	x = t.gatherSteps(x, t.unsqueeze(t.op("Max", steps, t.int(0)), 3)) // [N, n, frame, channels]
	return t.reshape(x, 0, n, int64(p.Frame*r.channels))
}

// centred takes the mean of each channel in a frame out, and puts it behind the frame.
func (t *translator) centred(x value) value {
	r := &t.reading
	n, frame, channels := int64(r.frames), int64(r.pipeline.Frame), int64(r.channels)
	x = t.cast(t.reshape(x, 0, n, frame, channels), typeDouble)
	zeros := t.cast(t.zeros(t.batch, n, channels), typeDouble)
	sum := t.scan(zeros, typeDouble, []value{x}, []int64{2}, func(b *graph, sum value, in []value) []value {
		return []value{b.op("Add", sum, in[0])}
	})[0]
	mean := t.op("Div", sum, t.double(float64(frame)))
	x = t.cast(t.op("Sub", x, t.unsqueeze(mean, 2)), typeFloat)
	return t.with("Concat", []attribute{intAttribute("axis", -1)}, t.reshape(x, 0, n, frame*channels), t.cast(mean, typeFloat))
}

// carried puts in the place of NaN the value of the step before, and 0 before any.
func (t *translator) carried(x value) value {
	zeros := t.zeros(t.batch, int64(t.reading.channels))
	return t.scan(zeros, typeFloat, []value{x}, []int64{1}, func(b *graph, before value, in []value) []value {
		filled := b.op("Where", b.op("IsNaN", in[0]), before, in[0])
		return []value{filled, b.op("Identity", filled)}
	})[1]
}

// judge refuses what infer refuses: a value that is not finite, or a length that does
// not fit.
func (t *translator) judge(x value) {
	t.refuse(t.total(t.op("Mul", x, t.float(0))))
	if t.reading.lengths {
		fits := t.op("And", t.op("GreaterOrEqual", "lengths", t.int(1)), t.op("LessOrEqual", "lengths", t.int(int64(t.reading.raw))))
		t.refuse(t.op("Where", fits, t.float(0), t.float(notANumber)))
	}
}

// total is the sum of all that a series has: x [N, n, E], the result [N].
func (t *translator) total(x value) value {
	return t.with("ReduceSum", []attribute{intAttribute("keepdims", 0)}, x, t.ints(1, 2))
}

// refuse adds to t.fault: 0 for a series that is taken, else NaN.
func (t *translator) refuse(fault value) {
	if t.fault != "" {
		fault = t.op("Add", t.fault, fault)
	}
	t.fault = fault
}
