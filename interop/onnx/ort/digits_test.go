package ort

import (
	"context"
	"math"
	"testing"

	"github.com/qat-go/qat/dataset"
	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/qat-go/qat/quant"
	"github.com/qat-go/qat/spec"
	"github.com/qat-go/qat/train"
	"github.com/stretchr/testify/require"
)

// TestDigits trains a model of each mode on the embedded digits for a few epochs and holds
// ONNX Runtime to infer on all of them: logits within a tolerance, and each class.
func TestDigits(t *testing.T) {
	digits, err := dataset.Digits()
	require.NoError(t, err)
	for _, mode := range quant.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			c := train.Recipe(digits.Facts())
			c.Epochs, c.Model.Quantize = 3, mode
			tolerance := 0.0
			if mode == quant.Float {
				c.Model.Activations, tolerance = spec.FloatActivations, floatTolerance
			}
			m, err := train.NewModel(c.Model, digits, 1)
			require.NoError(t, err)
			for _, err := range train.Fit(context.Background(), m, digits, train.WithConfig(c)) {
				require.NoError(t, err)
			}
			p, err := m.Export(nil)
			require.NoError(t, err)
			own, err := infer.New(p)
			require.NoError(t, err)
			s := open(t, p, onnx.Int8)
			lengths := make([]int64, digits.Len())
			for i := range lengths {
				lengths[i] = int64(digits.Steps)
			}
			out := s.run(t, digits.Values, lengths, digits.Steps, digits.Channels)
			classes, right := len(digits.Classes), 0
			for i := range lengths {
				want, err := own.Predict(nil, digits.At(i))
				require.NoError(t, err)
				got := out[0][i*classes : (i+1)*classes]
				for j, y := range got {
					require.InDelta(t, want[j], y, tolerance*max(1, math.Abs(float64(want[j]))), "image %d, logit %d", i, j)
				}
				_, class, err := own.Label(want)
				require.NoError(t, err)
				_, theirs, err := own.Label(got)
				require.NoError(t, err)
				require.Equal(t, class, theirs, "image %d", i)
				if class == digits.Labels[i] {
					right++
				}
			}
			t.Logf("%d images have the same class, %d the right one", len(lengths), right)
			require.Greater(t, right, len(lengths)/2) // it has learnt something
		})
	}
}
