package qat_test

import (
	"fmt"
	"testing"

	"github.com/qat-go/qat"
	"github.com/stretchr/testify/assert"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// added returns how many nodes f adds to g.
func added(g *G.ExprGraph, f func()) int {
	n := len(g.AllNodes())
	f()
	return len(g.AllNodes()) - n
}

// Gorgonia merges nodes of one hash. What ought to be two nodes is two.
func TestDistinctNodes(t *testing.T) {
	block := func(x *G.Node, name string, p float64) func() {
		return func() { ok(qat.Block(x, qat.WithName(name), qat.WithDropout(p), qat.WithNumHeads(1))) }
	}
	t.Run("two_dropouts", func(t *testing.T) {
		g := G.NewGraph()
		x := random(g, 1, "x", 11, 13, 17)
		// entry, 2 norms, 4 linears, attention, silu, 2 residuals: 11; and 12 leaves.
		assert.Equal(t, 11+12, added(g, block(x, "none", 0)))
		// Dropout is a part of the activation and of the residuals.
		assert.Equal(t, 11+12, added(g, block(x, "a", 0.1)))
		assert.Equal(t, 11+12, added(g, block(x, "b", 0.1)), "same p")
		assert.Equal(t, 11+12, added(g, block(x, "c", 0.9)), "other p")
	})
	t.Run("two_layers", func(t *testing.T) {
		g := G.NewGraph()
		x := random(g, 1, "x", 11, 13)
		for _, name := range []string{"a", "b"} {
			assert.Equal(t, 3, added(g, func() { ok(qat.QuantLinear(x, 13, qat.WithName(name))) }), "quantized "+name)
			assert.Equal(t, 3, added(g, func() { ok(qat.Dense(x, 13, qat.WithName("dense_"+name))) }), "dense "+name)
		}
		assert.Equal(t, 1, added(g, func() { ok(qat.FakeQuantize(x, qat.Ternary)) }))
		assert.Equal(t, 1, added(g, func() { ok(qat.FakeQuantize(x, qat.Int4)) }))
		assert.Equal(t, 1, added(g, func() { ok(qat.FakeQuantize(x, qat.Int4)) }))
		assert.Equal(t, 1, added(g, func() { ok(qat.MeanSquaredError(x, x)) }))
		assert.Equal(t, 1, added(g, func() { ok(qat.MeanSquaredError(x, x)) }))
	})
	t.Run("two_models", func(t *testing.T) {
		g := G.NewGraph()
		x := random(g, 1, "x", 11, 13, 17)
		model := func(name string) func() {
			return func() {
				ok(qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(22), qat.WithNumHeads(1), qat.WithNumLayers(2), qat.WithName(name)))
			}
		}
		// projection 1+2, blocks 2*(10+12), 1 dropout between, norm 1+2, pool 1.
		want := 3 + 2*(10+12) + 1 + 3 + 1
		assert.Equal(t, want, added(g, model("a")))
		assert.Equal(t, want, added(g, model("b")))
		hashes := map[uint32]string{}
		for _, n := range g.AllNodes() {
			assert.Empty(t, hashes[n.Hashcode()], n.Name())
			hashes[n.Hashcode()] = n.Name()
		}
	})
}

// A model between nodes of the user's own, fed by views that lie scattered.
func TestModelInsideOwnGraph(t *testing.T) {
	const batch, steps, embed, classes = 11, 13, 17, 3
	data := numbers(1, batch*steps*embed)
	options := []qat.Option{qat.WithHiddenSize(22), qat.WithNumHeads(2), qat.WithNumLayers(1), qat.WithQuantize(qat.Int8)}
	finish := func(x *G.Node, m *qat.Model) circuit {
		// A stock op after the model, then the head, then stock ops again.
		scaled := G.Must(G.HadamardProd(m.Output(), m.Output()))
		head := ok(qat.Dense(scaled, classes, qat.WithName("head")))
		loss := G.Must(G.Mean(G.Must(G.Square(head.Output()))))
		return circuit{out: loss, leaves: append(append(m.Learnables(), head.Learnables()...), x)}
	}
	g := G.NewGraph()
	plain := placeholder(g, "x", batch, steps, embed)
	let(t, plain, data)
	wantLoss, wantGrads := gradients(t, "tape", finish(plain, ok(qat.Build(g, append(options, qat.WithInput(plain))...))))

	// transposed is data with its first two axes exchanged.
	transposed := make([]float32, len(data))
	for i := range data {
		b, s, e := i/(steps*embed), i/embed%steps, i%embed
		transposed[(s*batch+b)*embed+e] = data[i]
	}
	same := func(i []float32) []float32 { return i }
	for name, c := range map[string]struct {
		shape []int
		data  []float32
		view  func(x *G.Node) *G.Node
		back  func(grad []float32) []float32 // the gradient in x's own order
	}{
		"multiply": {[]int{batch, steps, embed}, data, func(x *G.Node) *G.Node { return G.Must(G.HadamardProd(x, one(x))) }, same},
		"reshape":  {[]int{batch * steps, embed}, data, func(x *G.Node) *G.Node { return G.Must(G.Reshape(x, tensor.Shape{batch, steps, embed})) }, same},
		"transpose": {[]int{steps, batch, embed}, transposed, func(x *G.Node) *G.Node { return G.Must(G.Transpose(x, 1, 0, 2)) }, func(grad []float32) []float32 {
			out := make([]float32, len(grad))
			for i := range grad {
				s, b, e := i/(batch*embed), i/embed%batch, i%embed
				out[(b*steps+s)*embed+e] = grad[i]
			}
			return out
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, machine := range []string{"tape", "lisp"} {
				g := G.NewGraph()
				x := placeholder(g, "x", c.shape...)
				let(t, x, c.data)
				m := ok(qat.Build(g, append(options, qat.WithInput(c.view(x)))...))
				loss, grads := gradients(t, machine, finish(x, m))
				requireBits(t, machine+": loss", loss, wantLoss)
				last := len(grads) - 1
				for i := range last {
					requireSame(t, fmt.Sprint(machine, ": gradient ", i), grads[i], wantGrads[i])
				}
				requireSame(t, machine+": input", c.back(grads[last]), wantGrads[last])
			}
		})
	}
}

// one is a constant of x's shape.
func one(x *G.Node) *G.Node {
	ones := make([]float32, x.Shape().TotalSize())
	for i := range ones {
		ones[i] = 1
	}
	n := placeholder(x.Graph(), "ones", x.Shape()...)
	must(G.Let(n, f32(x.Shape(), ones)))
	return n
}

// A layer on a stock slice, whose values lie scattered, computes what it does on
// the same values in a tensor of their own.
func TestLayerOnSlice(t *testing.T) {
	const rows, wide, from, to = 11, 29, 5, 18
	data := numbers(1, rows*wide)
	var part []float32
	for i := range rows {
		part = append(part, data[i*wide+from:i*wide+to]...)
	}
	for _, mode := range modes {
		g := G.NewGraph()
		x := placeholder(g, "x", rows, wide)
		let(t, x, data)
		y := placeholder(g, "y", rows, to-from)
		let(t, y, part)
		onSlice := ok(qat.QuantLinear(G.Must(G.Slice(x, nil, G.S(from, to))), 13, qat.WithName("a"), qat.WithQuantize(mode)))
		onCopy := ok(qat.QuantLinear(y, 13, qat.WithName("b"), qat.WithQuantize(mode), qat.WithParamsFrom(onSlice)))
		onTransposed := ok(qat.QuantLinear(G.Must(G.Transpose(G.Must(G.Transpose(y, 1, 0)), 1, 0)), 13, qat.WithName("c"), qat.WithQuantize(mode), qat.WithParamsFrom(onSlice)))
		want := forward(t, onCopy.Output())
		requireBits(t, mode.String()+": slice", forward(t, onSlice.Output()), want)
		requireBits(t, mode.String()+": transpose", forward(t, onTransposed.Output()), want)
	}
}

// Two models in one graph learn and compute as each does alone.
func TestTwoModelsInOneGraph(t *testing.T) {
	build := func(g *G.ExprGraph, x *G.Node, name string, mode qat.Mode) *qat.Model {
		return ok(qat.Build(g, qat.WithInput(x), qat.WithHiddenSize(22), qat.WithNumHeads(2), qat.WithNumLayers(2),
			qat.WithName(name), qat.WithQuantize(mode)))
	}
	alone := func(name string, mode qat.Mode) ([]float32, [][]float32) {
		g := G.NewGraph()
		m := build(g, random(g, 1, "x", 11, 13, 17), name, mode)
		return gradients(t, "tape", circuit{out: ok(qat.MeanSquaredError(m.Output(), random(g, 2, "y", 11, 22))), leaves: m.Learnables()})
	}
	lossA, gradsA := alone("a", qat.Ternary)
	lossB, gradsB := alone("b", qat.Int4)
	g := G.NewGraph()
	x, y := random(g, 1, "x", 11, 13, 17), random(g, 2, "y", 11, 22)
	a, b := build(g, x, "a", qat.Ternary), build(g, x, "b", qat.Int4)
	sum := G.Must(G.Add(ok(qat.MeanSquaredError(a.Output(), y)), ok(qat.MeanSquaredError(b.Output(), y))))
	loss, grads := gradients(t, "tape", circuit{out: sum, leaves: append(a.Learnables(), b.Learnables()...)})
	assert.Equal(t, lossA[0]+lossB[0], loss[0])
	for i, want := range append(gradsA, gradsB...) {
		requireBits(t, fmt.Sprint("gradient ", i), grads[i], want)
	}
}
