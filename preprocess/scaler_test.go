package preprocess

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestInvertRoundsItsProduct: where the mean is the product, rounded and negative, a
// CPU that fused the product with the sum would give back what the rounding took.
func TestInvertRoundsItsProduct(t *testing.T) {
	for _, y := range []float32{0.3, -1.7, 12.34} {
		s := Scaler{Mean: []float64{0}, Std: []float64{1.1}}
		s.Mean[0] = -(float64(y) * s.Std[0])
		assert.Zero(t, s.Invert(y, 0), "%v", y)
	}
}
