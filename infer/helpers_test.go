package infer

import (
	"fmt"
	"math"
	"testing"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/packed"
	"github.com/qat-go/qat/preprocess"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// numbers returns n normal numbers, the same on every CPU for the same seed.
func numbers(seed uint64, n int) []float32 {
	key, x := kernel.NewKey(seed, 0, "numbers"), make([]float32, n)
	for i := range x {
		x[i] = key.Normal(uint64(i))
	}
	return x
}

func ternary() spec.Model {
	return spec.Model{EmbedDim: 3, HiddenSize: 22, NumHeads: 11, NumLayers: 2, WindowSize: 13, Quantize: quant.Ternary}
}

// newPacked returns a packed model with random codes and parameters, and with a head
// where it has a width.
func newPacked(t testing.TB, s spec.Model, width int) *packed.Model {
	t.Helper()
	require.NoError(t, s.Validate())
	p := &packed.Model{Spec: s}
	params := s.Params()
	if width > 0 {
		p.Head = &packed.Head{Width: width}
		params = append(params, spec.Linear("head", s.HiddenSize, width, quant.Float)...)
	}
	for i, ps := range params {
		values := numbers(uint64(100+i), ps.Len())
		if ps.Mode == quant.Float {
			p.Tensors = append(p.Tensors, packed.Tensor{Name: ps.Name, Shape: ps.Shape, Values: values})
			continue
		}
		codes, out := make([]float32, len(values)), ps.Shape[1]
		scales := make([]float32, s.Granularity.Scales(out))
		require.NoError(t, quant.QuantizeWeight(codes, values, out, ps.Mode, s.Granularity, scales))
		for j := range scales {
			scales[j] /= 5 // so that activations stay near 1
			if s.Numerics == spec.Edifice && (ps.Mode == quant.Binary || ps.Mode == quant.Ternary) {
				scales[j] = 1
			}
		}
		w, err := packed.Pack(ps.Name, ps.Mode, ps.Shape[0], out, codes, scales)
		require.NoError(t, err)
		p.Weights = append(p.Weights, w)
	}
	return p
}

func newModel(t testing.TB, s spec.Model, width int) *Model {
	t.Helper()
	return ready(t, newPacked(t, s, width))
}

func ready(t testing.TB, p *packed.Model) *Model {
	t.Helper()
	m, err := New(p)
	require.NoError(t, err)
	return m
}

// pipeline makes windows of the spec's size; it sets the spec's embed size.
func pipeline(s *spec.Model, channels, frame, hop int, center bool) *preprocess.Pipeline {
	p := &preprocess.Pipeline{Frame: frame, Hop: hop, Center: center, Window: s.WindowSize, Missing: true, Scale: preprocess.Identity(channels)}
	for c := range channels {
		p.Channels = append(p.Channels, fmt.Sprint("x", c))
		p.Scale.Mean[c], p.Scale.Std[c] = 0.25*float64(c), 1+0.5*float64(c)
	}
	inputs := preprocess.Identity(p.Features())
	inputs.Std[0], inputs.Mean[0] = 2, 0.125
	p.Inputs = &inputs
	s.EmbedDim = p.Features()
	return p
}

// predict returns a model's outputs for x.
func predict(t testing.TB, m *Model, x []float32) []float32 {
	t.Helper()
	y, err := m.Predict(nil, x)
	require.NoError(t, err)
	return y
}

// requireBits requires equality to the bit.
func requireBits(t testing.TB, want, got []float32, what string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want), what, args)
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf(what+": output %d: got %v (%#x), want %v (%#x)", append(args, i,
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))...)
		}
	}
}

// everyPooling and everyPosition are spec's.
var (
	everyPooling  = []spec.Pooling{spec.LastTimestep, spec.Mean, spec.AllTimesteps}
	everyPosition = []spec.Positions{spec.NoPositions, spec.Rotary, spec.Learned}
)
