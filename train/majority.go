package train

import "github.com/qat-go/qat/dataset"

// MajorityClass predicts the most frequent class of train, the first of equals,
// for every sequence, and returns the share of test that is right.
//
// Units: accuracy is a fraction, 0 to 1.
// Errors: as NearestNeighbour.
func MajorityClass(train, test *dataset.Set) (accuracy float64, err error) {
	if err := checkClasses(train, test); err != nil {
		return 0, err
	}
	counts := make([]int, len(train.Classes))
	for _, label := range train.Labels {
		counts[label]++
	}
	most := 0
	for label, n := range counts {
		if n > counts[most] {
			most = label
		}
	}
	right := 0
	for _, label := range test.Labels {
		if label == most {
			right++
		}
	}
	return ratio(right, test.Len()), nil
}
