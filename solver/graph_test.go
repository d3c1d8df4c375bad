package solver_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/qat-go/qat/solver"
)

// fitTolerance is how near the weights come in 2000 steps; the data has no
// noise and the rate ends at 0, so only float32 stands between them.
const fitTolerance = 1e-4

// TestAdamWInGraph fits least squares with a full and a smaller batch, in two
// graphs that share their weights.
func TestAdamWInGraph(t *testing.T) {
	const in, out, steps = 11, 13, 2000
	r := rand.New(rand.NewPCG(97, 1))
	truth := normals(r, in*out, 1)
	w, b := zeros(in, out), zeros(1, out)
	adamw := newSolver(t, solver.WithSchedule(solver.Cosine(0.05, 11, steps+1)), solver.WithWeightDecay(0))
	batches := []*batch{newBatch(t, r, 31, truth, w, b), newBatch(t, r, 29, truth, w, b)}
	for step := range steps {
		c := batches[step%2]
		require.NoError(t, c.vm.RunAll())
		require.NoError(t, adamw.Step(c.params))
		c.vm.Reset()
	}
	for i, want := range truth {
		require.InDelta(t, want, w.Float32s()[i], fitTolerance, "w[%d]", i)
	}
	for i, got := range b.Float32s() {
		require.InDelta(t, 0.5, got, fitTolerance, "b[%d]", i)
	}
	for _, c := range batches {
		assert.Same(t, w, c.params[0].Value())
		require.NoError(t, c.vm.Close())
	}
}

type batch struct {
	vm     gorgonia.VM
	params []gorgonia.ValueGrad
}

// newBatch builds mean((x*w + b - y)^2) for y = x*truth + 0.5 over rows rows.
func newBatch(t *testing.T, r *rand.Rand, rows int, truth []float32, w, b *tensor.Dense) *batch {
	t.Helper()
	in, out := w.Shape()[0], w.Shape()[1]
	xs, ys := normals(r, rows*in, 1), make([]float32, rows*out)
	for i := range rows {
		for j := range out {
			ys[i*out+j] = 0.5
			for k := range in {
				ys[i*out+j] += xs[i*in+k] * truth[k*out+j]
			}
		}
	}
	g := gorgonia.NewGraph()
	leaf := func(name string, v *tensor.Dense) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(name), gorgonia.WithShape(v.Shape()...), gorgonia.WithValue(v))
	}
	x, y := leaf("x", dense(xs, rows, in)), leaf("y", dense(ys, rows, out))
	wn, bn := leaf("w", w), leaf("b", b)
	pred := gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, wn)), bn, nil, []byte{0}))
	loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(pred, y))))))
	_, err := gorgonia.Grad(loss, wn, bn)
	require.NoError(t, err)
	return &batch{
		vm:     gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(wn, bn)),
		params: []gorgonia.ValueGrad{wn, bn},
	}
}
