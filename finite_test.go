package qat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qat-go/qat/internal/kernel"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
)

const (
	// finiteStep makes the five-point difference below as good in its truncation,
	// (step^4)/30 of a fifth derivative, as in the rounding of float32 outputs.
	finiteStep = 1.0 / 32
	// finiteTolerance is what both errors come to, relative to the largest gradient.
	finiteTolerance = 2e-4
	// finiteSamples bounds how many elements of an input are tried.
	finiteSamples = 101
)

func normals(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// requireFinite holds backward against differences of forward for a body that is
// continuous. The last fixed inputs have no gradient.
func requireFinite(t *testing.T, b body, outLen, fixed int, in ...[]float32) {
	t.Helper()
	weights := normals(77, outLen)
	if outLen == 1 {
		weights[0] = 1
	}
	out := make([]float32, outLen)
	loss := func() (sum float64) {
		require.NoError(t, b.forward(out, in))
		for i, v := range out {
			sum += float64(v) * float64(weights[i])
		}
		return sum
	}
	loss() // backward may use what forward kept
	grads := make([][]float32, len(in))
	for i := range len(in) - fixed {
		grads[i] = normals(5, len(in[i])) // backward has to overwrite it
	}
	require.NoError(t, b.backward(grads, in, weights))
	for i, grad := range grads {
		var largest float64
		for _, v := range grad {
			largest = max(largest, math.Abs(float64(v)))
		}
		for j := 0; j < len(grad); j += 1 + len(grad)/finiteSamples {
			x := in[i][j]
			at := func(h float32) float64 { in[i][j] = x + h; return loss() }
			want := (8*(at(finiteStep)-at(-finiteStep)) - (at(2*finiteStep) - at(-2*finiteStep))) / (12 * finiteStep)
			in[i][j] = x
			require.InDelta(t, want, grad[j], finiteTolerance*max(largest, 1e-3), "input %d, element %d of %d", i, j, len(grad))
		}
	}
}

func TestFiniteDifferences(t *testing.T) {
	const batch, steps, cols = 3, 11, 28
	n := batch * steps * cols
	padded := []float32{7, 1, 11}
	pad := func() *padding { return &padding{batch, steps, make([]int, batch)} }
	real := func(x []float32, cols int) []float32 { // padding that is NaN if it is read
		for b, length := range padded {
			for i := range (steps - int(length)) * cols {
				x[b*steps*cols+i] = float32(math.NaN())
			}
		}
		return x
	}

	t.Run("layer_norm", func(t *testing.T) {
		for _, floor := range []bool{false, true} {
			b := &norm{Norm: kernel.Norm{Eps: spec.NormEpsilon, Floor: floor}, batch: 1, mean: make([]float32, n/cols), rstd: make([]float32, n/cols)}
			requireFinite(t, b, n, 0, normals(1, n), normals(2, cols), normals(3, cols))
		}
	})
	t.Run("silu", func(t *testing.T) { requireFinite(t, silu{}, n, 0, normals(1, n)) })
	t.Run("residual", func(t *testing.T) {
		requireFinite(t, residual{batch, steps, steps, cols, nil}, n, 0, normals(1, n), normals(2, n))
		requireFinite(t, residual{batch, steps, 1, cols, nil}, batch*cols, 0, normals(1, n), normals(2, batch*cols))
	})
	for name, rotary := range map[string]*kernel.Rotary{"attention": nil, "attention_rotary": kernel.NewRotary(steps, cols/2)} {
		t.Run(name, func(t *testing.T) {
			for _, keep := range []int{steps, 1} {
				a := &attention{Attention: kernel.Attention{Batch: batch, Steps: steps, Keep: keep, Heads: 2, HeadSize: cols / 2, Rotary: rotary}}
				a.weights = make([]float32, a.Weights())
				requireFinite(t, a, batch*keep*cols, 0, normals(1, 3*n))
			}
		})
	}
	t.Run("last_step", func(t *testing.T) { requireFinite(t, lastStep{}, batch*cols, 0, normals(1, batch*cols)) })
	t.Run("mean_pool", func(t *testing.T) {
		requireFinite(t, &meanPool{batch, steps, cols, nil}, batch*cols, 0, normals(1, n))
		requireFinite(t, &meanPool{batch, steps, cols, pad()}, batch*cols, 1, normals(1, n), padded)
	})
	t.Run("positions", func(t *testing.T) {
		requireFinite(t, &positions{"", batch, steps, cols, nil}, n, 0, normals(1, n), normals(2, steps*cols))
		requireFinite(t, &positions{"", batch, steps, cols, pad()}, n, 1, normals(1, n), normals(2, steps*cols), padded)
	})
	t.Run("entry", func(t *testing.T) {
		b := &entry{"", batch, steps, cols, pad()}
		x := real(normals(1, n), cols)
		grads, out := [][]float32{normals(2, n), nil}, make([]float32, n)
		require.NoError(t, b.forward(out, [][]float32{x, padded}))
		require.NoError(t, b.backward(grads, [][]float32{x, padded}, normals(3, n)))
		for i, v := range x {
			if v != v {
				require.Zero(t, out[i])
				require.Zero(t, grads[0][i])
			} else {
				require.Equal(t, v, out[i])
				require.Equal(t, normals(3, n)[i], grads[0][i])
			}
		}
	})
	t.Run("dense", func(t *testing.T) {
		l := newLinear("", []int{batch * steps, cols}, 17, floatSpec())
		l.chain = true
		requireFinite(t, l, batch*steps*17, 0, normals(1, n), normals(2, cols*17), normals(3, 17))
	})
	t.Run("cross_entropy", func(t *testing.T) {
		b := &crossEntropy{classes: 13, shape: []int{11, 13}, labels: make([]int, 11), probs: make([]float32, 11*13)}
		requireFinite(t, b, 1, 1, normals(1, 11*13), []float32{0, 12, 3, 4, 4, 5, 6, 7, 8, 9, 10})
	})
	t.Run("mean_squared_error", func(t *testing.T) {
		requireFinite(t, meanSquaredError{[]int{11, 13}}, 1, 0, normals(1, 11*13), normals(2, 11*13))
	})
}
