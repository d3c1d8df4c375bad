package solver_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/solver"
)

func TestRestoreGoesOnBitForBit(t *testing.T) {
	const seed, last = 71, 40
	opts := []solver.Option{
		solver.WithSchedule(solver.Cosine(0.03, 7, 53)),
		solver.WithClipNorm(0.7),
		solver.WithWeightDecay(0.3),
	}
	whole, m := newSolver(t, opts...), newModel(seed)
	run(t, whole, m, seed, 1, last)
	for _, cut := range []int{1, 11, 23, last - 1} {
		s, part := newSolver(t, opts...), newModel(seed)
		run(t, s, part, seed, 1, cut)
		state := s.State()
		slices.Reverse(state.Moments) // any order will do
		fresh := newSolver(t, opts...)
		require.NoError(t, fresh.Restore(state))
		assert.Equal(t, s.State(), fresh.State(), "cut %d", cut)
		assert.Equal(t, cut, fresh.Steps())
		run(t, fresh, part, seed, cut+1, last)
		assert.Equal(t, m.weights(), part.weights(), "cut %d", cut)
		assert.Equal(t, whole.State(), fresh.State(), "cut %d", cut)
		assert.Equal(t, whole.LearnRate(), fresh.LearnRate())
		assert.Equal(t, whole.GradNorm(), fresh.GradNorm())
	}
}

func TestStateIsSortedAndWhole(t *testing.T) {
	s, m := newSolver(t), newModel(73)
	run(t, s, m, 73, 1, 2)
	state := s.State()
	assert.Equal(t, 2, state.Step)
	var names []string
	for _, mo := range state.Moments {
		names = append(names, mo.Name)
	}
	assert.Equal(t, []string{"blocks.0.attn.qkv.bias", "blocks.0.attn.qkv.weight", "kernel", "positions.weight", "temperature"}, names)
	assert.Equal(t, []int{11, 13, 17}, state.Moments[2].Shape)
	assert.Equal(t, []int{}, state.Moments[4].Shape)
}

func TestStateAndRestoreCopy(t *testing.T) {
	s, m := newSolver(t), newModel(79)
	run(t, s, m, 79, 1, 2)
	spoil := func(st solver.State) {
		for _, mo := range st.Moments {
			mo.M[0], mo.V[0] = -7, 7
			if len(mo.Shape) > 0 {
				mo.Shape[0] = 7
			}
		}
	}
	twin, m := newSolver(t), newModel(79)
	run(t, twin, m, 79, 1, 2)
	want := twin.State()
	spoil(s.State())
	assert.Equal(t, want, s.State(), "State shares memory")
	given := s.State()
	require.NoError(t, s.Restore(given))
	spoil(given)
	assert.Equal(t, want, s.State(), "Restore shares memory")
}

func TestRestoreReplacesAll(t *testing.T) {
	s, m := newSolver(t), newModel(83)
	run(t, s, m, 83, 1, 2)
	require.NoError(t, s.Restore(solver.State{}))
	assert.Equal(t, solver.State{}, s.State())
	assert.Zero(t, s.LearnRate())
	assert.Zero(t, s.GradNorm())
}

func TestRestoreRefuses(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, c := range map[string]struct {
		spoil func(*solver.State)
		want  string
	}{
		"step":      {func(s *solver.State) { s.Step = -1 }, "solver: state: step -1 is negative"},
		"unnamed":   {func(s *solver.State) { s.Moments[2].Name = "" }, "solver: state: moment 2 has no name"},
		"twice":     {func(s *solver.State) { s.Moments[2].Name = "positions.weight" }, "solver: state: positions.weight: two moments have this name"},
		"short_m":   {func(s *solver.State) { s.Moments[2].M = s.Moments[2].M[1:] }, "solver: state: kernel: 2430 first and 2431 second moments for shape [11 13 17], which has 2431"},
		"short_v":   {func(s *solver.State) { s.Moments[2].V = nil }, "solver: state: kernel: 2431 first and 0 second moments"},
		"shape":     {func(s *solver.State) { s.Moments[2].Shape = []int{11, 13} }, "for shape [11 13], which has 143"},
		"zero":      {func(s *solver.State) { s.Moments[2].Shape = []int{11, 0} }, "solver: state: kernel: shape [11 0] is not a shape"},
		"negative":  {func(s *solver.State) { s.Moments[2].Shape = []int{-11, -221} }, "shape [-11 -221] is not a shape"},
		"overflow":  {func(s *solver.State) { s.Moments[2].Shape = []int{math.MaxInt, math.MaxInt} }, "is not a shape"},
		"nan_m":     {func(s *solver.State) { s.Moments[2].M[1201] = nan }, "solver: state: kernel: first moment 1201 is NaN, not a finite number"},
		"inf_m":     {func(s *solver.State) { s.Moments[2].M[1201] = -inf }, "first moment 1201 is -Inf"},
		"nan_v":     {func(s *solver.State) { s.Moments[2].V[1201] = nan }, "solver: state: kernel: second moment 1201 is NaN, not a finite number of at least 0"},
		"inf_v":     {func(s *solver.State) { s.Moments[2].V[1201] = inf }, "second moment 1201 is +Inf"},
		"below_0_v": {func(s *solver.State) { s.Moments[2].V[1201] = -1 }, "second moment 1201 is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := newSolver(t), newModel(89)
			run(t, s, m, 89, 1, 2)
			want := s.State()
			bad := s.State()
			bad.Step = 97
			bad.Moments[0].M[0]++ // sound, and not to be taken over
			c.spoil(&bad)
			err := s.Restore(bad)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n", "one fault, one line")
			assert.Equal(t, want, s.State())
			assert.Equal(t, 2, s.Steps())
			assert.NotZero(t, s.LearnRate())
		})
	}
}

func TestRestoreJoinsFaults(t *testing.T) {
	err := newSolver(t).Restore(solver.State{Step: -1, Moments: []solver.Moment{{}, {Name: "x"}, {Name: "x"}}})
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), 4)
}
