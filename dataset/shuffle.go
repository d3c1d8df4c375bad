package dataset

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// shuffleDomain fills the half of the ChaCha8 key that seed and round do not,
// so that no other user of the same seed draws the same stream.
const shuffleDomain = "qat/dataset/1"

// Shuffle returns a permutation of 0..n-1 drawn for seed and round (an epoch).
//
// It is a pure function of its arguments, the same on every CPU, and does not
// hang on how math/rand/v2 draws a bounded number: it takes ChaCha8's 64-bit
// words, which are specified, and does the rest itself. Rounds are independent
// draws: two are equal by chance only, one time in n!. An n below 1 gives an
// empty permutation.
//
// Source: Fisher-Yates; bounded draws by Lemire 2019, arXiv:1805.10941.
func Shuffle(n int, seed uint64, round int) []int {
	order := make([]int, max(n, 0))
	for i := range order {
		order[i] = i
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(int64(round)))
	copy(key[16:], shuffleDomain)
	words := rand.NewChaCha8(key)
	for i := len(order) - 1; i > 0; i-- {
		j := below(words, uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// below draws a number in 0..bound-1, every one equally likely.
func below(words *rand.ChaCha8, bound uint64) uint64 {
	hi, lo := bits.Mul64(words.Uint64(), bound)
	if lo < bound {
		for reject := -bound % bound; lo < reject; {
			hi, lo = bits.Mul64(words.Uint64(), bound)
		}
	}
	return hi
}
