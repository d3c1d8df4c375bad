package dataset

import "math"

// countSlack keeps a product that rounding pushed just above a whole number
// (0.07 * 100 is 7.000000000000001) from being counted as one more.
const countSlack = 1e-9

// splitRound is the round of Shuffle that splits use, so that a split is not
// the order of any epoch, which count from 0.
const splitRound = -1

// SplitAt copies the first n sequences into train and the rest into test: the
// split "as given", where the order of the file says which is which.
//
// Errors: an invalid set, or n outside 1..Len()-1: neither part may be empty.
func (s *Set) SplitAt(n int) (train, test *Set, err error) {
	if err := s.Validate(); err != nil {
		return nil, nil, err
	}
	if n < 1 || n >= s.Len() {
		return nil, nil, s.fault("split at %d of %d sequences, want 1 to %d", n, s.Len(), s.Len()-1)
	}
	order := make([]int, s.Len())
	for i := range order {
		order[i] = i
	}
	return s.pick(order[:n]), s.pick(order[n:]), nil
}

// SplitShuffled copies a seeded choice of sequences into test and the rest
// into train, both in shuffled order. It looks at no label: a rare class may
// be missing from a part.
//
//	len(test) = ceil(testFraction * N)
//
// Units: testFraction is a share of the whole, between 0 and 1.
// Errors: an invalid set, a fraction outside (0, 1), or one that leaves train
// empty.
func (s *Set) SplitShuffled(testFraction float64, seed uint64) (train, test *Set, err error) {
	if err := s.Validate(); err != nil {
		return nil, nil, err
	}
	if !(testFraction > 0 && testFraction < 1) { // NaN fails too
		return nil, nil, s.fault("test fraction %v, want more than 0 and less than 1", testFraction)
	}
	n := max(1, int(math.Ceil(testFraction*float64(s.Len())-countSlack)))
	if n >= s.Len() {
		return nil, nil, s.fault("test fraction %v of %d sequences leaves none to train on", testFraction, s.Len())
	}
	order := Shuffle(s.Len(), seed, splitRound)
	return s.pick(order[n:]), s.pick(order[:n]), nil
}
