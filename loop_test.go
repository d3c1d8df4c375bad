package qat_test

import (
	"math/rand"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestLoopScratch(t *testing.T) {
	g := G.NewGraph()
	B := 32
	x := G.NewTensor(g, tensor.Float32, 3, G.WithShape(B, 60, 6), G.WithName("x"))
	y := G.NewVector(g, tensor.Float32, G.WithShape(B), G.WithName("y"))
	m, err := qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(64), qat.WithNumLayers(2))
	require.NoError(t, err)
	head, err := qat.Dense(m.Output(), 4, qat.WithName("head"))
	require.NoError(t, err)
	loss, err := qat.CrossEntropy(head.Output(), y)
	require.NoError(t, err)
	ws := append(m.Learnables(), head.Learnables()...)
	_, err = G.Grad(loss, ws...)
	require.NoError(t, err)
	vm := G.NewTapeMachine(g, G.BindDualValues(ws...))
	defer vm.Close()
	opt := G.NewAdamSolver(G.WithLearnRate(1e-3))
	rng := rand.New(rand.NewSource(1))
	xs := make([]float32, B*60*6)
	ys := make([]float32, B)
	for i := range xs {
		xs[i] = float32(rng.NormFloat64())
	}
	for i := range ys {
		ys[i] = float32(i % 4)
	}
	for step := 0; step < 30; step++ {
		require.NoError(t, G.Let(x, f32([]int{B, 60, 6}, xs)))
		require.NoError(t, G.Let(y, f32([]int{B}, ys)))
		require.NoError(t, vm.RunAll())
		if step%5 == 0 {
			t.Log(step, loss.Value())
		}
		require.NoError(t, opt.Step(G.NodesToValueGrads(ws)))
		vm.Reset()
	}
}

func benchStep(b *testing.B, B, T, E, H, L int, mode qat.Mode) {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 3, G.WithShape(B, T, E), G.WithName("x"))
	y := G.NewVector(g, tensor.Float32, G.WithShape(B), G.WithName("y"))
	m, err := qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(H), qat.WithNumLayers(L), qat.WithQuantize(mode))
	require.NoError(b, err)
	head, _ := qat.Dense(m.Output(), 10, qat.WithName("head"))
	loss, _ := qat.CrossEntropy(head.Output(), y)
	ws := append(m.Learnables(), head.Learnables()...)
	_, err = G.Grad(loss, ws...)
	require.NoError(b, err)
	vm := G.NewTapeMachine(g, G.BindDualValues(ws...))
	defer vm.Close()
	xs := make([]float32, B*T*E)
	for i := range xs {
		xs[i] = rand.Float32()
	}
	require.NoError(b, G.Let(x, f32([]int{B, T, E}, xs)))
	require.NoError(b, G.Let(y, f32([]int{B}, make([]float32, B))))
	vm.RunAll()
	vm.Reset()
	b.ReportAllocs()
	for b.Loop() {
		if err := vm.RunAll(); err != nil {
			b.Fatal(err)
		}
		vm.Reset()
	}
}

func BenchmarkStepS(b *testing.B)      { benchStep(b, 32, 8, 8, 64, 2, qat.Ternary) }
func BenchmarkStepM(b *testing.B)      { benchStep(b, 32, 60, 256, 256, 4, qat.Ternary) }
func BenchmarkStepMFloat(b *testing.B) { benchStep(b, 32, 60, 256, 256, 4, qat.Float) }
