package dataset

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"
)

// bufferDomain is shuffleDomain for a ShuffleBuffer.
const bufferDomain = "qat/dataset/buf1"

// ShuffleBuffer yields the series of seq in an order drawn for seed and round
// (an epoch), holding at most size of them: each place in the order goes to one
// of the size series read last, drawn alike. It is the same on every CPU.
//
// A size of 1 or less keeps the order. The order is a full shuffle only if size
// is at least the number of series: data sorted by class needs a buffer that
// holds several classes. After an error nothing follows.
func ShuffleBuffer(seq iter.Seq2[Series, error], size int, seed uint64, round int) iter.Seq2[Series, error] {
	return func(yield func(Series, error) bool) {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[0:], seed)
		binary.LittleEndian.PutUint64(key[8:], uint64(int64(round)))
		copy(key[16:], bufferDomain)
		words := rand.NewChaCha8(key)
		var held []Series
		for one, err := range seq {
			if err != nil {
				yield(Series{}, err)
				return
			}
			if len(held) < size-1 {
				held = append(held, one)
				continue
			}
			if i := below(words, uint64(len(held))+1); i < uint64(len(held)) {
				one, held[i] = held[i], one
			}
			if !yield(one, nil) {
				return
			}
		}
		for len(held) > 0 {
			last := len(held) - 1
			i := below(words, uint64(last)+1)
			one := held[i]
			held[i], held[last] = held[last], Series{}
			held = held[:last]
			if !yield(one, nil) {
				return
			}
		}
	}
}
