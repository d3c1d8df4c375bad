package solver_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/solver"
)

// unchanged steps the faulty model and checks the error, and that nothing of
// the solver and the sound model changed.
func unchanged(t *testing.T, s *solver.AdamW, sound, faulty model, want string) {
	t.Helper()
	refuses(t, s, sound, faulty.valueGrads(), want)
}

func refuses(t *testing.T, s *solver.AdamW, sound model, faulty []gorgonia.ValueGrad, want string) error {
	t.Helper()
	weights, grads, state := sound.weights(), sound.gradients(), s.State()
	rate, norm := s.LearnRate(), s.GradNorm()
	err := s.Step(faulty)
	require.ErrorContains(t, err, want)
	assert.Equal(t, weights, sound.weights(), "weights changed")
	assert.Equal(t, grads, sound.gradients(), "gradients changed")
	assert.Equal(t, state, s.State(), "state changed")
	assert.Equal(t, rate, s.LearnRate())
	assert.Equal(t, norm, s.GradNorm())
	return err
}

var errNoGrad = errors.New("not run yet")

func zeros(shape ...int) *tensor.Dense {
	return dense(make([]float32, tensor.Shape(shape).TotalSize()), shape...)
}

func transposed(t *testing.T) *tensor.Dense {
	d := zeros(13, 11)
	require.NoError(t, d.T())
	return d
}

func columns(t *testing.T) tensor.Tensor {
	d, err := zeros(11, 19).Slice(nil, tensor.S(0, 13))
	require.NoError(t, err)
	return d
}

func masked() *tensor.Dense {
	d := zeros(11, 13)
	d.SetMask(make([]bool, 11*13))
	return d
}

func TestStepRefusesParameters(t *testing.T) {
	float64s := tensor.New(tensor.WithShape(11, 13), tensor.WithBacking(make([]float64, 11*13)))
	colMajor := tensor.New(tensor.WithShape(11, 13), tensor.Of(tensor.Float32), tensor.AsFortran(nil))
	const other = "want a float32 *tensor.Dense or *gorgonia.F32"
	const pieces = "of shape [11 13] is transposed, masked, in pieces or not in memory, want it row-major and in one piece"
	for name, c := range map[string]struct {
		leaf leaf
		want string
	}{
		"unnamed":          {leaf{"", zeros(11), zeros(11), nil}, "solver: parameter 5 of the model has no name"},
		"twice":            {leaf{"kernel", zeros(11), zeros(11), nil}, "solver: kernel: two parameters of the model have this name"},
		"no_value":         {leaf{"x", nil, zeros(11), nil}, "solver: x: no value"},
		"nil_value":        {leaf{"x", (*tensor.Dense)(nil), zeros(11), nil}, "solver: x: value is nil"},
		"no_gradient":      {leaf{"x", zeros(11), nil, nil}, "solver: x: no gradient"},
		"gradient_error":   {leaf{"x", zeros(11), nil, errNoGrad}, "solver: x: no gradient: not run yet"},
		"nil_gradient":     {leaf{"x", zeros(11), (*tensor.Dense)(nil), nil}, "solver: x: gradient is nil"},
		"nil_scalar":       {leaf{"x", zeros(), (*gorgonia.F32)(nil), nil}, "solver: x: gradient is nil"},
		"float64_value":    {leaf{"x", float64s, zeros(11, 13), nil}, "solver: x: value is of type float64, want float32"},
		"float64_gradient": {leaf{"x", zeros(11, 13), float64s, nil}, "solver: x: gradient is of type float64, want float32"},
		"float64_scalar":   {leaf{"x", gorgonia.NewF64(1), gorgonia.NewF64(1), nil}, "solver: x: value is a *gorgonia.F64, " + other},
		"shapes":           {leaf{"x", zeros(11, 13), zeros(13, 11), nil}, "solver: x: gradient of shape [13 11] for a value of shape [11 13]"},
		"scalar_gradient":  {leaf{"x", zeros(11), gorgonia.NewF32(1), nil}, "solver: x: gradient of shape [] for a value of shape [11]"},
		"transposed":       {leaf{"x", zeros(11, 13), transposed(t), nil}, "solver: x: gradient " + pieces},
		"slice":            {leaf{"x", columns(t), zeros(11, 13), nil}, "solver: x: value " + pieces},
		"masked":           {leaf{"x", zeros(11, 13), masked(), nil}, "solver: x: gradient " + pieces},
		"column_major":     {leaf{"x", zeros(11, 13), colMajor, nil}, "solver: x: gradient " + pieces},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := newSolver(t), newModel(41)
			run(t, s, m, 41, 1, 2)
			m.setGradients(41, 3)
			faulty := append(m[:len(m):len(m)], &c.leaf)
			err := refuses(t, s, m, faulty.valueGrads(), c.want)
			if c.leaf.err != nil {
				assert.ErrorIs(t, err, c.leaf.err)
			}

			// The failed step leaves no trace in the steps that follow.
			clean, r := newModel(41), newSolver(t)
			run(t, s, m, 41, 3, 5)
			run(t, r, clean, 41, 1, 5)
			assert.Equal(t, clean.weights(), m.weights())
			assert.Equal(t, r.State(), s.State())
		})
	}
}

type nameless struct{ gorgonia.ValueGrad }

func TestStepRefusesNodes(t *testing.T) {
	g := gorgonia.NewGraph()
	unnamed := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(11), gorgonia.WithValue(zeros(11)))
	named := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithShape(11),
		gorgonia.WithValue(zeros(11)))
	for name, c := range map[string]struct {
		vg   gorgonia.ValueGrad
		want string
	}{
		"nil":         {nil, "solver: parameter 0 of the model has no name: <nil> is not a gorgonia.Namer"},
		"nil_node":    {(*gorgonia.Node)(nil), "solver: parameter 0 of the model is nil"},
		"not_a_namer": {nameless{&leaf{}}, "solver: parameter 0 of the model has no name: solver_test.nameless is not a gorgonia.Namer"},
		"unnamed":     {unnamed, "solver: parameter 0 of the model has no name"},
		"computed":    {gorgonia.Must(gorgonia.Square(named)), "which is computed: only leaves can be stepped"},
		"no_gradient": {named, "solver: x: no gradient: "},
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, newSolver(t), nil, []gorgonia.ValueGrad{c.vg}, c.want)
		})
	}
	refuses(t, newSolver(t), nil, nil, "solver: no parameters to step")
}

func TestStepRefusesOtherShapeThanMoments(t *testing.T) {
	s, m := newSolver(t), newModel(43)
	run(t, s, m, 43, 1, 1)
	faulty := append(model{}, m...)
	faulty[0] = &leaf{name: m[0].name, value: zeros(13, 11), grad: zeros(13, 11)}
	unchanged(t, s, m, faulty, "solver: blocks.0.attn.qkv.weight: value of shape [13 11], but the moments are of shape [11 13]")
}

func TestStepRefusesGradients(t *testing.T) {
	for name, c := range map[string]struct {
		x    float32
		clip float64
		want string
	}{
		"nan":      {float32(math.NaN()), 0, "solver: kernel: gradient is not finite: element 1201 of shape [11 13 17] is NaN"},
		"inf":      {float32(math.Inf(1)), 1, "solver: kernel: gradient is not finite: element 1201 of shape [11 13 17] is +Inf"},
		"negative": {float32(math.Inf(-1)), 0, "is -Inf"},
		"square":   {-2e19, 0, "solver: kernel: gradient is not finite: element 1201 of shape [11 13 17] is -2e+19, of magnitude above 1.8e+19"},
		"clipped":  {2e30, 1e20, "is 2e+30, of magnitude above 1.8e+19"},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := newSolver(t, solver.WithClipNorm(c.clip)), newModel(47)
			run(t, s, m, 47, 1, 1)
			m.setGradients(47, 2)
			sound := append(model{m[0]}, m[2:]...) // NaN is not equal to itself
			g := floats(m[1].grad)
			g[1201] = c.x
			kernel := m.weights()[1]
			err := refuses(t, s, sound, m.valueGrads(), c.want)
			assert.ErrorIs(t, err, solver.ErrNotFinite)
			assert.Equal(t, kernel, floats(m[1].value))
			assert.NotZero(t, g[0])
		})
	}
}

// A gradient clipping brings down to size is sound, however large.
func TestStepClipsHugeGradients(t *testing.T) {
	s, m := newSolver(t, solver.WithClipNorm(1)), newModel(53)
	m.setGradients(53, 1)
	floats(m[1].grad)[1201] = math.MaxFloat32
	require.NoError(t, s.Step(m.valueGrads()))
	mo := s.State().Moments[2]
	require.Equal(t, "kernel", mo.Name)
	assert.Equal(t, float32(1-0.9), mo.M[1201])
}
