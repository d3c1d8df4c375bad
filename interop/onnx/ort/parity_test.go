package ort

import (
	"math"
	"testing"

	"github.com/qat-go/qat/infer"
	"github.com/qat-go/qat/internal/samebits"
	"github.com/qat-go/qat/interop/onnx"
	"github.com/stretchr/testify/require"
)

// TestSameBits: models with int8 activations have infer's bits in ONNX Runtime.
func TestSameBits(t *testing.T) {
	for _, c := range samebits.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			p, err := c.Model()
			require.NoError(t, err)
			m, err := infer.New(p)
			require.NoError(t, err)
			s := open(t, exported(t, p, onnx.Int8))
			windows := c.Windows()
			raw, channels := s.steps(), s.channels()
			x := make([]float32, len(windows)*raw*channels)
			for i := range x {
				x[i] = float32(math.NaN())
			}
			lengths := make([]int64, len(windows))
			for i, w := range windows {
				copy(x[(i+1)*raw*channels-len(w):], w)
				lengths[i] = int64(len(w) / channels)
			}
			out := s.run(t, x, lengths)["outputs"]
			bad, total := 0, 0
			for i, w := range windows {
				want, err := m.Predict(nil, w)
				require.NoError(t, err)
				row := out[i*len(out)/len(windows) : (i+1)*len(out)/len(windows)]
				row = row[len(row)-len(want):]
				for k := range want {
					total++
					if row[k] != want[k] {
						if bad < 3 {
							t.Logf("window %d len %d output %d: got %v want %v", i, lengths[i], k, row[k], want[k])
						}
						bad++
					}
				}
			}
			if bad > 0 {
				t.Errorf("%d of %d differ", bad, total)
			}
		})
	}
}
