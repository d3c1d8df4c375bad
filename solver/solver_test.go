package solver_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/solver"
)

// model is a list of parameters under one's own hand.
type model []*leaf

// leaf is a named parameter that is not a node.
type leaf struct {
	name        string
	value, grad gorgonia.Value
	err         error
}

func (l *leaf) Name() string                  { return l.name }
func (l *leaf) Value() gorgonia.Value         { return l.value }
func (l *leaf) Grad() (gorgonia.Value, error) { return l.grad, l.err }

func (m model) valueGrads() []gorgonia.ValueGrad {
	vgs := make([]gorgonia.ValueGrad, len(m))
	for i, l := range m {
		vgs[i] = l
	}
	return vgs
}

// floats is the storage of a float32 value.
func floats(v gorgonia.Value) []float32 {
	if s, ok := v.(*gorgonia.F32); ok {
		return []float32{float32(*s)}
	}
	return v.(*tensor.Dense).Float32s()
}

func (m model) weights() [][]float32 {
	var w [][]float32
	for _, l := range m {
		w = append(w, slices.Clone(floats(l.value)))
	}
	return w
}

func (m model) gradients() [][]float32 {
	var g [][]float32
	for _, l := range m {
		g = append(g, slices.Clone(floats(l.grad)))
	}
	return g
}

func normals(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * r.NormFloat64())
	}
	return x
}

func dense(x []float32, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// newModel has a parameter of every kind, of which only the first two decay by
// default.
func newModel(seed uint64) model {
	r := rand.New(rand.NewPCG(seed, 1))
	of := func(name string, shape ...int) *leaf {
		n := tensor.Shape(shape).TotalSize()
		return &leaf{name: name, value: dense(normals(r, n, 0.5), shape...), grad: dense(make([]float32, n), shape...)}
	}
	return model{
		of("blocks.0.attn.qkv.weight", 11, 13),
		of("kernel", 11, 13, 17),
		of("positions.weight", 19, 11),
		of("blocks.0.attn.qkv.bias", 13),
		{name: "temperature", value: gorgonia.NewF32(0.75), grad: gorgonia.NewF32(0)},
	}
}

// setGradients writes the gradients of a step; they depend on seed and step.
func (m model) setGradients(seed uint64, step int) {
	r := rand.New(rand.NewPCG(seed, uint64(step)))
	for _, l := range m {
		if s, ok := l.grad.(*gorgonia.F32); ok {
			*s = gorgonia.F32(0.1 * r.NormFloat64())
			continue
		}
		g := floats(l.grad)
		copy(g, normals(r, len(g), 0.1))
	}
}

// run steps from step first to step last.
func run(t *testing.T, s *solver.AdamW, m model, seed uint64, first, last int) {
	t.Helper()
	vgs := m.valueGrads()
	for step := first; step <= last; step++ {
		m.setGradients(seed, step)
		require.NoError(t, s.Step(vgs), "step %d, seed %d", step, seed)
	}
}

func newSolver(t testing.TB, opts ...solver.Option) *solver.AdamW {
	t.Helper()
	s, err := solver.NewAdamW(opts...)
	require.NoError(t, err)
	return s
}
