package infer

import (
	"maps"
	"testing"

	"github.com/qat-go/qat/internal/samebits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// minSummed is how many outputs of the graph TestSums compares at least, in three ways.
const minSummed = 1_000_000

// TestSums: the outputs of many models have, to the bit, the sums of those that the
// training graph gave on the machine that wrote them: alone, in a batch, and by a
// stream, over a window that fills and then moves on. The root's TestSums writes them.
func TestSums(t *testing.T) {
	sums, err := samebits.Read("..")
	require.NoError(t, err)
	summed, left := 0, maps.Clone(sums)
	for _, c := range samebits.Cases() {
		summed += sums[c.Name].Values
		delete(left, c.Name)
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			p, err := c.Model()
			require.NoError(t, err)
			m := ready(t, p)
			for how, run := range ways {
				got, err := samebits.SumsOf(p, run(t, m, c))
				require.NoError(t, err)
				assert.Equal(t, sums[c.Name], got, how)
			}
		})
	}
	assert.Empty(t, left, "sums of no case")
	assert.GreaterOrEqual(t, summed, minSummed)
}

// ways are those of running a model over the windows of a case.
var ways = map[string]func(testing.TB, *Model, samebits.Case) []float32{"alone": alone, "batch": together, "stream": asStream}

// alone predicts one window at a time.
func alone(t testing.TB, m *Model, c samebits.Case) (y []float32) {
	for _, x := range c.Windows() {
		y = append(y, predict(t, m, x)...)
	}
	return y
}

// together predicts all windows at once.
func together(t testing.TB, m *Model, c samebits.Case) []float32 {
	var x []float32
	var lengths []int
	for _, w := range c.Windows() {
		x, lengths = append(x, w...), append(lengths, len(w)/m.Channels())
	}
	y, err := m.PredictBatch(nil, x, lengths)
	require.NoError(t, err)
	return y
}

// asStream asks after each frame of a recording.
func asStream(t testing.TB, m *Model, c samebits.Case) (y []float32) {
	s := m.NewStream()
	for _, r := range c.Recordings() {
		s.Reset()
		for k := range c.Frames {
			require.NoError(t, s.Push(r[k*m.Channels():(k+1)*m.Channels()]))
			one, err := s.Predict(nil)
			require.NoError(t, err)
			y = append(y, one...)
		}
	}
	return y
}
