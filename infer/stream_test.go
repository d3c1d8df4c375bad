package infer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streamed is a model to stream to, and how many channels a frame has.
type streamed struct {
	name string
	m    *Model
}

// streamedModels has every pooling and kind of positions, and pipelines whose steps
// are frames, and others.
func streamedModels(t *testing.T) (all []streamed) {
	for _, pooling := range everyPooling {
		for _, positions := range everyPosition {
			s := ternary()
			s.Pooling, s.Positions = pooling, positions
			all = append(all, streamed{fmt.Sprint(pooling, "/", positions), newModel(t, s, 5)})
		}
		for _, f := range []struct {
			frame, hop int
			center     bool
		}{{1, 1, false}, {1, 1, true}, {1, 3, false}, {3, 1, true}, {4, 2, false}, {2, 5, true}} {
			s := ternary()
			s.Pooling, s.WindowSize = pooling, 5
			in := pipeline(&s, 2, f.frame, f.hop, f.center)
			p := newPacked(t, s, 0)
			p.Input = in
			all = append(all, streamed{fmt.Sprintf("%v/frame_%d_hop_%d_%v", pooling, f.frame, f.hop, f.center), ready(t, p)})
		}
	}
	s := ternary()
	s.Quantize, s.Activations, s.WindowSize = quant.Float, spec.FloatActivations, 1
	return append(all, streamed{"float", newModel(t, s, 0)})
}

// TestStream: after each frame the answer is Predict's on all frames with a
// pipeline, on the last T without, whenever it was asked before.
func TestStream(t *testing.T) {
	for i, c := range streamedModels(t) {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			channels, window := c.m.Channels(), c.m.spec.WindowSize
			s := c.m.NewStream()
			rounds := 3 // each with other questions
			if testing.Short() {
				rounds = 1
			}
			for round := range rounds {
				var all []float32
				for n := 1; n <= 5*window; n++ {
					frame := numbers(rng.Uint64(), channels)
					if c.m.input != nil && (n < 3 || rng.IntN(3) == 0) { // from the start, too
						frame[rng.IntN(channels)] = nan
					}
					all = append(all, frame...)
					require.NoError(t, s.Push(frame))
					if round > 0 && rng.IntN(3*round) > 0 {
						continue
					}
					x := all
					if c.m.input == nil {
						x = all[max(0, n-window)*channels:]
					}
					got, err := s.Predict(nil)
					require.NoError(t, err)
					requireBits(t, predict(t, c.m, x), got, "round %d, frame %d", round, n)
					again, err := s.Predict(nil)
					require.NoError(t, err)
					requireBits(t, got, again, "round %d, frame %d, asked again", round, n)
				}
				s.Reset()
			}
		})
	}
}

// While the window fills, a frame costs one step: the steps before it are not
// computed again. Broken caches show that they were read.
func TestStream_caches(t *testing.T) {
	for _, pooling := range everyPooling {
		spec := ternary()
		spec.Pooling = pooling
		m := newModel(t, spec, 0)
		s := m.NewStream()
		x := numbers(1, 3*3)
		for i := range 2 {
			require.NoError(t, s.Push(x[3*i:3*i+3]))
		}
		_, err := s.Predict(nil)
		require.NoError(t, err)
		for i := range s.caches {
			for j := range s.caches[i].values {
				s.caches[i].values[j] += 100
			}
		}
		require.NoError(t, s.Push(x[6:]))
		got, err := s.Predict(nil)
		require.NoError(t, err)
		want := predict(t, m, x)
		assert.NotEqual(t, want[len(want)-22:], got[len(got)-22:], "%v", pooling)
	}
}

// A stream that goes on for ever keeps what the window spans, and no caches.
func TestStream_memory(t *testing.T) {
	s := ternary()
	s.WindowSize = 5
	in := pipeline(&s, 2, 4, 2, false)
	p := newPacked(t, s, 0)
	p.Input = in
	stream := ready(t, p).NewStream()
	for range 1000 {
		require.NoError(t, stream.Push([]float32{1, 2}))
	}
	assert.Equal(t, 4*2+4, stream.Len())
	assert.LessOrEqual(t, len(stream.frames), 2*2*stream.Len())

	stream = newModel(t, s, 0).NewStream()
	for range 6 {
		require.NoError(t, stream.Push(make([]float32, s.EmbedDim)))
		_, err := stream.Predict(nil)
		require.NoError(t, err)
	}
	assert.Equal(t, 5, stream.Len())
	assert.Nil(t, stream.caches)

	// Steps that lie further apart than an int can count.
	in.Hop = 1 << 30
	p.Input = in
	stream = ready(t, p).NewStream()
	for n := range 9 {
		require.NoError(t, stream.Push([]float32{1, float32(n)}))
	}
	assert.Equal(t, 9, stream.Len())
	_, err := stream.Predict(nil)
	require.NoError(t, err)
}

func TestStream_errors(t *testing.T) {
	m := newModel(t, ternary(), 5)
	s := m.NewStream()
	_, err := s.Predict(nil)
	require.EqualError(t, err, "infer: the stream is empty: want a frame")
	frames := numbers(1, 6)
	require.NoError(t, s.Push(frames[:3]))
	require.EqualError(t, s.Push(make([]float32, 2)), "infer: a frame of 2 values, want 3 channels")
	require.EqualError(t, s.Push([]float32{0, nan, inf}), "infer: channel 1 is NaN, not a finite number")
	require.EqualError(t, s.Push([]float32{0, 0, -inf}), "infer: channel 2 is -Inf, not a finite number")
	require.NoError(t, s.Push(frames[3:]))
	got, err := s.Predict(nil)
	require.NoError(t, err)
	requireBits(t, predict(t, m, frames), got, "as if nothing had been refused")

	sp := ternary()
	in := pipeline(&sp, 2, 1, 1, false)
	p := newPacked(t, sp, 0)
	p.Input = in
	s = ready(t, p).NewStream()
	require.EqualError(t, s.Push([]float32{nan, inf}), "infer: channel 1 is +Inf, not a finite number")
	require.NoError(t, s.Push([]float32{nan, nan}))
	in.Missing = false
	require.EqualError(t, s.Push([]float32{1, nan}), "infer: channel 1 is NaN, not a finite number")
}

func TestStream_allocations(t *testing.T) {
	for _, c := range streamedModels(t) {
		s := c.m.NewStream()
		frame, dst := make([]float32, c.m.Channels()), make([]float32, c.m.spec.WindowSize*c.m.Width())
		push := func() {
			require.NoError(t, s.Push(frame))
			_, err := s.Predict(dst)
			require.NoError(t, err)
		}
		for range 2*s.most + 2 { // until its memory has grown
			push()
		}
		assert.Zero(t, testing.AllocsPerRun(100, push), c.name)
	}
}

func BenchmarkStream(b *testing.B) {
	sp := spec.Model{EmbedDim: 8, HiddenSize: 256, NumHeads: 4, NumLayers: 4, WindowSize: 60, Quantize: quant.Ternary}
	m := newModel(b, sp, 5)
	x := numbers(1, 60*8)
	b.Run("window_fills", func(b *testing.B) { // a frame, the mean over the window
		s := m.NewStream()
		dst := make([]float32, 5)
		for b.Loop() {
			s.Reset()
			for i := range 60 {
				if err := s.Push(x[8*i : 8*i+8]); err != nil {
					b.Fatal(err)
				}
				if _, err := s.Predict(dst); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(60*b.N), "ns/frame")
	})
	b.Run("predict", func(b *testing.B) {
		dst := make([]float32, 5)
		for b.Loop() {
			if _, err := m.Predict(dst, x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
