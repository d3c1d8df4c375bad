package dataset

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// init seeds rapid, which would take the clock; -rapid.seed overrides it.
func init() {
	if err := flag.Set("rapid.seed", "61"); err != nil {
		panic(err)
	}
}

// TestShuffle_golden pins the permutation: a checkpoint that resumes in the
// middle of an epoch needs the order it was saved under.
func TestShuffle_golden(t *testing.T) {
	assert.Equal(t, []int{11, 10, 4, 1, 6, 3, 9, 8, 7, 5, 0, 12, 2}, Shuffle(13, 43, 0))
	assert.Equal(t, []int{1, 0, 4, 7, 6, 9, 5, 10, 11, 12, 8, 2, 3}, Shuffle(13, 43, 1))
	assert.Equal(t, []int{0, 8, 5, 9, 7, 2, 4, 3, 6, 10, 1, 11, 12}, Shuffle(13, math.MaxUint64, -1))
}

func TestShuffle_permutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 257).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		round := rapid.Int().Draw(t, "round")
		order := Shuffle(n, seed, round)
		require.Equal(t, ascending(n), sorted(order))
		require.Equal(t, order, Shuffle(n, seed, round), "pure")
	})
}

func TestShuffle_differs(t *testing.T) {
	const n, seed = 101, 47 // 1/101! is never
	seen := map[[n]int]int{}
	for round := range 1009 {
		order := [n]int(Shuffle(n, seed, round))
		if first, ok := seen[order]; ok {
			t.Fatalf("seed %d: rounds %d and %d have the same order", seed, first, round)
		}
		seen[order] = round
	}
	assert.NotEqual(t, Shuffle(n, seed, 0), Shuffle(n, seed+1, 0))
	assert.NotEqual(t, Shuffle(n, 1, 0), Shuffle(n, 0, 1), "seed and round do not trade places")
}

func TestShuffle_few(t *testing.T) {
	for _, n := range []int{math.MinInt, -1, 0} {
		assert.Empty(t, Shuffle(n, 53, 0), "n = %d", n)
	}
	assert.Equal(t, []int{0}, Shuffle(1, 53, 0))
}

// TestShuffle_uniform counts all 24 orders of 4 over 24,000 rounds.
func TestShuffle_uniform(t *testing.T) {
	const rounds, seed = 24000, 59
	counts := map[[4]int]int{}
	for round := range rounds {
		counts[[4]int(Shuffle(4, seed, round))]++
	}
	require.Len(t, counts, 24)
	chi2 := 0.0
	for _, n := range counts {
		d := float64(n) - rounds/24
		chi2 += d * d / (rounds / 24)
	}
	// The 0.999 quantile of chi squared with 23 degrees of freedom. The seed
	// is fixed, so this passes always or never.
	const limit = 49.73
	assert.Less(t, chi2, limit, "seed %d", seed)
}
