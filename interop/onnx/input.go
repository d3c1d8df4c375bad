package onnx

import (
	"math"

	"github.com/qat-go/qat/preprocess"
)

// takesLengths reports whether sequences of several lengths go into the model, which
// then has an input for them; length is the most steps, as recorded.
func takesLengths(p *preprocess.Pipeline, window int) (lengths bool, length int) {
	switch {
	case p == nil:
		return window > 1, window
	case p.Longest > 0:
		return p.Shortest != p.Longest, p.Longest
	}
	length = p.Frame + (p.Window-1)*p.Hop
	return length > 1, length
}

// read makes of what was recorded, [N, S, C] with real steps at the end, what the model
// reads, [N, T, E] with real steps at the beginning. It sets t.steps and t.real.
func (t *translation) read(x value, p *preprocess.Pipeline, channels int) value {
	frame, hop := 1, 1
	if p != nil {
		frame, hop = p.Frame, p.Hop
		if p.Scale.Mean != nil {
			x = t.scale(x, p.Scale)
		}
	}
	if !t.lengths {
		t.steps = t.spec.WindowSize
		if p != nil {
			t.steps = p.Steps(t.length)
			x = t.fill(x, p, "")
		}
		at := make([]int, 0, t.steps*frame)
		for f := range t.steps {
			for k := range frame {
				at = append(at, max(0, t.length-frame-(t.steps-1-f)*hop+k))
			}
		}
		return t.features(t.gather(x, 1, t.ints(at...)), p, channels)
	}
	t.steps = t.spec.WindowSize
	n := value("lengths")
	start := t.unsqueeze(t.op("Sub", t.int(t.length), n), 1) // [N, 1]
	t.real = n
	if p != nil {
		t.steps = p.Steps(t.length)
		x = t.fill(x, p, start)
		more := t.op("Max", t.op("Sub", n, t.int(frame)), t.int(0))
		t.real = t.op("Min", t.op("Add", t.op("Div", more, t.int(hop)), t.int(1)), t.int(t.steps))
	}
	// Frame f of a sequence begins at S - frame - (real-1-f)*hop.
	at := make([]int, 0, t.steps*frame)
	for f := range t.steps {
		for k := range frame {
			at = append(at, t.length-frame+f*hop+k)
		}
	}
	before := t.op("Mul", t.unsqueeze(t.op("Sub", t.real, t.int(1)), 1), t.int(hop))
	index := t.op("Sub", t.ints(at...), before) // [N, T*frame]
	index = t.op("Min", t.op("Max", index, start), t.int(t.length-1))
	return t.features(t.along(x, index, channels), p, channels)
}

// along picks of x [N, steps, n] the steps of an index [N, k] of each sequence.
func (t *translation) along(x, index value, n int) value {
	wide := t.op("Expand", t.unsqueeze(index, 2), t.ints(1, 1, n))
	return t.ops(1, "GatherElements", []value{x, wide}, number("axis", 1))[0]
}

// scale is preprocess.Scaler's Apply along the last axis, in float64.
func (t *translation) scale(x value, s preprocess.Scaler) value {
	d := t.op("Sub", t.cast(x, typeDouble), t.doubles(s.Mean, len(s.Mean)))
	return t.cast(t.op("Div", d, t.doubles(s.Std, len(s.Std))), typeFloat)
}

// fill puts the last value before in place of a missing one of x [N, S, C], scaled, and
// 0 where there is none. Steps before start, if it is set, are none.
func (t *translation) fill(x value, p *preprocess.Pipeline, start value) value {
	if !p.Missing {
		return x
	}
	nan := t.float(float32(math.NaN()))
	if start != "" {
		real := t.op("GreaterOrEqual", t.ints(counting(t.length)...), start) // [N, S]
		x = t.op("Where", t.unsqueeze(real, 2), x, nan)
	}
	// Each round looks twice as far back.
	for back := 1; back < t.length; back *= 2 {
		before := t.op("Pad", t.slice(x, 1, 0, t.length-back), t.ints(0, back, 0, 0, 0, 0), nan)
		x = t.op("Where", t.op("IsNaN", x), before, x)
	}
	return t.op("Where", t.op("IsNaN", x), t.float(0), x)
}

// guard puts zeros in place of what is not finite in x [N, T, E], which nothing further
// on has to bear, and sets t.refused.
func (t *translation) guard(x value) value {
	finite := t.op("LessOrEqual", t.op("Abs", x), t.float(math.MaxFloat32))
	bad := t.cast(t.op("Not", finite), typeFloat)
	t.refused = t.op("Greater", t.largest(t.reshape(bad, 0, t.steps*t.spec.EmbedDim), 1), t.float(0))
	return t.op("Where", finite, x, t.float(0))
}

// features makes the model's input of frames' steps [N, T*frame, C].
func (t *translation) features(x value, p *preprocess.Pipeline, channels int) value {
	if p == nil {
		return x
	}
	if p.Center {
		x = t.reshape(x, 0, t.steps, p.Frame, channels)
		wide := t.cast(x, typeDouble)
		mean := t.op("Div", t.chain(t.each(wide, 2, p.Frame)), t.doubles([]float64{float64(p.Frame)}))
		x = t.cast(t.concat(2, t.op("Sub", wide, mean), mean), typeFloat)
	}
	x = t.reshape(x, 0, t.steps, p.Features())
	if p.Inputs != nil {
		x = t.scale(x, *p.Inputs)
	}
	return x
}
