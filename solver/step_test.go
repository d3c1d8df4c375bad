package solver_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/solver"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

func TestStepZeroesGradients(t *testing.T) {
	m := newModel(13)
	run(t, newSolver(t), m, 13, 1, 1)
	for i, g := range m.gradients() {
		assert.Equal(t, make([]float32, len(g)), g, "gradient of %s", m[i].name)
	}
}

// overwritten is a parameter whose gradient the next run overwrites.
type overwritten struct{ *leaf }

func (overwritten) Overwritten() {}

func TestStepKeepsOverwrittenGradients(t *testing.T) {
	m, vgs := newModel(13), []gorgonia.ValueGrad{}
	for _, l := range m {
		vgs = append(vgs, overwritten{l})
	}
	m.setGradients(13, 1)
	want := m.gradients()
	require.NoError(t, newSolver(t).Step(vgs))
	assert.Equal(t, want, m.gradients())
}

// A gradient left standing would be added to by the next run of a machine that
// binds dual values.
func TestStepDoesNotAccumulate(t *testing.T) {
	once, added := newModel(13), newModel(13)
	s, r := newSolver(t), newSolver(t)
	for step := 1; step <= 5; step++ {
		run(t, s, once, 13, step, step)
		fresh := newModel(13)
		fresh.setGradients(13, step)
		for i, l := range added {
			if f, ok := l.grad.(*gorgonia.F32); ok {
				*f += *fresh[i].grad.(*gorgonia.F32)
				continue
			}
			g := floats(l.grad)
			for j, x := range floats(fresh[i].grad) {
				g[j] += x
			}
		}
		require.NoError(t, r.Step(added.valueGrads()))
	}
	assert.Equal(t, once.weights(), added.weights())
}

func TestStepInPlace(t *testing.T) {
	m := newModel(17)
	before := m.weights()
	var values []gorgonia.Value
	var first []*float32
	for _, l := range m[:4] {
		values = append(values, l.value)
		first = append(first, &floats(l.value)[0])
	}
	scalar := m[4].value
	run(t, newSolver(t), m, 17, 1, 3)
	for i, l := range m[:4] {
		assert.Same(t, values[i], l.value, l.name)
		assert.Same(t, first[i], &floats(l.value)[0], l.name)
	}
	assert.Same(t, scalar, m[4].value)
	for i, w := range m.weights() {
		for j := range w {
			assert.NotEqual(t, before[i][j], w[j], "%s[%d] did not move", m[i].name, j)
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	s := newSolver(t, solver.WithSchedule(solver.Cosine(0.01, 11, 101)), solver.WithClipNorm(0.1))
	large, small := sharedNodes(t, newModel(19))
	turn := func() {
		for _, nodes := range [][]gorgonia.ValueGrad{large, small} {
			fill(t, nodes, 0.25)
			require.NoError(t, s.Step(nodes))
		}
	}
	turn()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if s.Step(large) != nil || s.Step(small) != nil {
			panic("step failed")
		}
	}))
}

// sharedNodes makes the weights of m leaves of two graphs, in opposite orders.
func sharedNodes(t *testing.T, m model) (a, b []gorgonia.ValueGrad) {
	t.Helper()
	for range 2 {
		g := gorgonia.NewGraph()
		var nodes []gorgonia.ValueGrad
		for _, l := range m[:4] {
			w := l.value.(*tensor.Dense)
			grad := dense(make([]float32, w.Size()), w.Shape()...)
			nodes = append(nodes, gorgonia.NewTensor(g, tensor.Float32, w.Dims(), gorgonia.WithName(l.name),
				gorgonia.WithShape(w.Shape()...), gorgonia.WithValue(w), gorgonia.WithGrad(grad)))
		}
		a, b = b, nodes
	}
	slices.Reverse(b)
	return a, b
}

func fill(t *testing.T, nodes []gorgonia.ValueGrad, x float32) {
	t.Helper()
	for _, n := range nodes {
		grad, err := n.Grad()
		require.NoError(t, err)
		for i := range floats(grad) {
			floats(grad)[i] = x
		}
	}
}

func TestStepSharesStateAcrossGraphs(t *testing.T) {
	one, two := newModel(23), newModel(23)
	only, _ := sharedNodes(t, one)
	large, small := sharedNodes(t, two)
	s, r := newSolver(t), newSolver(t)
	for step := range 6 {
		x := float32(step+1) / 8
		fill(t, only, x)
		require.NoError(t, s.Step(only))
		nodes := large
		if step%2 == 1 {
			nodes = small
		}
		fill(t, nodes, x)
		require.NoError(t, r.Step(nodes))
	}
	assert.Equal(t, one.weights(), two.weights())
	assert.Equal(t, s.State(), r.State())
}

func TestStepWithoutAParameterKeepsItsState(t *testing.T) {
	s, m := newSolver(t), newModel(29)
	run(t, s, m, 29, 1, 2)
	before := s.State()
	rest := m[1:]
	run(t, s, rest, 29, 3, 3)
	after := s.State()
	assert.Equal(t, 3, after.Step)
	require.Equal(t, m[0].name, after.Moments[1].Name)
	assert.Equal(t, before.Moments[1], after.Moments[1], m[0].name)
	for i := range after.Moments {
		if i != 1 {
			assert.NotEqual(t, before.Moments[i], after.Moments[i], after.Moments[i].Name)
		}
	}
}

// Clipping keeps the direction of all gradients together.
func TestStepClipsByGlobalNorm(t *testing.T) {
	x, y := make([]float32, 11), make([]float32, 13)
	x[3], y[5] = 3, -4
	m := model{
		{name: "x", value: dense(make([]float32, 11), 11), grad: dense(x, 11)},
		{name: "y", value: dense(make([]float32, 13), 13), grad: dense(y, 13)},
	}
	s := newSolver(t, solver.WithClipNorm(2), solver.WithBetas(0.5, 0.75))
	require.NoError(t, s.Step(m.valueGrads()))
	assert.Equal(t, 5.0, s.GradNorm())
	factor := 2.0 / (5 + 1e-6)
	mo := s.State().Moments
	assert.Equal(t, float32(0.5)*float32(3*factor), mo[0].M[3])
	assert.Equal(t, float32(0.5)*float32(-4*factor), mo[1].M[5])
}

func TestStepFlushesTinyFirstMoments(t *testing.T) {
	m := model{{name: "x", value: dense(make([]float32, 11), 11), grad: dense(make([]float32, 11), 11)}}
	floats(m[0].grad)[0] = 1
	s := newSolver(t)
	for range 1000 { // 0.9^1000 = 1e-46
		require.NoError(t, s.Step(m.valueGrads()))
	}
	assert.Equal(t, make([]float32, 11), s.State().Moments[0].M)
}

// Two nodes may share one derivative node, and so one gradient.
func TestStepSharedGradient(t *testing.T) {
	grad := dense(slices.Repeat([]float32{0.5}, 11), 11)
	m := model{
		{name: "x", value: dense(make([]float32, 11), 11), grad: grad},
		{name: "y", value: dense(make([]float32, 11), 11), grad: grad},
	}
	require.NoError(t, newSolver(t).Step(m.valueGrads()))
	assert.Equal(t, floats(m[0].value), floats(m[1].value))
	assert.NotZero(t, floats(m[1].value)[0])
}

// TestStepGolden holds the weights to the same bytes on every CPU.
func TestStepGolden(t *testing.T) {
	m := newModel(31)
	run(t, newSolver(t, solver.WithSchedule(solver.Cosine(0.03, 7, 53)), solver.WithClipNorm(0.7)), m, 31, 1, 50)
	h := sha256.New()
	for _, w := range m.weights() {
		require.NoError(t, binary.Write(h, binary.LittleEndian, w))
	}
	got := hex.EncodeToString(h.Sum(nil)) + "\n"
	const path = "testdata/weights.sha256"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "weights of 50 steps; -update rewrites")
}

type badSchedule float64

func (b badSchedule) Rate(step int) float64 {
	if step == 2 {
		return float64(b)
	}
	return 1e-3
}

func TestStepRefusesRates(t *testing.T) {
	for name, c := range map[string]struct {
		rate float64
		want string
	}{
		"nan":      {math.NaN(), "solver: step 2: schedule gives learning rate NaN, not a finite number of at least 0"},
		"inf":      {math.Inf(1), "solver: step 2: schedule gives learning rate +Inf, not a finite number of at least 0"},
		"negative": {-1, "solver: step 2: schedule gives learning rate -1, not a finite number of at least 0"},
		"overflow": {1e38, "more than float32 holds"},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := newSolver(t, solver.WithSchedule(badSchedule(c.rate))), newModel(37)
			run(t, s, m, 37, 1, 1)
			m.setGradients(37, 2)
			unchanged(t, s, m, m, c.want)
		})
	}
}
