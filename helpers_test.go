package qat_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/qat-go/qat"
	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// modes are all modes; quantized those that have codes.
var (
	modes     = []qat.Mode{qat.Float, qat.Binary, qat.Ternary, qat.Int4, qat.Int8}
	quantized = modes[1:]

	granularities = []qat.Granularity{qat.PerTensor, qat.PerChannel}
	poolings      = []spec.Pooling{qat.LastTimestep, qat.Mean, qat.AllTimesteps}
)

func volume(shape ...int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// numbers returns n normal numbers, the same for the same seed.
func numbers(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func f32(shape []int, data []float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float32(nil), data...)))
}

// placeholder adds a leaf without a value.
func placeholder(g *G.ExprGraph, name string, shape ...int) *G.Node {
	return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name))
}

// random adds a leaf with normal values.
func random(g *G.ExprGraph, seed uint64, name string, shape ...int) *G.Node {
	n := placeholder(g, name, shape...)
	must(G.Let(n, f32(shape, numbers(seed, volume(shape...)))))
	return n
}

func let(t testing.TB, n *G.Node, values []float32) {
	t.Helper()
	require.NoError(t, G.Let(n, f32(n.Shape(), values)))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// ok returns the result of a builder that a test does not expect to fail.
func ok[T any](v T, err error) T {
	must(err)
	return v
}

// floats returns a copy of a value's elements.
func floats(v G.Value) []float32 {
	switch x := v.Data().(type) {
	case float32:
		return []float32{x}
	case []float32:
		return append([]float32(nil), x...)
	}
	panic(fmt.Sprintf("%T holds no float32", v))
}

func grad(t testing.TB, n *G.Node) []float32 {
	t.Helper()
	v, err := n.Grad()
	require.NoError(t, err, n.Name())
	return floats(v)
}

// parameterised is what models and layers have in common.
type parameterised interface {
	Output() *G.Node
	Learnables() G.Nodes
	Params() []qat.Param
	SetTraining(bool)
	SetParam(string, []float32) error
	ParamValue(string) ([]float32, error)
}

// scatter gives every parameter normal values, so that none is 0 or 1 by default,
// small enough for activations to stay near 1.
func scatter(t testing.TB, m parameterised, seed uint64) {
	t.Helper()
	for i, p := range m.Params() {
		shape := p.Node.Shape()
		values := numbers(seed+uint64(i)*1000, shape.TotalSize())
		for j := range values {
			values[j] *= 1 / float32(math.Sqrt(float64(shape[0])))
		}
		require.NoError(t, m.SetParam(p.Name, values))
	}
}

// circuit is a graph whose gradients a test looks at.
type circuit struct {
	out    *G.Node // scalar, or weighed by random numbers to make the loss
	leaves G.Nodes // what gradients are taken of
	// cotangent is the gradient of the loss with respect to out; nil: normal numbers.
	cotangent []float32
}

const cotangentSeed = 99

// upstream is the gradient that arrives at a circuit's output.
func (c circuit) upstream() []float32 {
	switch {
	case c.cotangent != nil:
		return c.cotangent
	case c.out.IsScalar():
		return []float32{1}
	}
	return numbers(cotangentSeed, c.out.Shape().TotalSize())
}

// gradients runs a circuit forward and backward on a "tape" or a "lisp" machine.
func gradients(t testing.TB, machine string, c circuit) (out []float32, grads [][]float32) {
	t.Helper()
	g, loss := c.out.Graph(), c.out
	if !loss.IsScalar() {
		shape := c.out.Shape()
		weights := placeholder(g, "cotangent", shape...)
		let(t, weights, c.upstream())
		loss = G.Must(G.Sum(G.Must(G.HadamardProd(c.out, weights))))
	}
	var seen G.Value
	G.Read(c.out, &seen)
	var vm G.VM
	if machine == "lisp" {
		vm = G.NewLispMachine(g)
	} else {
		_, err := G.Grad(loss, c.leaves...)
		require.NoError(t, err)
		vm = G.NewTapeMachine(g, G.BindDualValues(c.leaves...))
	}
	defer vm.Close()
	require.NoError(t, vm.RunAll(), machine)
	for _, n := range c.leaves {
		grads = append(grads, grad(t, n))
	}
	return floats(seen), grads
}

// forward runs g and returns what a node held.
func forward(t testing.TB, n *G.Node) []float32 {
	t.Helper()
	out, err := tryForward(n)
	require.NoError(t, err)
	return out
}

// tryForward runs the part of the graph that n needs.
func tryForward(n *G.Node) ([]float32, error) {
	vm := G.NewTapeMachine(n.Graph().SubgraphRoots(n))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, err
	}
	return floats(n.Value()), nil
}

// requireBits requires equality to the bit.
func requireBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d: got %v (%#x), want %v (%#x)", what, i,
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// requireNear requires each element within tolerance of max(1, |want|).
func requireNear(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		limit := tolerance * max(1, math.Abs(float64(want[i])))
		if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= limit) {
			t.Fatalf("%s: element %d: got %v, want %v within %v", what, i, got[i], want[i], limit)
		}
	}
}

// requireClose requires each element within tolerance of the largest |want|: what
// a sum of many float32 terms of that size can promise.
func requireClose(t testing.TB, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	var largest float64
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i]) - want[i]); !(diff <= tolerance*largest) {
			t.Fatalf("%s: element %d: got %v, want %v within %v (largest %v)", what, i, got[i], want[i], tolerance*largest, largest)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
