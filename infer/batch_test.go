package infer

import (
	"runtime"
	"testing"

	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ragged returns lengths of 1 to most, and values of that many steps.
func ragged(m *Model, batch, most int) (x []float32, lengths []int) {
	for i := range batch {
		n := 1 + (5*i+3)%most
		lengths = append(lengths, n)
		x = append(x, numbers(uint64(i), n*m.Channels())...)
	}
	return x, lengths
}

// A sequence in a batch has the bits that it has alone, for any number of goroutines.
func TestPredictBatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, m := range anyModels(t) {
		for _, batch := range []int{1, 2, 3, 31} {
			x, lengths := ragged(m, batch, 13)
			var want []float32
			at := 0
			for _, n := range lengths {
				want = append(want, predict(t, m, x[at:at+n*m.Channels()])...)
				at += n * m.Channels()
			}
			for _, procs := range []int{1, 2, 7} {
				runtime.GOMAXPROCS(procs)
				got, err := m.PredictBatch(nil, x, lengths)
				require.NoError(t, err)
				requireBits(t, want, got, "%s: batch of %d on %d", name, batch, procs)
			}
		}
	}
}

func TestPredictBatch_errors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	m := newModel(t, ternary(), 5)
	x, lengths := ragged(m, 31, 13)
	for _, tc := range []struct {
		name    string
		x       []float32
		lengths []int
		want    string
	}{
		{"no steps", x[:6], []int{1, 0, 1}, "infer: sequence 1: 0 steps, want 1 or more"},
		{"negative", x[:9], []int{1, 2, -1}, "infer: sequence 2: -1 steps, want 1 or more"},
		{"overflowing sum", x[:6], []int{1 << 30, 1 << 30, 1 << 30, 1 << 30}, "infer: sequence 0: 1073741824 steps, but of the 6 values only 2 steps are left"},
		{"too few values", x[:8], []int{1, 2}, "infer: sequence 1: 2 steps, but of the 8 values only 1 steps are left"},
		{"too many values", x[:12], []int{1, 2}, "infer: 12 values, want 3 steps of 3 channels"},
		{"values without lengths", x[:3], nil, "infer: 3 values, want 0 steps of 3 channels"},
		{"beyond the window", make([]float32, 3*16), []int{1, 14, 1}, "infer: sequence 1: 14 steps, want 1 to the window of 13"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := m.PredictBatch(nil, tc.x, tc.lengths)
			require.EqualError(t, err, tc.want)
		})
	}

	// Of two that are bad, in different parts, the first is named.
	at := 0
	for i, n := range lengths {
		if i == 11 || i == 29 {
			x[at+1] = nan
		}
		at += 3 * n
	}
	for range 10 {
		_, err := m.PredictBatch(nil, x, lengths)
		require.EqualError(t, err, "infer: sequence 11: step 0, channel 1 is NaN, not a finite number")
	}
	out, err := m.PredictBatch(nil, nil, nil)
	require.NoError(t, err)
	assert.Empty(t, out)
}

// A warm batch allocates nothing, also where it is shared among goroutines.
func TestPredictBatch_allocations(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	s := ternary()
	s.Pooling = spec.AllTimesteps
	m := newModel(t, s, 5)
	x, lengths := ragged(m, 31, 3)
	dst, err := m.PredictBatch(nil, x, lengths)
	require.NoError(t, err)
	run := func() {
		_, err := m.PredictBatch(dst, x, lengths)
		require.NoError(t, err)
	}
	for range 100 {
		run()
	}
	require.Greater(t, len(m.idle), 1, "the batch was shared")
	const rounds = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		run()
	}
	runtime.ReadMemStats(&after)
	// The runtime itself makes a goroutine anew now and then.
	assert.Less(t, after.Mallocs-before.Mallocs, uint64(rounds/4))
	assert.Zero(t, testing.AllocsPerRun(20, run), "on one thread")
}
