package solver_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qat-go/qat/solver"
)

type judged struct{ error }

func (judged) Rate(int) float64  { return 1 }
func (j judged) Validate() error { return j.error }

func TestNewAdamWRefuses(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		opt  solver.Option
		want string
	}{
		"rate/negative":    {solver.WithLearnRate(-1), "solver: learning rate -1 is not a positive finite number"},
		"rate/zero":        {solver.WithLearnRate(0), "solver: learning rate 0 is not a positive finite number"},
		"rate/nan":         {solver.WithLearnRate(nan), "solver: learning rate NaN is not a positive finite number"},
		"rate/inf":         {solver.WithLearnRate(inf), "solver: learning rate +Inf is not a positive finite number"},
		"rate/large":       {solver.WithLearnRate(1e39), "solver: learning rate 1e+39 is more than float32 holds"},
		"schedule/nil":     {solver.WithSchedule(nil), "solver: schedule is nil"},
		"schedule/rate":    {solver.WithSchedule(solver.Cosine(-2, 0, 9)), "solver: learning rate -2 is not a positive finite number"},
		"schedule/warm_up": {solver.WithSchedule(solver.Constant(1, -3)), "solver: schedule warm-up -3 is negative"},
		"schedule/total":   {solver.WithSchedule(solver.Linear(1, 11, 11)), "solver: schedule total 11 is not greater than warm-up 11"},
		"schedule/empty":   {solver.WithSchedule(solver.Cosine(1, 0, 0)), "solver: schedule total 0 is not greater than warm-up 0"},
		"schedule/own":     {solver.WithSchedule(judged{errors.New("own: bad")}), "own: bad"},
		"beta1/one":        {solver.WithBetas(1, 0.9), "solver: beta1 1 is not in [0, 1)"},
		"beta1/nan":        {solver.WithBetas(nan, 0.9), "solver: beta1 NaN is not in [0, 1)"},
		"beta2/negative":   {solver.WithBetas(0.9, -0.1), "solver: beta2 -0.1 is not in [0, 1)"},
		"eps/zero":         {solver.WithEps(0), "solver: eps 0 is not a positive finite number"},
		"eps/nan":          {solver.WithEps(nan), "solver: eps NaN is not a positive finite number"},
		"eps/tiny":         {solver.WithEps(1e-50), "solver: eps 1e-50 is not a positive finite number that float32 holds"},
		"eps/inf":          {solver.WithEps(inf), "solver: eps +Inf is not a positive finite number"},
		"decay/negative":   {solver.WithWeightDecay(-0.5), "solver: weight decay -0.5 is not a finite number of at least 0"},
		"decay/inf":        {solver.WithWeightDecay(inf), "solver: weight decay +Inf is not a finite number of at least 0"},
		"clip/negative":    {solver.WithClipNorm(-1), "solver: clip norm -1 is not a finite number of at least 0"},
		"clip/nan":         {solver.WithClipNorm(nan), "solver: clip norm NaN is not a finite number of at least 0"},
		"rule/nil":         {solver.WithDecay(nil), "solver: decay rule is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := solver.NewAdamW(c.opt)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, s)
			assert.NotContains(t, err.Error(), "\n", "one fault, one line")
		})
	}
}

func TestNewAdamWJoinsFaults(t *testing.T) {
	_, err := solver.NewAdamW(solver.WithSchedule(solver.Linear(-1, -2, -3)), solver.WithBetas(2, 3), solver.WithEps(-1),
		solver.WithWeightDecay(-1), solver.WithClipNorm(-1), solver.WithDecay(nil))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, 9)
	for _, l := range lines {
		assert.True(t, strings.HasPrefix(l, "solver: "), l)
	}
}

func TestOptionsLaterWins(t *testing.T) {
	for name, c := range map[string]struct {
		opts []solver.Option
		want float64
	}{
		"default":        {nil, 1e-3},
		"rate":           {[]solver.Option{solver.WithLearnRate(-1), solver.WithLearnRate(0.5)}, 0.5},
		"rate_last":      {[]solver.Option{solver.WithSchedule(solver.Constant(0.25, 0)), solver.WithLearnRate(0.5)}, 0.5},
		"schedule_last":  {[]solver.Option{solver.WithLearnRate(0.5), solver.WithSchedule(solver.Constant(0.25, 0))}, 0.25},
		"schedule_valid": {[]solver.Option{solver.WithSchedule(judged{})}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSolver(t, c.opts...)
			run(t, s, newModel(59), 59, 1, 1)
			assert.Equal(t, c.want, s.LearnRate())
		})
	}
}
