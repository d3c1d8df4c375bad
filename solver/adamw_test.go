package solver_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/solver"
)

// driftTolerance bounds |float32 weight - float64 weight| after referenceSteps
// steps of weights below 4: a step rounds a weight twice, by at most 2^-23
// each (half an ulp), and its update relatively by about 2^-21, of 0.03.
const (
	referenceSteps = 60
	driftTolerance = referenceSteps * (2*0x1p-23 + 0.03*0x1p-21)
)

// normTolerance is relative: a norm summed in another order in float64, of
// some hundred squares.
const normTolerance = 1e-13

// reference is AdamW of one parameter in float64, written from the paper.
type reference struct {
	w, m, v []float64
}

type settings struct {
	b1, b2, eps, decay, clip float64
	rate                     func(step int) float64
	decays                   func(i int) bool
}

func (r *reference) step(g []float32, t int, scale, decay float64, k settings) {
	for i := range r.w {
		gi := float64(g[i]) * scale
		r.m[i] = k.b1*r.m[i] + (1-k.b1)*gi
		r.v[i] = k.b2*r.v[i] + (1-k.b2)*gi*gi
		mhat := r.m[i] / (1 - math.Pow(k.b1, float64(t)))
		vhat := r.v[i] / (1 - math.Pow(k.b2, float64(t)))
		r.w[i] -= k.rate(t) * (mhat/(math.Sqrt(vhat)+k.eps) + decay*r.w[i])
	}
}

func globalNorm(gs [][]float32) float64 {
	sum := 0.0
	for _, g := range gs {
		for _, x := range g {
			sum += float64(x) * float64(x)
		}
	}
	return math.Sqrt(sum)
}

func referenceCases() map[string]struct {
	opts []solver.Option
	settings
} {
	flat := func(lr float64) func(int) float64 { return func(int) float64 { return lr } }
	plain := func(i int) bool { return i < 2 }
	return map[string]struct {
		opts []solver.Option
		settings
	}{
		"defaults": {nil, settings{0.9, 0.999, 1e-8, 0.01, 0, flat(1e-3), plain}},
		"decay": {
			[]solver.Option{solver.WithLearnRate(0.02), solver.WithWeightDecay(0.5)},
			settings{0.9, 0.999, 1e-8, 0.5, 0, flat(0.02), plain},
		},
		"no_decay": {
			[]solver.Option{solver.WithLearnRate(0.02), solver.WithWeightDecay(0)},
			settings{0.9, 0.999, 1e-8, 0, 0, flat(0.02), plain},
		},
		"decay_rule": {
			[]solver.Option{solver.WithWeightDecay(9), solver.WithDecay(func(name string, dims int) bool {
				return name == "temperature" || dims == 3
			})},
			settings{0.9, 0.999, 1e-8, 9, 0, flat(1e-3), func(i int) bool { return i == 1 || i == 4 }},
		},
		"clip_betas_eps": {
			[]solver.Option{solver.WithClipNorm(0.7), solver.WithBetas(0.8, 0.95), solver.WithEps(1e-3)},
			settings{0.8, 0.95, 1e-3, 0.01, 0.7, flat(1e-3), plain},
		},
		"clip_above_norm": {
			[]solver.Option{solver.WithClipNorm(1e3)},
			settings{0.9, 0.999, 1e-8, 0.01, 1e3, flat(1e-3), plain},
		},
		"zero_betas": {
			[]solver.Option{solver.WithBetas(0, 0), solver.WithEps(1e-2)},
			settings{0, 0, 1e-2, 0.01, 0, flat(1e-3), plain},
		},
		"cosine": {
			[]solver.Option{solver.WithSchedule(solver.Cosine(0.03, 7, 53)), solver.WithClipNorm(0.7), solver.WithWeightDecay(0.3)},
			settings{0.9, 0.999, 1e-8, 0.3, 0.7, func(t int) float64 {
				switch {
				case t < 7:
					return 0.03 / 7 * float64(t)
				case t > 53:
					return 0
				}
				return 0.015 * (1 + math.Cos(math.Pi*float64(t-7)/46))
			}, plain},
		},
	}
}

func TestAdamWMatchesFloat64(t *testing.T) {
	const seed = 11
	for name, c := range referenceCases() {
		t.Run(name, func(t *testing.T) {
			s := newSolver(t, c.opts...)
			m := newModel(seed)
			var refs []*reference
			for _, w := range m.weights() {
				r := &reference{m: make([]float64, len(w)), v: make([]float64, len(w))}
				for _, x := range w {
					r.w = append(r.w, float64(x))
				}
				refs = append(refs, r)
			}
			for step := 1; step <= referenceSteps; step++ {
				m.setGradients(seed, step)
				gs := m.gradients()
				norm, scale := globalNorm(gs), 1.0
				if c.clip > 0 && norm > c.clip {
					scale = c.clip / norm
				}
				for i, r := range refs {
					decay := 0.0
					if c.settings.decays(i) {
						decay = c.settings.decay
					}
					r.step(gs[i], step, scale, decay, c.settings)
				}
				require.NoError(t, s.Step(m.valueGrads()))
				assert.InEpsilon(t, norm, s.GradNorm(), normTolerance)
			}
			for i, w := range m.weights() {
				for j := range w {
					require.InDelta(t, refs[i].w[j], w[j], driftTolerance, "%s[%d]", m[i].name, j)
				}
			}
			assert.Equal(t, referenceSteps, s.Steps())
			assert.InDelta(t, c.rate(referenceSteps), s.LearnRate(), 1e-15)
		})
	}
}

func TestNewAdamWStartsAtZero(t *testing.T) {
	s := newSolver(t)
	assert.Zero(t, s.Steps())
	assert.Zero(t, s.LearnRate())
	assert.Zero(t, s.GradNorm())
	assert.Equal(t, solver.State{}, s.State())
}
