package qat

import (
	"testing"

	"github.com/qat-go/qat/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func testLeaf(g *gorgonia.ExprGraph, name string, shape ...int) *gorgonia.Node {
	value := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(normals(1, product(shape))))
	return leaf(g, name, shape, gorgonia.WithValue(value))
}

// The hashes that are predicted, so that no node is merged with another, are those
// that Gorgonia computes.
func TestNodeHash(t *testing.T) {
	g := gorgonia.NewGraph()
	x, w, b := testLeaf(g, "x", 3, 11, 13), testLeaf(g, "w", 13, 17), testLeaf(g, "b", 17)
	for _, n := range []*gorgonia.Node{x, w, b} {
		assert.Equal(t, leafHash(n.Name(), n.Shape()), n.Hashcode(), n.Name())
		assert.True(t, hashTaken(g, n.Hashcode()))
	}
	shape := tensor.Shape{3, 11, 17}
	y, err := newOp("linear", "l", newLinear("l", []int{3, 11, 13}, 17, floatSpec()), shape, 0, nil, x, w, b)
	require.NoError(t, err)
	assert.Equal(t, nodeHash(y.Op(), shape, []*gorgonia.Node{x, w, b}), y.Hashcode())

	loss, err := MeanSquaredError(y, testLeaf(g, "target", 3, 11, 17))
	require.NoError(t, err)
	target := g.ByName("target")[0]
	assert.Equal(t, nodeHash(loss.Op(), tensor.Shape{}, []*gorgonia.Node{y, target}), loss.Hashcode(), "scalar")

	upstream := testLeaf(g, "upstream", 3, 11, 17)
	grads, err := y.Op().(*op).SymDiff(gorgonia.Nodes{x, w, b}, y, upstream)
	require.NoError(t, err)
	assert.Equal(t, nodeHash(grads[0].Op(), x.Shape(), []*gorgonia.Node{x, w, b, y, upstream}), grads[0].Hashcode())
	for _, part := range grads[1:] {
		assert.Equal(t, nodeHash(part.Op(), part.Shape(), []*gorgonia.Node{grads[0]}), part.Hashcode())
	}
}

// Even two dropouts of one path on one input are two nodes, and two ops.
func TestDropoutsAreDistinct(t *testing.T) {
	g := gorgonia.NewGraph()
	x := testLeaf(g, "x", 11, 13, 17)
	dropped := func(p float64) *gorgonia.Node {
		b := &builder{config: &config{spec: spec.Model{Dropout: p}}, ctrl: newControl(0)}
		n := b.dropout(x, "same", 13)
		require.NoError(t, b.err)
		return n
	}
	a, b, c := dropped(0.1), dropped(0.9), dropped(0.1)
	assert.Len(t, g.AllNodes(), 4)
	assert.NotEqual(t, a.Hashcode(), b.Hashcode())
	assert.NotEqual(t, a.Hashcode(), c.Hashcode())

	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	count := func(n *gorgonia.Node) (kept int) {
		for _, v := range n.Value().Data().([]float32) {
			if v != 0 {
				kept++
			}
		}
		return kept
	}
	const n, slack = 11 * 13 * 17, 120 // more than 7 standard deviations
	assert.InDelta(t, 0.9*n, count(a), slack)
	assert.InDelta(t, 0.1*n, count(b), slack)
	assert.InDelta(t, 0.9*n, count(c), slack)
}
